"""A cloud whose numerics move to minute rows, and whose signed batches move to packed objects."""

from collections.abc import Sequence
from pathlib import Path

from cloud.clinical.observations.minutes.merged_days import sparse_days
from cloud.clinical.observations.minutes.rewriting import DayRewriter
from cloud.clinical.waveforms import NUMERICS, OrphanSweeper
from cloud.foundation.db import Database
from cloud.foundation.objects import LocalObjects, ObjectStore
from cloud.vehicles.packing.packer import BatchPacker
from protocols.uplink.envelope import Envelope
from tests.builders.erasure_world import ErasureWorld
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.minute_rows import AFTER_DAYS


class PackedWorld(ErasureWorld):
    """The cloud under test, with the worker's packer."""

    def __init__(self, database: Database, *gateways: GatewayInVehicle, folder: Path, staged: bool = False) -> None:
        self.folder = folder
        self.store = LocalObjects(folder)
        super().__init__(database, *gateways, objects=self.store, staged=staged)

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

    async def work_once(self) -> Sequence[int]:
        """Do one turn of each loop of the worker that frees room on the disk; return the days whose partitions of
        minute rows were due to be written again."""
        await self.housekeeping.tidy()
        await self.pack()
        async with self.database.read() as tx:
            days = await sparse_days(tx)
        await DayRewriter(self.database).turn()
        await OrphanSweeper(self.database, self.store, self.cloud.clock).sweep()
        return days

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
