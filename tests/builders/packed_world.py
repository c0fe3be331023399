"""A cloud whose numerics move to minute rows, and whose signed batches move to packed objects."""

from pathlib import Path

from cloud.clinical.waveforms import NUMERICS
from cloud.foundation.db import Database
from cloud.foundation.objects import LocalObjects, ObjectStore
from cloud.vehicles.packing.packer import BatchPacker
from protocols.uplink.envelope import Envelope
from tests.builders.erasure_world import ErasureWorld
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.minute_rows import AFTER_DAYS


class PackedWorld(ErasureWorld):
    """The cloud under test, with the worker's packer."""

    def __init__(self, database: Database, *gateways: GatewayInVehicle, folder: Path) -> None:
        self.folder = folder
        self.store = LocalObjects(folder)
        super().__init__(database, *gateways, objects=self.store)

    async def begin_after_days(self) -> "PackedWorld":
        """Begin, and pass the days after an upgrade in which nothing moves."""
        await self.begin()
        await self.compact()
        self.pass_days(AFTER_DAYS + 1)
        return self

    def packer(self, objects: ObjectStore | None = None) -> BatchPacker:
        """Return a new packer, as after a restart of the worker."""
        return BatchPacker(self.database, objects or self.store, self.cloud.clock, self.cloud.ids, AFTER_DAYS, rest_s=0)

    async def pack(self) -> int:
        """Pack the numerics that are due, as the worker does; return the number of batches."""
        return await self.packer().walk()

    async def take_compacted(self, *sent: Envelope) -> None:
        """Let batches arrive, and move their values to minute rows when they are due."""
        await self.cloud.take(*sent)
        self.pass_days(AFTER_DAYS + 1)
        await self.compact()

    async def take_packed(self, *sent: Envelope) -> int:
        """Let batches arrive, move their values, and pack them; return their number."""
        await self.take_compacted(*sent)
        return await self.pack()

    async def object_names(self) -> list[str]:
        return [one.name async for page in self.store.pages(NUMERICS) for one in page]
