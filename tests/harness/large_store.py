"""Fill a database with observations by the ingest of the release whose code runs this file.

`python -P large_store.py URL COUNT EPOCH`: the batches are signed and chained, and are verified as those of a vehicle
are. Each call needs an epoch of its own, one life of the gateway's store.
"""

import asyncio
import sys

from cloud.foundation.db import migrate, open_database
from cloud.vehicles.fleet.tables import gateways
from cloud.vehicles.ingest.settings import IngestSection
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle, readings, section

BATCH_ROWS = 8_000
"""Observations of a batch, about the most that one may have."""
VALUES = tuple(float(90 + number % 10) for number in range(BATCH_ROWS))


async def fill(url: str, count: int, epoch: str) -> None:
    """Migrate the database, as the service's unit does, and ingest `count` observations of one vehicle, which the first
    call registers."""
    await migrate(url, create=True)
    database = await open_database(url)
    quotas = IngestSection(rows_burst=2 * count + 100_000, bytes_burst=1 << 40)
    gateway = GatewayInVehicle(epoch=epoch)
    cloud = CloudUnderTest(database, quotas=quotas)
    if not await cloud.rows(gateways):
        await cloud.register(gateway)
    for stored in range(0, count, BATCH_ROWS):
        values = VALUES[: count - stored]
        await cloud.take(gateway.send_sections([section(readings(*values, at_s=float(stored)))]))
    await database.close()


if __name__ == "__main__":
    asyncio.run(fill(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
