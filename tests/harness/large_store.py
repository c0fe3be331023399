"""Fill a database with observations by the ingest of the release whose code runs this file.

`python -P large_store.py URL COUNT`: the batches are signed and chained, and are verified as those of a vehicle are.
"""

import asyncio
import sys

from cloud.foundation.db import open_database
from cloud.vehicles.ingest.settings import IngestSection
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle, readings, section

BATCH_ROWS = 8_000
"""Observations of a batch, about the most that one may have."""
VALUES = tuple(float(90 + number % 10) for number in range(BATCH_ROWS))


async def fill(url: str, count: int) -> None:
    """Ingest `count` observations of one vehicle."""
    database = await open_database(url)
    quotas = IngestSection(rows_burst=2 * count + 100_000, bytes_burst=1 << 40)
    gateway = GatewayInVehicle()
    cloud = await CloudUnderTest(database, quotas=quotas).register(gateway)
    for stored in range(0, count, BATCH_ROWS):
        values = VALUES[: count - stored]
        await cloud.take(gateway.send_sections([section(readings(*values, at_s=float(stored)))]))
    await database.close()


if __name__ == "__main__":
    asyncio.run(fill(sys.argv[1], int(sys.argv[2])))
