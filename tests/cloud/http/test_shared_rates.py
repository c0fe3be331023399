"""Processes with one database share one rate limit, and no request waits for another process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from sqlalchemy import text

from cloud.foundation.db import Database, DatabaseUnavailable
from cloud.foundation.http.rate_store import KEPT_US, sweep_rates
from cloud.foundation.http.rates import Policy
from cloud.foundation.http.shared_rates import BUCKETS_SETTLED_MAX, SharedLimiter
from tests.builders.cloud_people import HandClock

HUNDRED = Policy("standard", 100)
NORTH = ("tnt_north", "app_north")


def drawn(limiter: SharedLimiter, times: int, policy: Policy = HUNDRED, key: object = NORTH) -> int:
    """Count `times` requests against a limit; return how many of them were allowed."""
    return sum(limiter.draw(policy, cast(Any, key)).allowed for _ in range(times))


@pytest.mark.contract("S-190", "S-191", "A-012")
async def test_requests_counted_in_one_process_lower_the_remaining_limit_in_another_process(database: Database) -> None:
    clock = HandClock()
    one, other = SharedLimiter(clock, database), SharedLimiter(clock, database)
    assert drawn(one, 60) == 60
    await one.settle()
    assert drawn(other, 7) == 7
    await other.settle()
    assert other.look(HUNDRED, NORTH).remaining == 33
    assert drawn(other, 200) == 33
    assert drawn(other, 1, key=("tnt_south", "app_south")) == 1


@pytest.mark.contract("S-190", "S-191")
async def test_requests_admitted_above_the_limit_by_two_processes_reduce_the_later_limits_of_both(
    database: Database,
) -> None:
    clock = HandClock()
    one, other = SharedLimiter(clock, database), SharedLimiter(clock, database)
    assert drawn(one, 200) + drawn(other, 200) == 200, "nothing is known of each other yet"
    for limiter in (one, other, one):
        await limiter.settle()
    refused = [limiter.draw(HUNDRED, NORTH) for limiter in (one, other)]
    assert [(draw.allowed, draw.remaining, draw.retry_after_s) for draw in refused] == [(False, 0, 1), (False, 0, 61)]
    clock.advance(us=1_000_000)
    assert drawn(one, 1) == 1
    # Each process reports its draws and reads the others': over a long time no more is allowed than refills.
    through = 0
    for _ in range(240):
        clock.advance(us=1_000_000)
        through += drawn(one, 10) + drawn(other, 10)
        await one.settle()
        await other.settle()
    assert through <= 240 * 100 / 60
    assert through > 240 * 100 / 60 - 110


async def test_requests_far_below_the_rate_limit_write_no_row_to_the_database(database: Database) -> None:
    clock = HandClock()
    limiter = SharedLimiter(clock, database)
    for _ in range(20):
        assert drawn(limiter, 6) == 6
        await limiter.settle()
        clock.advance(us=60_000_000)
    async with database.read() as tx:
        assert (await tx.execute(text("SELECT count(*) FROM rate_buckets"))).scalar() == 0


async def test_client_address_is_stored_as_a_digest_and_deleted_after_the_retention_time(database: Database) -> None:
    clock = HandClock()
    limiter = SharedLimiter(clock, database)
    drawn(limiter, 50, key="192.0.2.7")
    drawn(limiter, 3, Policy("failures", 30), "192.0.2.7")
    await limiter.settle()
    async with database.read() as tx:
        rows = list(await tx.execute(text("SELECT digest FROM rate_buckets")))
    assert len(rows) == 2
    assert all(len(bytes(row[0])) == 32 and b"192" not in bytes(row[0]) for row in rows)
    async with database.transaction() as tx:
        assert await sweep_rates(tx, clock.now_us() + KEPT_US - 1) == 0
        assert await sweep_rates(tx, clock.now_us() + KEPT_US) == 2


class Away:
    """A wrapper of a database, whose transactions fail with `DatabaseUnavailable` while `away` is True."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.away = True

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        if self.away:
            raise DatabaseUnavailable
        async with self._database.transaction() as tx:
            yield tx


async def test_rate_limiter_reports_its_counts_to_other_processes_after_a_database_outage(database: Database) -> None:
    clock = HandClock()
    link = Away(database)
    cut_off, other = SharedLimiter(clock, cast(Database, link)), SharedLimiter(clock, database)
    assert drawn(cut_off, 70) == 70
    await cut_off.settle()
    assert drawn(cut_off, 200) == 30
    link.away = False
    await cut_off.settle()
    assert drawn(other, 10) == 10
    await other.settle()
    assert not other.draw(HUNDRED, NORTH).allowed


async def test_rate_limit_buckets_evicted_from_bounded_memory_keep_their_counts_in_the_database(
    database: Database,
) -> None:
    clock = HandClock()
    limiter, other = SharedLimiter(clock, database, buckets_max=10), SharedLimiter(clock, database)
    few = Policy("few", 2)
    for number in range(25):
        assert drawn(limiter, 1, few, f"key {number}") == 1
        await limiter.settle()
    assert [limiter.look(few, f"key {number}").remaining for number in (0, 24)] == [2, 1]
    assert drawn(other, 1, few, "key 0") == 1
    await other.settle()
    assert drawn(other, 1, few, "key 0") == 0, "what was told is not forgotten with it"


async def test_one_write_to_the_database_contains_a_bounded_number_of_rate_limit_buckets(database: Database) -> None:
    clock = HandClock()
    limiter, other = SharedLimiter(clock, database), SharedLimiter(clock, database)
    few = Policy("few", 2)
    for number in range(BUCKETS_SETTLED_MAX + 5):
        drawn(limiter, 2, few, f"key {number}")
    for expected in (BUCKETS_SETTLED_MAX, BUCKETS_SETTLED_MAX + 5, BUCKETS_SETTLED_MAX + 5):
        await limiter.settle()
        async with database.read() as tx:
            assert (await tx.execute(text("SELECT count(*) FROM rate_buckets"))).scalar() == expected
    assert drawn(other, 1, few, "key 504") == 1
    await other.settle()
    assert drawn(other, 1, few, "key 504") == 0
