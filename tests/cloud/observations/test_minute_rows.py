"""Numerics move from single rows to rows of a channel and minute, and every reader sees the same values."""

from typing import Any

import pytest
from sqlalchemy import delete, update

from cloud.clinical.observations import reading
from cloud.clinical.observations.minutes import compaction as compacting
from cloud.clinical.observations.minutes import reading as minute_reading
from cloud.clinical.observations.minutes.compaction import CompactionInterrupted
from cloud.clinical.observations.minutes.rows import CompactionInexact, values_of
from cloud.clinical.observations.tables import lane_days, observation_minutes, observations
from cloud.foundation.db import Database, DatabaseDamaged
from cloud.foundation.housekeeping import Housekeeping
from cloud.vehicles.custody.tables import batches
from cloud.vehicles.verification.check import CustodyCheck
from cloud.vehicles.verification.lane_audit import LaneReport
from protocols.uplink.clock_events import CLOCK_ESTIMATED
from protocols.uplink.lanes import Lane
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, PLETH, SPO2, GatewayInVehicle, readings, section
from tests.builders.ingest_kinds import every_kind, one
from tests.builders.minute_rows import (
    AFTER_DAYS,
    CHANNELS,
    DAY_US,
    SECOND_US,
    come_from_release_before,
    compact,
    compaction,
    export,
    exported,
    seconds,
    upgrade,
)
from tests.builders.parts import chores
from tests.cloud.observations.test_clocks import assigned, counted, early, event, learnt

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""Mark of tests whose subject is the same code for both databases."""
LATER_US = NOW_US + (AFTER_DAYS + 1) * DAY_US


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle) -> CloudUnderTest:
    return await CloudUnderTest(database).register(gateway)


async def reports(cloud: CloudUnderTest) -> dict[str, LaneReport]:
    return {
        report.lane: report
        async for report in CustodyCheck(cloud.database, cloud.clock, OPERATOR, with_rows=True).reports()
    }


async def minute_values(cloud: CloudUnderTest) -> list[Any]:
    return [value for row in await cloud.rows(observation_minutes) for value in values_of(row)]


async def test_numerics_become_one_row_for_each_channel_and_minute(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(*seconds(gateway, 150))
    moved = await compact(cloud)
    rows = await cloud.rows(observation_minutes)
    assert sum(moved) == sum(row.value_count for row in rows) == 150 * len(CHANNELS)
    assert len(rows) == 3 * len(CHANNELS)
    assert {row.observed_to_us - row.observed_from_us for row in rows} == {59 * SECOND_US, 29 * SECOND_US}
    assert await cloud.rows(observations) == []


async def test_every_kind_of_observation_is_exported_alike_before_and_after_it_moves(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send_sections(every_kind()), gateway.send(97.0, -0.0, 1e-300))
    before = await exported(cloud)
    assert sum(await compact(cloud)) == len(before)
    assert await exported(cloud) == before
    assert await cloud.rows(observations) == []


async def test_readers_see_the_same_values_after_every_step(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
):
    """The limits are small, so a page ends in the middle of minutes, and a step in the middle of batches."""
    monkeypatch.setattr(compacting, "STEP_ROWS", 90)
    monkeypatch.setattr(minute_reading, "PAGE_ROWS", 2)
    await cloud.take(*seconds(gateway, 80))
    late = section([one(SPO2, 1.0, received_s=70.5), one(SPO2, 2.0, received_s=3.0)])
    await cloud.take(gateway.send_sections([late]))
    before = await exported(cloud)
    since = await exported(cloud, since_us=NOW_US + 61 * SECOND_US)
    await upgrade(cloud)
    job, moved, steps = compaction(), 1, 0
    while moved:
        async with cloud.database.transaction() as tx:
            moved = await job.step(tx, LATER_US)
        assert await exported(cloud) == before
        assert await exported(cloud, since_us=NOW_US + 61 * SECOND_US) == since
        steps += 1
    assert steps > 3
    assert await cloud.rows(observations) == []


@ON_SQLITE
async def test_page_that_was_read_before_a_move_is_continued_after_it(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reading, "PAGE_ROWS", 100)
    await cloud.take(*seconds(gateway, 130))
    before = await exported(cloud)
    walk = export(cloud)
    begun = [await anext(walk) for _ in range(150)]
    await compact(cloud)
    assert begun + [document async for document in walk] == before


@ON_SQLITE
async def test_step_leaves_the_last_minute_when_more_rows_follow(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(compacting, "STEP_ROWS", 90 * len(CHANNELS))
    await cloud.take(*seconds(gateway, 240))
    assert await compact(cloud) == [60 * len(CHANNELS)] * 4
    assert [row.value_count for row in await cloud.rows(observation_minutes)] == [60] * 4 * len(CHANNELS)


@ON_SQLITE
async def test_numerics_of_the_last_days_stay_single_rows(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(*seconds(gateway, 3))
    midnight_us = (NOW_US // DAY_US + 1 + AFTER_DAYS) * DAY_US
    assert await compact(cloud, now_us=midnight_us - 1) == []
    assert sum(await compact(cloud, now_us=midnight_us)) == 3 * len(CHANNELS)


@ON_SQLITE
async def test_waveforms_and_posted_observations_stay_single_rows(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    waves = section([one(PLETH, None, samples=bytes(range(20)))])
    await cloud.take(gateway.send_sections([waves], lane=Lane.WAVEFORM), gateway.send(97.0))
    assert sum(await compact(cloud)) == 1
    assert [row.samples for row in await cloud.rows(observations)] == [bytes(range(20))]


@ON_SQLITE
async def test_late_values_of_a_moved_minute_add_a_row(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(*seconds(gateway, 30))
    await compact(cloud)
    await cloud.take(*seconds(gateway, 30, first=30))
    await compact(cloud)
    rows = await cloud.rows(observation_minutes)
    assert [row.value_count for row in rows] == [30] * 2 * len(CHANNELS)
    assert len(await exported(cloud)) == 60 * len(CHANNELS)


@ON_SQLITE
async def test_device_whose_clock_stands_still_gives_rows_of_limited_size(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(compacting, "STEP_ROWS", 40)
    await cloud.take(*(gateway.send_sections([section([one(SPO2, float(n), received_s=5.0)])]) for n in range(100)))
    before = await exported(cloud)
    assert await compact(cloud) == [40, 40, 20]
    assert await exported(cloud) == before


async def test_values_of_two_days_of_arrival_are_in_two_rows(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(*seconds(gateway, 10))
    cloud.clock.at_us += DAY_US
    await cloud.take(*seconds(gateway, 10, first=10))
    assert sum(await compact(cloud, now_us=LATER_US + DAY_US)) == 20 * len(CHANNELS)
    days = [(row.day, row.observed_from_us) for row in await cloud.rows(lane_days)]
    today = NOW_US // DAY_US
    assert days == [(today, NOW_US), (today + 1, NOW_US + 10 * SECOND_US)]
    assert {row.day for row in await cloud.rows(observation_minutes)} == {today, today + 1}


@ON_SQLITE
async def test_value_without_its_batch_belongs_to_the_day_of_the_move_if_its_own_time_cannot_be_true(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send_sections([section(readings(97.0), wall_offset_us=0)]))
    async with cloud.database.transaction() as tx:
        await tx.execute(delete(batches))
    await compact(cloud)
    assert [row.day for row in await cloud.rows(observation_minutes)] == [LATER_US // DAY_US]
    assert [row["value"] for row in await exported(cloud)] == [97.0]


async def test_failed_step_changes_nothing_and_the_next_one_moves_the_rows(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
):
    await cloud.take(*seconds(gateway, 5))
    before = await exported(cloud)

    class Broken(Exception):
        pass

    async def fail(*_: object) -> None:
        raise Broken

    job = compaction()
    with monkeypatch.context() as broken:
        broken.setattr(compacting, "add_lane_days", fail)
        with pytest.raises(Broken):
            await compact(cloud, job)
    assert await cloud.rows(observation_minutes) == []
    assert len(await cloud.rows(observations)) == 5 * len(CHANNELS)
    await compact(cloud)
    assert await exported(cloud) == before


@ON_SQLITE
async def test_rows_that_would_not_return_the_same_values_are_not_stored(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
):
    await cloud.take(gateway.send(0.0))
    job = compaction()
    encode = job._encoder.encode

    def inexact(values: Any) -> bytes:
        return encode([value._replace(number=-0.0) for value in values])

    monkeypatch.setattr(job._encoder, "encode", inexact)
    with pytest.raises(CompactionInexact):
        await compact(cloud, job)
    assert len(await cloud.rows(observations)) == 1


async def test_row_that_another_transaction_adds_during_a_step_is_not_lost(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
):
    await cloud.take(gateway.send(1.0, 2.0, 3.0))
    job = compaction()
    first_rows = job._store.first_rows

    async def without_second(*given: Any, **options: Any) -> list[Any]:
        return [value for value in await first_rows(*given, **options) if value.position != 1]

    monkeypatch.setattr(job._store, "first_rows", without_second)
    with pytest.raises(CompactionInterrupted):
        await compact(cloud, job)
    assert [row.number for row in await cloud.rows(observations)] == [1.0, 2.0, 3.0]


async def test_custody_check_finds_no_difference_between_minute_rows_and_their_envelopes(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(*seconds(gateway, 90), gateway.send_sections(every_kind()), gateway.send_event())
    before = await reports(cloud)
    await compact(cloud)
    await cloud.take(*seconds(gateway, 3, first=90))
    after = await reports(cloud)
    assert {lane: report.findings for lane, report in after.items()} == {"numeric": [], "event": []}
    observed = before["numeric"].observations
    assert observed is not None
    assert after["numeric"].observations == observed + 3 * len(CHANNELS)


@ON_SQLITE
async def test_custody_check_finds_changed_minute_rows(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(*seconds(gateway, 2))
    await compact(cloud)
    changes: list[dict[str, Any]] = [{"channel_id": 999}, {"source_id": 999}, {"value_count": 3}, {"body": b"damaged"}]
    rows = await cloud.rows(observation_minutes)
    async with cloud.database.transaction() as tx:
        for row, change in zip(rows, changes, strict=True):
            at = observation_minutes.c.first_position == row.first_position
            await tx.execute(update(observation_minutes).where(at).values(**change))
    assert [(one.what, one.first) for one in (await reports(cloud))["numeric"].findings] == [
        ("2 rows are not what its envelope says", 1),
        ("2 rows are missing", 1),
        ("2 rows are not what its envelope says", 2),
        ("2 rows are missing", 2),
        ("a row of 3 values cannot be read", 1),
        ("a row of 2 values cannot be read", 1),
    ]


@ON_SQLITE
async def test_custody_check_finds_a_value_that_is_in_a_single_row_and_a_minute_row(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send(97.0))
    (single,) = await cloud.rows(observations)
    await compact(cloud)
    async with cloud.database.transaction() as tx:
        await tx.driver.append(observations, list(single._mapping), [tuple(single)])
    found = [(one.what, one.first) for one in (await reports(cloud))["numeric"].findings]
    assert found == [("1 rows are not in its envelope", 1)]


@ON_SQLITE
async def test_custody_check_finds_minute_rows_without_a_batch(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(*seconds(gateway, 3))
    await compact(cloud)
    async with cloud.database.transaction() as tx:
        await tx.execute(delete(batches).where(batches.c.sequence == 3))
    found = [(one.what, one.first) for one in (await reports(cloud))["numeric"].findings]
    assert ("there are rows and no batch that they came from", 3) in found


@ON_SQLITE
async def test_damaged_minute_row_is_an_error_of_the_export_and_not_a_gap(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send(97.0))
    await compact(cloud)
    async with cloud.database.transaction() as tx:
        await tx.execute(update(observation_minutes).values(body=b"damaged"))
    with pytest.raises(DatabaseDamaged, match="observation_minutes"):
        await exported(cloud)


@ON_SQLITE
async def test_worker_moves_numerics_as_housekeeping(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(*seconds(gateway, 3))
    await upgrade(cloud)
    cloud.clock.at_us = LATER_US
    chore = next(one for one in chores(cloud.database, cloud.clock) if one.name == "numerics_compaction")
    done = await Housekeeping(cloud.database, cloud.clock, [chore]).tidy()
    assert done["numerics_compaction"] >= 3 * len(CHANNELS)
    assert await cloud.rows(observations) == []


@ON_SQLITE
async def test_lanes_take_turns_so_that_one_backlog_does_not_delay_the_others(
    database: Database, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(compacting, "STEP_ROWS", 4)
    other = GatewayInVehicle(gateway="gw_other", key_seed=2)
    cloud = await CloudUnderTest(database).register(gateway, other)
    await cloud.take(*gateway.many(20), *other.many(4))
    await upgrade(cloud)
    job, lanes = compaction(), []
    for _ in range(5):
        async with cloud.database.transaction() as tx:
            await job.step(tx, LATER_US)
        lanes.append(job._lane_id)
    assert set(lanes[:2]) == {row.lane_id for row in await cloud.rows(lane_days)}


@ON_SQLITE
async def test_nothing_moves_in_the_first_days_after_an_upgrade_so_that_the_release_before_finds_all_values(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(*seconds(gateway, 3))
    upgraded = LATER_US // DAY_US
    await come_from_release_before(cloud.database)
    await upgrade(cloud, upgraded)
    assert await compact(cloud, now_us=(upgraded + AFTER_DAYS) * DAY_US - 1) == []
    assert sum(await compact(cloud, now_us=(upgraded + AFTER_DAYS) * DAY_US)) == 3 * len(CHANNELS)


@pytest.mark.parametrize("boundary_s", [7, 60])
async def test_count_of_an_encounter_is_the_same_before_and_after_a_move(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, boundary_s: int
):
    """The encounter begins and ends within minutes. Some values have corrected times, others certainly wrong ones."""
    await cloud.take(*seconds(gateway, 130))
    await cloud.take(
        gateway.send_sections([early(*map(float, range(90)))]),
        learnt(gateway),
        gateway.send_sections([early(1.0, 2.0, boot_id="boot-2", late_us=0)]),
        event(gateway, CLOCK_ESTIMATED, {}, "boot-2"),
        gateway.send_sections([early(3.0, 4.0, boot_id="boot-3", late_us=0)]),
    )
    from_us = NOW_US + boundary_s * SECOND_US
    open_ended = await assigned(cloud, from_us + 90 * SECOND_US)
    ended = await assigned(cloud, from_us, from_us + 65 * SECOND_US)
    before = [await counted(cloud, one) for one in (open_ended, ended)]
    rows = await exported(cloud)
    await compact(cloud)
    assert [await counted(cloud, one) for one in (open_ended, ended)] == before
    assert await exported(cloud) == rows
    assert before == [sum(row["encounter_id"] == one for row in rows) for one in (open_ended, ended)]
