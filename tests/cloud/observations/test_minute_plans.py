"""Reading a range of time touches the days of arrival that have values in it, and searches them by an index."""

import re

import pytest
from sqlalchemy import text

from cloud.clinical.observations.minutes.batch_rows import minute_rows_of_batches
from cloud.clinical.observations.minutes.body import BodyEncoder, MinuteValue
from cloud.clinical.observations.minutes.merging_store import MergingStore
from cloud.clinical.observations.minutes.reading import MinuteSelection
from cloud.clinical.observations.minutes.rows import MinuteRow, lane_days_of, minute_rows
from cloud.clinical.observations.minutes.store import add_lane_days
from cloud.clinical.observations.tables import observation_minutes
from cloud.foundation.db import SHORT_WAIT, Database, DayPartitions
from tests.builders.ingest_gateway import NOW_US
from tests.builders.minute_rows import DAY_US
from tests.builders.received_batches import RECEIVED
from tests.harness.plans import PlanRecorder, analyze

DAYS = 8
SOURCES = range(1, 21)
MINUTES = 30
TODAY = NOW_US // DAY_US
MINUTE_US = 60_000_000
RUNS = 10
"""Runs of a statement on one connection. At the sixth one PostgreSQL makes a plan without the values of parameters."""


def rows_of_day(day: int) -> list[MinuteRow]:
    """Return rows of a day: each source is on a lane of its own and has one channel, with a value each minute."""
    encoder = BodyEncoder()
    rows: list[MinuteRow] = []
    for source in SOURCES:
        values = [
            MinuteValue(
                source, day * 1000 + minute, 0, source, source, at, 0, at, 97.0, None, None, 0, None, False, 0, None, at
            )
            for minute in range(MINUTES)
            for at in [day * DAY_US + minute * MINUTE_US]
        ]
        rows += minute_rows(values, encoder, TODAY)
    return rows


@pytest.fixture
async def filled(database: Database) -> Database:
    """Return a database with the minute rows of `DAYS` days."""
    partitions = DayPartitions(observation_minutes)
    for day in range(TODAY - DAYS + 1, TODAY + 1):
        if database.dialect == "postgresql":
            async with database.transaction() as tx:
                await partitions.add(tx, day)
        rows = rows_of_day(day)
        async with database.transaction() as tx:
            await tx.driver.append(observation_minutes, MinuteRow._fields, rows)
            await add_lane_days(tx, lane_days_of(rows))
    await analyze(database)
    return database


def touched(recorder: PlanRecorder) -> set[str]:
    """Return the tables of minute rows that the statements read: on PostgreSQL the partitions, whose names have a
    date. The name without a date is an alias there."""
    name = r"observation_minutes_\d{8}" if recorder.dialect == "postgresql" else r"observation_minutes"
    return {found for plan in recorder.plans for found in re.findall(name, plan.lines)}


def names_of(database: Database, *days: int) -> set[str]:
    if database.dialect == "sqlite":
        return {"observation_minutes"}
    return {DayPartitions(observation_minutes).name_of(day) for day in days}


async def test_readers_touch_only_the_days_of_their_time(filled: Database):
    minute_3, minute_5, minute_10 = (minute * MINUTE_US for minute in (3, 5, 10))
    async with filled.read() as tx:
        page_plans, count_plans, batch_plans = PlanRecorder(tx), PlanRecorder(tx), PlanRecorder(tx)
        page = await MinuteSelection(7, None).page(page_plans, (TODAY - 5) * DAY_US + minute_10)
        from_us = (TODAY - 3) * DAY_US + minute_5
        counted = await MinuteSelection(7, None).count(count_plans, from_us, from_us + minute_10, limit=1_000)
        first = (TODAY - 6) * 1000 + 3
        rows = await minute_rows_of_batches(batch_plans, 7, first, first + 1)
    assert touched(page_plans) == names_of(filled, TODAY - 5, TODAY - 4)
    assert {value.source_id for value in page.values} == {7}
    assert len(page.values) == MINUTES - 10 + 11
    assert page.complete_to_us == (TODAY - 4) * DAY_US + minute_10
    assert touched(count_plans) == names_of(filled, TODAY - 3)
    assert counted == minute_10 // MINUTE_US
    assert touched(batch_plans) == names_of(filled, TODAY - 6)
    assert [row.observed_from_us % DAY_US for row in rows] == [minute_3, minute_3 + MINUTE_US]
    plans = [plan for recorder in (page_plans, count_plans, batch_plans) for plan in recorder.plans]
    assert [plan.lines for plan in plans if any("minutes" in one for one in plan.read_whole())] == []


async def test_merge_reads_the_rows_of_one_day_by_their_key_without_sorting(filled: Database) -> None:
    store, day, limit = MergingStore(RECEIVED), TODAY - 3, 20
    async with filled.read() as tx:
        recorder = PlanRecorder(tx)
        last = await store.heads(recorder, day, None, limit)
        earlier = await store.heads(recorder, day, last[-1].key, limit)
        first = await store.first_heads(recorder, day, limit)
        keys = [head.key for head in last]
        rows = await store.rows(recorder, day, keys)
    assert touched(recorder) == names_of(filled, day)
    assert [plan.lines for plan in recorder.plans if plan.read_whole()] == []
    assert [plan.lines for plan in recorder.plans if "Sort" in plan.lines or "TEMP B-TREE" in plan.lines] == []
    assert keys == sorted(keys, reverse=True)
    assert earlier[0] == last[-1]
    assert keys[0] == (max(SOURCES), day * 1000 + MINUTES - 1, 0)
    assert first[0].key == (min(SOURCES), day * 1000, 0)
    assert set(rows) == set(keys)


@pytest.mark.parametrize("database_url", [pytest.param("postgresql", marks=pytest.mark.pg)], indirect=True)
async def test_readers_do_not_wait_for_another_day_that_is_written_again(filled: Database) -> None:
    source, from_us = MinuteSelection(7, None), (TODAY - 6) * DAY_US
    until_us, first = from_us + 10 * MINUTE_US, (TODAY - 6) * 1000
    async with filled.transaction() as rewriter:
        rewritten = DayPartitions(observation_minutes).name_of(TODAY - 3)
        await rewriter.execute(text(f"LOCK TABLE {rewritten} IN ACCESS EXCLUSIVE MODE"))
        for _ in range(RUNS):
            async with filled.read() as tx:
                await tx.execute(SHORT_WAIT)
                assert (await source.page(tx, from_us)).values
                assert await source.count(tx, from_us, until_us, limit=1_000) == 10
                assert await source.overlapping(tx, from_us, until_us, after=(0, 0, 0, 0), limit=10)
                assert await minute_rows_of_batches(tx, 7, first, first + 1)
