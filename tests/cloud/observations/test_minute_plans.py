"""Reading a range of time touches the days of arrival that have values in it, and searches them by an index."""

import re

import pytest

from cloud.clinical.observations.minutes.batch_rows import minute_rows_of_batches
from cloud.clinical.observations.minutes.body import BodyEncoder, MinuteValue
from cloud.clinical.observations.minutes.reading import MinuteSelection
from cloud.clinical.observations.minutes.rows import MinuteRow, lane_days_of, minute_rows
from cloud.clinical.observations.minutes.store import MinuteStore
from cloud.clinical.observations.tables import observation_minutes
from cloud.foundation.db import Database, DayPartitions
from tests.builders.ingest_gateway import NOW_US
from tests.builders.minute_rows import DAY_US
from tests.builders.received_batches import RECEIVED
from tests.harness.plans import PlanRecorder, analyze

DAYS = 12
SOURCES = range(1, 21)
MINUTES = 30
TODAY = NOW_US // DAY_US
MINUTE_US = 60_000_000


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
    store, partitions = MinuteStore(RECEIVED), DayPartitions(observation_minutes)
    for day in range(TODAY - DAYS + 1, TODAY + 1):
        if database.dialect == "postgresql":
            async with database.transaction() as tx:
                await partitions.add(tx, day)
        rows = rows_of_day(day)
        async with database.transaction() as tx:
            await tx.driver.append(observation_minutes, MinuteRow._fields, rows)
            await store.add_lane_days(tx, lane_days_of(rows))
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


async def test_page_of_a_source_touches_only_the_days_of_its_time(filled: Database):
    async with filled.read() as tx:
        recorder = PlanRecorder(tx)
        page = await MinuteSelection(7, None).page(recorder, (TODAY - 5) * DAY_US + 10 * MINUTE_US)
    assert touched(recorder) == names_of(filled, TODAY - 5, TODAY - 4)
    assert [plan.lines for plan in recorder.plans if any("minutes" in one for one in plan.read_whole())] == []
    assert {value.source_id for value in page.values} == {7}
    assert len(page.values) == MINUTES - 10 + 11
    assert page.complete_to_us == (TODAY - 4) * DAY_US + 10 * MINUTE_US


async def test_count_of_a_source_touches_only_the_days_of_its_time(filled: Database):
    from_us = (TODAY - 3) * DAY_US + 5 * MINUTE_US
    async with filled.read() as tx:
        recorder = PlanRecorder(tx)
        counted = await MinuteSelection(7, None).count(recorder, from_us, from_us + 10 * MINUTE_US, limit=1_000)
    assert counted == 10
    assert touched(recorder) == names_of(filled, TODAY - 3)


async def test_rows_of_a_batch_are_found_in_its_day_by_the_primary_key(filled: Database):
    day = TODAY - 8
    async with filled.read() as tx:
        recorder = PlanRecorder(tx)
        rows = await minute_rows_of_batches(recorder, 7, day * 1000 + 3, day * 1000 + 4)
    assert [row.first_sequence for row in rows] == [day * 1000 + 3, day * 1000 + 4]
    assert touched(recorder) == names_of(filled, day)
    steps = [step for plan in recorder.plans for step in plan.steps if "minutes" in step.table]
    assert all("first_sequence" in (step.condition or "") for step in steps), recorder.plans
