"""A process whose children store parked batches once each, and are killed at a chosen SQL statement.

    python -m tests.harness.take_up_victim DATABASE_URL AT_US

Parked batches are stored without their observation rows, because their gateway exceeded its quota. A child takes AT_US
as the time. For each number on the standard input, one child runs, which kills itself with SIGKILL instead of executing
the statement with this number (0: never). The process prints the exit status of each child.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import cloud.slices  # noqa: F401  declares the slices, which the imports below need
from cloud.foundation.db import open_database
from tests.builders.ingest_cloud import CloudUnderTest, StoppedClock
from tests.builders.statement_count import EndingDatabase
from tests.harness.forked_child import run_forked


async def take_up_once(url: str, at_us: int, killed_at: int) -> None:
    database = await open_database(url)
    ending = EndingDatabase(database, killed_at, lambda: os.kill(os.getpid(), signal.SIGKILL))
    await CloudUnderTest(ending, clock=StoppedClock(at_us)).take_up()
    await database.close()


@asynccontextmanager
async def take_up_victim(url: str, at_us: int) -> AsyncIterator[Callable[[int], Awaitable[int]]]:
    """Run the process. Yield a function that runs a child to the statement with a number, and returns its exit
    status."""
    words = ("-m", "tests.harness.take_up_victim", url, str(at_us))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stdin=pipe, stdout=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    given, printed = process.stdin, process.stdout

    async def run_until(statement: int) -> int:
        given.write(f"{statement}\n".encode())
        await given.drain()
        return int(await printed.readline())

    try:
        yield run_until
    finally:
        given.close()
        await process.wait()


def main(url: str, at_us: int) -> None:
    for line in sys.stdin:
        print(run_forked(partial(take_up_once, url, at_us, int(line))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
