"""A process that stores the rows of parked batches once, and is killed at a chosen SQL statement.

    python -m tests.harness.take_up_victim DATABASE_URL AT_US KILLED_AT

Parked batches are stored without their observation rows, because their gateway exceeded its quota. The process takes
AT_US as the time. It kills itself with SIGKILL instead of executing statement number KILLED_AT (0: never). It prints
the number of batches whose rows it stored.
"""

import asyncio
import os
import signal
import sys

import cloud.slices  # noqa: F401  declares the slices, which the imports below need
from cloud.foundation.db import open_database
from tests.builders.ingest_cloud import CloudUnderTest, StoppedClock
from tests.builders.statement_count import EndingDatabase


async def take_up_once(url: str, at_us: int, killed_at: int) -> int:
    database = await open_database(url)
    ending = EndingDatabase(database, killed_at, lambda: os.kill(os.getpid(), signal.SIGKILL))
    taken = await CloudUnderTest(ending, clock=StoppedClock(at_us)).take_up()
    await database.close()
    return taken


if __name__ == "__main__":
    print(asyncio.run(take_up_once(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
