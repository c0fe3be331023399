"""A cloud that stages live batches in objects, and what tests read of it."""

from cloud.clinical.observations.tables import observations
from cloud.foundation.db import Database
from cloud.foundation.objects import LocalObjects, ObjectStoreUnavailable, StoredObject
from cloud.vehicles.custody.tables import lanes
from cloud.vehicles.ingest.staged_object import (
    STAGED,
)
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.waveforms import waves


class BreakableObjects(LocalObjects):
    """A folder of objects whose puts fail while `is_broken`. `puts` counts them."""

    is_broken = False
    puts = 0

    async def put(self, name: str, data: bytes) -> StoredObject:
        self.puts += 1
        if self.is_broken:
            raise ObjectStoreUnavailable
        return await super().put(name, data)


def restarted(cloud: CloudUnderTest) -> CloudUnderTest:
    """Return an ingest that knows nothing of what another one had in its memory."""
    return CloudUnderTest(cloud.database, objects=cloud.objects, staged=True)


async def staged_names(store: LocalObjects) -> list[str]:
    return [one.name async for page in store.pages(STAGED) for one in page]


async def numerics(cloud: CloudUnderTest) -> list[tuple[int, float]]:
    return [(row.sequence, row.number) for row in await cloud.rows(observations)]


async def marks(cloud: CloudUnderTest) -> dict[str, tuple[int, str]]:
    return {row.lane: (row.through_sequence, row.ahead) for row in await cloud.rows(lanes)}


async def staging_cloud(database: Database, gateway: GatewayInVehicle, store: BreakableObjects) -> CloudUnderTest:
    """Return a cloud that has received the first batch of numerics and of waveforms."""
    made = await CloudUnderTest(database, objects=store, staged=True).register(gateway)
    await made.arrive(gateway.send(97.0), waves(gateway))
    return made
