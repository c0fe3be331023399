"""What has outlived its time goes, chore by chore, and one that fails stops no other."""

import asyncio

from cloud.db import Database, Transaction
from cloud.errors import DomainError
from cloud.housekeeping import EVERY_S, Chore, Housekeeping
from tests.builders.ingest_cloud import StoppedClock


class Away(DomainError):
    """The database is away."""

    code = "away"


async def test_a_chore_that_fails_stops_no_other_and_leaves_nothing_half_done(database: Database):
    clock = StoppedClock()
    asked: list[int] = []

    async def fails(tx: Transaction, now_us: int) -> int:
        raise Away

    async def removes(tx: Transaction, now_us: int) -> int:
        asked.append(now_us)
        return 3

    keeping = Housekeeping(database, clock, [Chore("first", fails), Chore("second", removes)])
    assert await keeping.tidy() == {"second": 3}
    assert asked == [clock.now_us()]


async def test_housekeeping_ends_at_once_when_it_is_asked_to_stop(database: Database):
    assert EVERY_S > 60
    stopping = asyncio.Event()
    done = asyncio.Event()

    async def once(tx: Transaction, now_us: int) -> int:
        done.set()
        return 0

    running = asyncio.create_task(Housekeeping(database, StoppedClock(), [Chore("only", once)]).run(stopping))
    await done.wait()
    stopping.set()
    async with asyncio.timeout(5):
        await running
