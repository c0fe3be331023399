"""Minute rows of the same channel and minute become one row, and every reader sees the same values."""

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from structlog.testing import capture_logs

from cloud.clinical.observations.arrival_days import MINUTE_DAYS
from cloud.clinical.observations.minutes import merging as merging_module
from cloud.clinical.observations.minutes.compaction import CompactionInterrupted
from cloud.clinical.observations.minutes.merged_days import sparse_days
from cloud.clinical.observations.minutes.merging import MinuteMerging
from cloud.clinical.observations.minutes.merging_store import MergingStore
from cloud.clinical.observations.minutes.rewriting import DayRewriter
from cloud.clinical.observations.minutes.rows import CompactionInexact
from cloud.clinical.observations.minutes.store import DAY_LOCK, wait_to_rewrite
from cloud.clinical.observations.tables import lane_days, minute_rows_since, observation_minutes
from cloud.foundation.db import Database, insert, partitions
from cloud.foundation.objects import LocalObjects
from cloud.vehicles.verification.check import CustodyCheck
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle
from tests.builders.minute_rows import AFTER_DAYS, CHANNELS, DAY_US, compact, exported, merge, merging, seconds
from tests.harness.eventually import eventually

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""Mark of tests whose subject is the same code for both databases."""
ON_POSTGRESQL = pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.pg)], indirect=True
)
LATER_US = NOW_US + (AFTER_DAYS + 1) * DAY_US
FLUSHES, FLUSH_S = 10, 6


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle, store: LocalObjects) -> CloudUnderTest:
    """A cloud with a minute and a second of numerics, of which all but the first were written in ten groups."""
    made = await CloudUnderTest(database, objects=store, staged=True).register(gateway)
    async with database.transaction() as tx:
        await tx.execute(insert(minute_rows_since).values(day=0).on_conflict_do_nothing())
    await made.arrive(*seconds(gateway, 1))
    for number in range(FLUSHES):
        for one in seconds(gateway, FLUSH_S, first=1 + number * FLUSH_S):
            await made.arrive(one)
        await made.ingest.settle()
    return made


async def sizes(cloud: CloudUnderTest) -> dict[int, int]:
    """Return the number of minute rows by their number of values."""
    return dict(Counter(row.value_count for row in await cloud.rows(observation_minutes)))


async def findings(cloud: CloudUnderTest, store: LocalObjects) -> list[Any]:
    check = CustodyCheck(cloud.database, cloud.clock, OPERATOR, objects=store, with_rows=True)
    return [finding async for report in check.reports() for finding in report.findings]


async def test_rows_of_ten_groups_become_one_row_for_each_channel_and_minute(
    cloud: CloudUnderTest, store: LocalObjects
) -> None:
    before = await exported(cloud, objects=store)
    assert (await sizes(cloud))[FLUSH_S] >= (FLUSHES - 1) * len(CHANNELS)
    await compact(cloud)
    await merge(cloud)
    assert await sizes(cloud) == {60: len(CHANNELS), 1: len(CHANNELS)}
    assert await exported(cloud, objects=store) == before
    assert await findings(cloud, store) == []
    assert await merge(cloud) == [], "another process finds nothing to merge"


async def test_readers_see_the_same_values_after_every_step_of_new_processes(
    cloud: CloudUnderTest, store: LocalObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limits are small, so a page ends in the middle of minutes, and a step in the middle of a page."""
    monkeypatch.setattr(merging_module, "HEADS_AT_ONCE", 14)
    monkeypatch.setattr(merging_module, "STEP_VALUES", 30)
    await compact(cloud)
    before = await exported(cloud, objects=store)
    steps = 0
    job = merging()
    while True:
        async with cloud.database.transaction() as tx:
            handled = await job.step(tx, LATER_US)
        if not handled:
            break
        assert await exported(cloud, objects=store) == before
        steps += 1
        if steps == 2:
            job = merging()
    assert steps > 4
    assert await sizes(cloud) == {60: len(CHANNELS), 1: len(CHANNELS)}


@ON_SQLITE
async def test_days_are_merged_when_their_single_rows_have_moved(cloud: CloudUnderTest) -> None:
    midnight_us = (NOW_US // DAY_US + 1 + AFTER_DAYS) * DAY_US
    assert await merge(cloud, now_us=midnight_us) == [], "single rows are due"
    await compact(cloud, now_us=midnight_us)
    assert await merge(cloud, now_us=midnight_us - 1) == []
    assert sum(await merge(cloud, now_us=midnight_us)) > 0


@ON_SQLITE
async def test_new_process_continues_with_an_earlier_day(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: LocalObjects
) -> None:
    """The worker did not run on the day on which the first rows were due."""
    cloud.clock.at_us += DAY_US
    for number in range(2):
        for one in seconds(gateway, FLUSH_S, first=61 + number * FLUSH_S):
            await cloud.arrive(one)
        await cloud.ingest.settle()
    await compact(cloud, now_us=LATER_US + DAY_US)
    await merge(cloud, now_us=LATER_US + DAY_US)
    assert await sizes(cloud) == {60: len(CHANNELS), 1: len(CHANNELS), 2 * FLUSH_S: len(CHANNELS)}


@ON_SQLITE
async def test_row_has_a_limited_number_of_values(cloud: CloudUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging_module, "ROW_VALUES_MAX", 20)
    await compact(cloud)
    await merge(cloud)
    assert max(await sizes(cloud)) <= 20
    assert await merge(cloud) == []


@ON_SQLITE
async def test_rows_whose_batches_are_far_apart_stay_separate(
    cloud: CloudUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging_module, "SPAN_SEQUENCES_MAX", 15)
    await compact(cloud)
    await merge(cloud)
    merged = [row for row in await cloud.rows(observation_minutes) if row.value_count > FLUSH_S]
    assert len(merged) > 2 * len(CHANNELS)
    assert all(row.last_sequence - row.first_sequence <= 15 for row in merged)
    assert await merge(cloud) == []


@ON_SQLITE
async def test_rows_that_would_not_return_the_same_values_stay(
    cloud: CloudUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    await compact(cloud)
    before = await cloud.rows(observation_minutes)
    job = merging()
    encode = job._encoder.encode
    monkeypatch.setattr(job._encoder, "encode", lambda values: encode([one._replace(number=1.0) for one in values]))
    with pytest.raises(CompactionInexact):
        await merge(cloud, job)
    assert await cloud.rows(observation_minutes) == before


@ON_SQLITE
async def test_row_that_is_deleted_during_a_step_ends_it_without_a_change(
    cloud: CloudUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    await compact(cloud)
    before = await cloud.rows(observation_minutes)
    rows = MergingStore.rows

    async def without_first(*given: Any) -> Any:
        found = await rows(*given)
        del found[min(found)]
        return found

    with monkeypatch.context() as patched:
        patched.setattr(MergingStore, "rows", without_first)
        with pytest.raises(CompactionInterrupted):
            await merge(cloud)
    assert await cloud.rows(observation_minutes) == before
    assert sum(await merge(cloud)) > 0


@ON_SQLITE
async def test_unreadable_row_is_left_with_those_of_its_minute(cloud: CloudUnderTest, store: LocalObjects) -> None:
    await compact(cloud)
    damaged = (await cloud.rows(observation_minutes))[0]
    here = observation_minutes.c
    async with cloud.database.transaction() as tx:
        key = (here.first_sequence == damaged.first_sequence, here.first_position == damaged.first_position)
        await tx.execute(update(observation_minutes).where(*key).values(body=b"damaged"))
    await merge(cloud)
    assert (await sizes(cloud))[60] == len(CHANNELS) - 1
    assert any("cannot be read" in one.what for one in await findings(cloud, store))


@ON_SQLITE
async def test_rows_of_a_tenant_with_an_erasure_at_work_are_merged_a_day_later(
    cloud: CloudUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    await compact(cloud)
    job = merging()

    async def erasing(_store: MergingStore, _tx: object, lane_ids: set[int]) -> frozenset[int]:
        return frozenset(lane_ids)

    with monkeypatch.context() as patched:
        patched.setattr(MergingStore, "erasing_lanes", erasing)
        assert await merge(cloud, job) == []
    assert await merge(cloud, job) == []
    await merge(cloud, job, now_us=LATER_US + DAY_US)
    assert await sizes(cloud) == {60: len(CHANNELS), 1: len(CHANNELS)}


@ON_POSTGRESQL
async def test_nothing_is_merged_during_a_step_of_an_erasure(cloud: CloudUnderTest) -> None:
    await compact(cloud)
    job = merging()
    async with cloud.database.transaction() as erasure:
        await wait_to_rewrite(erasure)
        assert await merge(cloud, job) == []
    assert sum(await merge(cloud, job)) > 0


class CommitFailure(Exception):
    """The commit of a step is lost."""


async def lose_step(cloud: CloudUnderTest, job: MinuteMerging) -> int:
    """Run a step whose transaction fails at its end; return what the step returned."""
    handled = 0
    with suppress(CommitFailure):
        async with cloud.database.transaction() as tx:
            handled = await job.step(tx, LATER_US)
            raise CommitFailure
    return handled


async def test_step_whose_transaction_fails_is_done_by_the_next_one(
    cloud: CloudUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every step fails once: the rows stay as they were, and so does the walk."""
    monkeypatch.setattr(merging_module, "HEADS_AT_ONCE", 14)
    await compact(cloud)
    job = merging()
    handled = lost = 1
    while handled or lost:
        before = await cloud.rows(observation_minutes)
        lost = await lose_step(cloud, job)
        assert await cloud.rows(observation_minutes) == before
        async with cloud.database.transaction() as tx:
            handled = await job.step(tx, LATER_US)
    assert await sizes(cloud) == {60: len(CHANNELS), 1: len(CHANNELS)}
    async with cloud.database.read() as tx:
        assert cloud.database.dialect == "sqlite" or len(await sparse_days(tx)) == 1


@ON_SQLITE
async def test_minutes_behind_unreadable_rows_are_merged(
    cloud: CloudUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unreadable ones are the first of the walk, and have all the values of a step."""
    monkeypatch.setattr(merging_module, "STEP_VALUES", 1)
    await compact(cloud)
    whole = [row for row in await cloud.rows(observation_minutes) if row.value_count == FLUSH_S]
    damaged = max(whole, key=lambda row: (row.first_sequence, row.first_position))
    here = observation_minutes.c
    async with cloud.database.transaction() as tx:
        key = (here.first_sequence == damaged.first_sequence, here.first_position == damaged.first_position)
        await tx.execute(update(observation_minutes).where(*key).values(body=b"damaged"))
    await merge(cloud)
    assert (await sizes(cloud))[60] == len(CHANNELS) - 1


async def partition_file(cloud: CloudUnderTest) -> int:
    """Return the number of the file of the day's partition: another one after it was written again."""
    name = MINUTE_DAYS.name_of(NOW_US // DAY_US)
    async with cloud.database.read() as tx:
        return int((await tx.execute(text(f"SELECT pg_relation_filenode('{name}')"))).scalar())


async def unwritten_days(cloud: CloudUnderTest) -> list[int]:
    async with cloud.database.read() as tx:
        return [*await sparse_days(tx)]


@ON_POSTGRESQL
async def test_partition_of_a_merged_day_is_written_again_with_the_same_rows(
    cloud: CloudUnderTest, store: LocalObjects
) -> None:
    before = await exported(cloud, objects=store)
    await compact(cloud)
    await merge(cloud)
    assert await unwritten_days(cloud) == [NOW_US // DAY_US]
    rows, file = await cloud.rows(observation_minutes), await partition_file(cloud)
    await DayRewriter(cloud.database).turn()
    assert await unwritten_days(cloud) == []
    written = await partition_file(cloud)
    assert written != file
    assert await cloud.rows(observation_minutes) == rows
    assert await exported(cloud, objects=store) == before
    assert await findings(cloud, store) == []
    await merge(cloud)
    await DayRewriter(cloud.database).turn()
    assert await partition_file(cloud) == written, "nothing was merged since"


@ON_POSTGRESQL
async def test_day_of_a_worker_that_ended_is_written_again_when_another_one_has_merged_the_rest(
    cloud: CloudUnderTest,
) -> None:
    """The first worker ends after the last rows were merged, and before it found that none are left."""
    await compact(cloud)
    file = await partition_file(cloud)
    async with cloud.database.transaction() as tx:
        assert await merging().step(tx, LATER_US) > 0
    await DayRewriter(cloud.database).turn()
    assert await partition_file(cloud) == file, "more rows of the day may be merged"
    await merge(cloud, now_us=LATER_US + DAY_US)
    await DayRewriter(cloud.database).turn()
    assert await partition_file(cloud) != file


@ON_POSTGRESQL
async def test_only_one_worker_at_a_time_writes_days_again(cloud: CloudUnderTest) -> None:
    await compact(cloud)
    await merge(cloud)
    async with cloud.database.transaction() as other:
        await other.execute(select(func.pg_advisory_xact_lock(DAY_LOCK)))
        with capture_logs() as logs:
            await DayRewriter(cloud.database).turn()
        assert logs == []
        assert len(await unwritten_days(cloud)) == 1
    await DayRewriter(cloud.database).turn()
    assert await unwritten_days(cloud) == []


@ON_POSTGRESQL
async def test_partition_that_a_reader_uses_is_written_again_later(
    cloud: CloudUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    await compact(cloud)
    await merge(cloud)
    rewriter = DayRewriter(cloud.database)
    rows = await cloud.rows(observation_minutes)
    async with cloud.database.read() as reader:
        await reader.execute(select(observation_minutes.c.day).limit(1))
        with monkeypatch.context() as patched:
            patched.setattr(partitions, "LOCK_S", 0.01)
            await rewriter.turn()
        assert len(await unwritten_days(cloud)) == 1
        assert len(await reader.execute(select(observation_minutes))) == len(rows)
    await rewriter.turn()
    assert await unwritten_days(cloud) == []
    assert await cloud.rows(observation_minutes) == rows


@ON_POSTGRESQL
async def test_reader_that_began_before_a_partition_was_written_again_sees_its_rows(cloud: CloudUnderTest) -> None:
    """An export reads the days that have rows first, and the rows of a day later, with the same snapshot."""
    await compact(cloud)
    await merge(cloud)
    rows = await cloud.rows(observation_minutes)
    async with cloud.database.read() as reader:
        await reader.execute(select(lane_days.c.day).limit(1))
        await DayRewriter(cloud.database).turn()
        assert await unwritten_days(cloud) == []
        assert len(await reader.execute(select(observation_minutes))) == len(rows)


@ON_POSTGRESQL
async def test_partition_that_is_dropped_before_it_is_written_again_ends_no_loop(
    cloud: CloudUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "LOCK_S", 60)
    await compact(cloud)
    await merge(cloud)
    async with cloud.database.transaction() as retention:
        await MINUTE_DAYS.drop(retention, NOW_US // DAY_US)
        turn = asyncio.ensure_future(DayRewriter(cloud.database).turn())
        await eventually(lambda: is_awaited(cloud), what="the drop is waited for")
    with capture_logs() as logs:
        await turn
    assert logs == []
    assert await unwritten_days(cloud) == []


async def is_awaited(cloud: CloudUnderTest) -> bool:
    """Return whether a transaction waits for the lock of a table."""
    async with cloud.database.read() as tx:
        waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'")
        return bool((await tx.execute(waits)).scalar())
