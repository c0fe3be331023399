"""A process whose children start the job of a schedule and are killed, each at another step of the transaction.

    python -m tests.harness.schedule_victim DATABASE_URL STRIDE

Each child starts the job of another day. It is killed at step STRIDE, 2 x STRIDE and so on, until a child ends before
its step. A step is the begin of a transaction, a statement of it, or its commit. After each kill another child starts
what is due. The process prints the number of children that died by SIGKILL. A child is a fork, which needs no new start
of Python.
"""

import asyncio
import signal
import sys
from pathlib import Path

import cloud.slices  # noqa: F401  declares the slices, which the imports below need
from cloud.foundation.db import open_database
from tests.builders.schedule_desk import ScheduleDesk
from tests.harness.forked_child import run_forked
from tests.harness.placed_database import PlacedDatabase
from tests.harness.steps import Steps

FOLDER = Path("unused")
"""The folder of results, which no job of this story has."""
DAY_US = 86_400_000_000


async def begin(url: str) -> None:
    """Add the schedule."""
    database = await open_database(url)
    try:
        await (await ScheduleDesk(database, FOLDER).begin()).add()
    finally:
        await database.close()


async def start_due(url: str, day: int, steps: Steps) -> None:
    """Start what is due on a day."""
    database = await open_database(url)
    try:
        desk = ScheduleDesk(PlacedDatabase(database, steps.in_database), FOLDER)
        desk.clock.advance(us=day * DAY_US)
        while await desk.start_next():
            pass
    finally:
        await database.close()


async def end_job(url: str, day: int) -> None:
    """Let the job of a day succeed."""
    database = await open_database(url)
    try:
        desk = ScheduleDesk(database, FOLDER)
        desk.clock.advance(us=day * DAY_US)
        await desk.end_job()
    finally:
        await database.close()


def run_child(url: str, day: int, killed_at: int) -> int:
    """Run one child; return its exit status."""
    return run_forked(lambda: start_due(url, day, Steps(killed_at)))


def main(url: str, stride: int) -> int:
    asyncio.run(begin(url))
    for day in range(1, 1_000):
        status = run_child(url, day, day * stride)
        assert status in (0, -signal.SIGKILL), f"a child ended with {status}"
        if status == 0:
            return day - 1
        assert run_child(url, day, 0) == 0
        asyncio.run(end_job(url, day))
    raise AssertionError("no child ends before its step")


if __name__ == "__main__":
    print(main(sys.argv[1], int(sys.argv[2])))
