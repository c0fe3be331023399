"""The sums of the indicators follow the records, and equal a slow computation from the records."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import cast

import pytest
from sqlalchemy import delete, func, select, update
from structlog.testing import capture_logs

from cloud.clinical.acqi import scoring
from cloud.clinical.acqi.errors import RangeInvalid
from cloud.clinical.acqi.indicators import INDICATORS
from cloud.clinical.acqi.marking import mark_next
from cloud.clinical.acqi.model import DAY_US, Metric, Sums
from cloud.clinical.acqi.scoring import Scoring
from cloud.clinical.acqi.service import DAYS_MAX, POINTS_MAX, Acqi
from cloud.clinical.acqi.store import BY_DAY
from cloud.clinical.acqi.summing import sum_next
from cloud.clinical.acqi.tables import acqi_days, acqi_encounters, acqi_tenant_days
from cloud.clinical.epcr import Encounter, Encounters
from cloud.foundation.db import Database, Transaction
from cloud.foundation.viewer import SecrecyLevel, Viewer
from protocols.epcr.change import FieldChange
from tests.builders.acqi_reference import reference_sums
from tests.builders.acqi_world import ARREST, RecordKeeper, random_change, score_all
from tests.builders.care_changes import change
from tests.builders.cloud_people import NOON_US, HandClock, Household, household

EVERYTHING = Viewer("tnt_north", None, SecrecyLevel.TOP_SECRET)
MIDNIGHT_US = NOON_US - DAY_US // 2
HOUR_US = DAY_US // 24


async def encounter_at(
    database: Database, home: Household, name: str, at_us: int, level: SecrecyLevel = SecrecyLevel.STANDARD
) -> Encounter:
    encounter = replace(home.encounter, id=f"enc_{name}", created_at_us=at_us, secrecy_level=level)
    async with database.transaction() as tx:
        assert await Encounters().add(tx, encounter)
    return encounter


def sums_of(metrics: list[Metric] | tuple[Metric, ...], name: str = "rosc_survival") -> tuple[int, int]:
    (one,) = [each for each in metrics if each.indicator.name == name]
    return one.sums.numerator, one.sums.denominator


async def measured(database: Database, viewer: Viewer = EVERYTHING, *, days: int = 1) -> list[Metric]:
    return list(await Acqi(database).metrics(viewer, MIDNIGHT_US, MIDNIGHT_US + days * DAY_US))


@pytest.mark.contract("C-129", "A-093")
async def test_sums_equal_the_slow_computation_after_random_changes(database: Database) -> None:
    home, random = await household(database, HandClock()), Random(4711)
    keeper, number = RecordKeeper(database), 0
    found = [await encounter_at(database, home, f"r{n}", MIDNIGHT_US + random.randrange(4 * DAY_US)) for n in range(12)]
    earlier: dict[str, list[FieldChange]] = {one.id: [] for one in found}
    counted: set[str] = set()
    for _ in range(4):
        for one in random.sample(found, 8):
            batch = []
            for _ in range(16):
                number += 1
                made = random_change(random, one.id, number, earlier[one.id])
                earlier[one.id] += [made] if "." in made.key else []
                batch.append(made)
            await keeper.store(one, *batch)
        await score_all(database)
        begin_us = MIDNIGHT_US + random.randrange(2 * DAY_US)
        for viewer, from_us, until_us in (
            (EVERYTHING, MIDNIGHT_US, MIDNIGHT_US + 4 * DAY_US),
            (Viewer("tnt_north", "org_north"), MIDNIGHT_US, MIDNIGHT_US + 4 * DAY_US),
            (EVERYTHING, begin_us, begin_us + DAY_US + HOUR_US),
        ):
            metrics = await Acqi(database).metrics(viewer, from_us, until_us)
            async with database.read() as tx:
                expected = await reference_sums(tx, viewer, from_us, until_us)
            assert {one.indicator.name: (one.sums.numerator, one.sums.denominator) for one in metrics} == expected
            counted |= {name for name, (_, denominator) in expected.items() if denominator}
            for metric in metrics:
                points = [point.sums for point in metric.trend]
                assert sum(one.numerator for one in points) == metric.sums.numerator
                assert sum(one.denominator for one in points) == metric.sums.denominator
    assert len(counted) >= 6, "the story counts too little"


async def test_amended_record_corrects_the_sums(database: Database) -> None:
    home, keeper = await household(database, HandClock()), RecordKeeper(database)
    one = await encounter_at(database, home, "one", NOON_US)
    await keeper.state(one, ARREST)
    await score_all(database)
    assert sums_of(await measured(database)) == (1, 1)
    await keeper.state(one, {"arrest.rosc": "3012001"}, prefix="again-")  # another value beside the first
    await keeper.state(one, {"arrest.present": "3001001"}, prefix="again-")
    await score_all(database)
    assert sums_of(await measured(database)) == (0, 0)


async def test_change_with_the_id_of_an_earlier_change_of_another_element_is_not_counted(database: Database) -> None:
    home, keeper = await household(database, HandClock()), RecordKeeper(database)
    one = await encounter_at(database, home, "one", NOON_US)
    first, again = (
        change(key, value, id="change-1", encounter=one.id)
        for key, value in (("patient.city", "Gdynia"), ("arrest.present", "3001003"))
    )
    await keeper.store(one, first)
    await keeper.state(one, {**ARREST, "arrest.present": "3001001"})
    await keeper.store(one, again)
    await score_all(database)
    assert sums_of(await measured(database)) == (0, 0)
    await keeper.state(one, {"arrest.present": "3001003"}, prefix="again-")
    await score_all(database)
    assert sums_of(await measured(database)) == (1, 1)


async def test_record_that_arrives_before_its_encounter_is_counted(database: Database) -> None:
    home, keeper = await household(database, HandClock()), RecordKeeper(database)
    late = replace(home.encounter, id="enc_late", created_at_us=NOON_US)
    await keeper.state(late, ARREST)
    await score_all(database)
    assert sums_of(await measured(database)) == (0, 0)
    await encounter_at(database, home, "late", NOON_US)
    await score_all(database)
    assert sums_of(await measured(database)) == (1, 1)


class Meanwhile:
    """A database on which `work` runs before each transaction that writes."""

    def __init__(self, database: Database, work: Callable[[], Awaitable[object]]) -> None:
        self.read = database.read
        self._database = database
        self._work = work

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        await self._work()
        async with self._database.transaction() as tx:
            yield tx


async def score_while(database: Database, work: Callable[[], Awaitable[object]]) -> int:
    """Score one chunk while `work` runs between its reading and its writing."""
    return await Scoring().score_next(cast(Database, Meanwhile(database, work)))


async def test_record_that_changes_while_it_is_scored_is_scored_again(database: Database) -> None:
    home, keeper = await household(database, HandClock()), RecordKeeper(database)
    one = await encounter_at(database, home, "one", NOON_US)
    await keeper.state(one, ARREST)
    marks = await score_while(database, lambda: keeper.state(one, {"arrest.present": "3001001"}, prefix="again-"))
    assert marks == 1  # of the encounter of the household
    assert sums_of(await measured(database)) == (0, 0)
    await score_all(database)
    assert sums_of(await measured(database)) == (0, 0)


async def test_encounter_that_is_erased_while_it_is_scored_is_not_counted(database: Database) -> None:
    home, keeper = await household(database, HandClock()), RecordKeeper(database)
    one = await encounter_at(database, home, "one", NOON_US)
    await keeper.state(one, ARREST)

    async def erase() -> None:
        async with database.transaction() as tx:
            await Encounters().erase(tx, one)
            await Scoring().forget(tx, one.tenant_id, one.id)

    await score_while(database, erase)
    await score_all(database)
    assert sums_of(await measured(database)) == (0, 0)


async def test_marks_that_another_process_handles_are_left_to_it(database: Database) -> None:
    home, keeper = await household(database, HandClock()), RecordKeeper(database)
    await keeper.state(await encounter_at(database, home, "one", NOON_US), ARREST)
    assert await score_while(database, lambda: score_all(database)) == 0
    assert sums_of(await measured(database)) == (1, 1)


async def test_chunk_ends_after_a_number_of_changes(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "CHUNK_CHANGES", len(ARREST))
    home, keeper = await household(database, HandClock()), RecordKeeper(database)
    await score_all(database)
    for name in "abc":
        await keeper.state(await encounter_at(database, home, name, NOON_US), ARREST)
    counted = []
    while await Scoring().score_next(database):
        counted.append(sums_of(await measured(database))[1])
    assert counted == [1, 2, 3]


async def test_record_above_the_limit_is_left_out_and_logged(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "CHANGES_MAX", len(ARREST))
    home, keeper = await household(database, HandClock()), RecordKeeper(database)
    long = await encounter_at(database, home, "long", NOON_US)
    await keeper.state(long, {**ARREST, "vitals.spo2": "97"})
    await keeper.state(await encounter_at(database, home, "usual", NOON_US), ARREST)
    with capture_logs() as lines:
        await score_all(database)
    assert sums_of(await measured(database)) == (1, 1)
    assert lines == [
        {
            "event": "acqi.record_not_scored",
            "log_level": "warning",
            "encounter": "enc_long",
            "code": "care_record_too_large",
        }
    ]


async def test_erased_encounter_leaves_scores_and_sums(database: Database) -> None:
    home, keeper = await household(database, HandClock()), RecordKeeper(database)
    one = await encounter_at(database, home, "one", NOON_US)
    await keeper.state(one, ARREST)
    await score_all(database)
    async with database.transaction() as tx:
        await Encounters().erase(tx, one)
        await Scoring().forget(tx, one.tenant_id, one.id)
    assert sums_of(await measured(database)) == (0, 0)
    async with database.read() as tx:
        assert (await tx.execute(select(func.count()).select_from(acqi_encounters))).scalar() == 0


@pytest.mark.contract("C-102", "S-069")
async def test_sums_count_only_what_the_viewer_may_see(database: Database) -> None:
    home, keeper = await household(database, HandClock()), RecordKeeper(database)
    await household(database, HandClock(), name="south")
    for name, level in (("open", SecrecyLevel.STANDARD), ("secret", SecrecyLevel.SECRET)):
        one = await encounter_at(database, home, name, NOON_US, level)
        await keeper.state(one, ARREST)
    await score_all(database)
    whole, part = (MIDNIGHT_US, MIDNIGHT_US + DAY_US), (NOON_US, NOON_US + HOUR_US)
    for viewer, counted in (
        (EVERYTHING, 2),
        (Viewer("tnt_north", "org_north"), 1),
        (Viewer("tnt_north", "org_elsewhere", SecrecyLevel.TOP_SECRET), 0),
        (Viewer("tnt_south", None, SecrecyLevel.TOP_SECRET), 0),
    ):
        for begin_us, end_us in (whole, part):
            metrics = list(await Acqi(database).metrics(viewer, begin_us, end_us))
            assert sums_of(metrics) == (counted, counted)


@pytest.mark.contract("A-093")
async def test_range_is_half_open_and_begins_at_any_instant(database: Database) -> None:
    home, keeper = await household(database, HandClock()), RecordKeeper(database)
    for name, at_us in (("a", MIDNIGHT_US), ("b", NOON_US), ("c", MIDNIGHT_US + DAY_US), ("d", NOON_US + 2 * DAY_US)):
        await keeper.state(await encounter_at(database, home, name, at_us), ARREST)
    await score_all(database)

    async def count(from_us: int, until_us: int) -> int:
        return sums_of(list(await Acqi(database).metrics(EVERYTHING, from_us, until_us)))[1]

    assert await count(MIDNIGHT_US, MIDNIGHT_US + DAY_US) == 2
    assert await count(MIDNIGHT_US + 1, MIDNIGHT_US + DAY_US + 1) == 2
    assert await count(NOON_US, NOON_US + 1) == 1
    assert await count(NOON_US + 1, NOON_US + 2 * DAY_US) == 1
    assert await count(MIDNIGHT_US, NOON_US + 2 * DAY_US + 1) == 4
    for from_us, until_us in ((NOON_US, NOON_US), (NOON_US, NOON_US - 1), (0, DAYS_MAX * DAY_US + 1)):
        with pytest.raises(RangeInvalid):
            await count(from_us, until_us)


@pytest.mark.parametrize(
    ("of_organization", "expected"),
    [
        (False, "acqi_tenant_days USING INDEX sqlite_autoindex_acqi_tenant_days_1 (tenant_id=?"),
        (True, "acqi_days USING COVERING INDEX ix_acqi_days_by_organization (tenant_id=? AND organization_id=?"),
    ],
    ids=["tenant", "organisation"],
)
async def test_sums_of_an_indicator_are_read_without_sorting(
    migrated_sqlite: Path, of_organization: bool, expected: str
) -> None:
    ready = BY_DAY[of_organization].on("sqlite")
    with closing(sqlite3.connect(migrated_sqlite)) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {ready.text}", [""] * len(ready.names)).fetchall()
    assert [row[3] for row in plan] == [f"SEARCH {expected} AND indicator=? AND day>? AND day<?)"]


@pytest.mark.contract("C-133", "A-093")
async def test_trend_has_at_most_92_points_for_every_range(database: Database) -> None:
    for days in (1, 92, 93, 366):
        for offset_us in (0, 1):
            if days == DAYS_MAX and offset_us:
                continue
            begin_us = MIDNIGHT_US + offset_us
            (first, *_) = await Acqi(database).metrics(EVERYTHING, begin_us, begin_us + days * DAY_US)
            assert days / 4 - 1 <= len(first.trend) <= POINTS_MAX
            assert first.trend[0].at_us == begin_us
            assert [point.sums for point in first.trend] == [Sums()] * len(first.trend)
            assert first.sums.value is None
    assert [one.indicator for one in await measured(database)] == list(INDICATORS)


async def test_step_after_an_upgrade_scores_all_encounters_again(database: Database) -> None:
    home, keeper = await household(database, HandClock()), RecordKeeper(database)
    for name in "abc":
        await keeper.state(await encounter_at(database, home, name, NOON_US), ARREST)
    await score_all(database)
    async with database.transaction() as tx:
        for table in (acqi_encounters, acqi_days, acqi_tenant_days):
            await tx.execute(delete(table))
    position, ended, rows = "", False, 0
    while not ended:
        async with database.transaction() as tx:
            chunk = await mark_next(tx, position, 2)
        position, ended, rows = chunk.position, chunk.ended, rows + chunk.rows
    assert rows == 4  # with the encounter of the household
    await score_all(database)
    assert sums_of(await measured(database)) == (3, 3)


async def test_step_computes_the_sums_of_tenants_from_those_of_organisations(database: Database) -> None:
    home, keeper = await household(database, HandClock()), RecordKeeper(database)
    for number, name in enumerate("abc"):
        await keeper.state(await encounter_at(database, home, name, NOON_US + number * DAY_US), ARREST)
    await score_all(database)
    expected = await measured(database, days=3)
    assert sums_of(expected) == (3, 3)
    async with database.transaction() as tx:
        await tx.execute(delete(acqi_tenant_days).where(acqi_tenant_days.c.day == NOON_US // DAY_US))
        await tx.execute(update(acqi_tenant_days).values(numerator=7))
    position, ended, rows = "", False, 0
    while not ended:
        async with database.transaction() as tx:
            chunk = await sum_next(tx, position, 2)
        position, ended, rows = chunk.position, chunk.ended, rows + chunk.rows
    assert rows > 3
    assert await measured(database, days=3) == expected
