"""A small fleet drives for a hundred days: the disk use stops growing, holds survive, erased encounters verify as
erased, and custody verifies."""

import asyncio
import os
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain, pairwise
from pathlib import Path

import pytest
from sqlalchemy import select, text

from cloud.access.tenancy import Tenancy
from cloud.clinical.observations import observation_minutes, observations
from cloud.clinical.observations.arrival_days import MINUTE_DAYS, OBSERVATION_DAYS, dividing_step
from cloud.clinical.observations.minutes.merged_days import sparse_days
from cloud.clinical.observations.tables import minute_rows_since
from cloud.clinical.waveforms import WAVEFORMS, OrphanSweeper, waveform_objects, waveform_runs
from cloud.foundation.db import Database, DayPartitions, insert
from cloud.foundation.retention import DAY_US, HoldScope
from cloud.foundation.steps import StepRunner
from cloud.vehicles.custody.tables import batches, removed_ranges
from cloud.vehicles.fleet import Fleet
from cloud.vehicles.ingest.tables import gateway_events
from protocols.uplink.envelope import Envelope
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle
from tests.builders.minute_rows import AFTER_DAYS, CHANNELS, SECOND_US, seconds
from tests.builders.packed_world import PackedWorld
from tests.builders.retention_world import day_of
from tests.builders.waveforms import block, waves

DAYS = 100
TABLES = (observations, observation_minutes, batches, waveform_runs, waveform_objects, gateway_events)
IS_SOAK = os.environ.get("ARGUS_SOAK") == "1"
ON_POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.pg)
# A hundred days of PostgreSQL take as long as all other tests of retention, so only `make soak` runs them.
DATABASES = ["sqlite", *([ON_POSTGRESQL] if IS_SOAK else [])]
HOUR_US = 3_600_000_000
HELD_DAYS = 1
"""Days on which the vehicle with the held gateway drives. The objects of these days stay whole."""
ERASED_ON = {1: 4, 40: 53}
"""Days with an encounter, and the day on which it is erased. The rest of the first day expires. The numerics of the
second are in minute rows by then, and their batches in packed objects."""
SETTLED_DAY = 93
"""A day on which as much is deleted as arrives."""


async def register_elsewhere(world: PackedWorld, gateway: GatewayInVehicle) -> None:
    """Register a gateway in a vehicle of its own."""
    await Tenancy(world.database, world.cloud.clock, world.cloud.ids).add_vehicle(
        OPERATOR, ORGANIZATION, "Synthetic 2", id="veh_held"
    )
    await Fleet(world.database, world.cloud.clock, world.cloud.ids).register(
        OPERATOR,
        organization_id=ORGANIZATION,
        vehicle_id="veh_held",
        public_key=b64encode(gateway.public_key).decode(),
        id=gateway.gateway,
    )


async def content_bytes(database: Database) -> int:
    """Return the bytes of all rows and index entries of a SQLite file, without the free room in its pages. On
    PostgreSQL, the size of our tables with their indexes after dead rows were freed. The system's catalog is left out:
    VACUUM FULL leaves dead rows in it, which autovacuum removes, and the server of the tests has none."""
    counting = "sum(payload) FROM dbstat"
    if database.dialect == "postgresql":
        await database.run_alone("VACUUM FULL")
        counting = (
            "sum(pg_total_relation_size(oid)) FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = to_regnamespace(CAST(current_schema() AS text))"
        )
    async with database.read() as tx:
        return int((await tx.execute(text(f"SELECT {counting}"))).scalar())


async def disk_bytes(database: Database) -> int:
    """Return the bytes that the database occupies on the disk, with the free room in its pages and, on PostgreSQL, with
    the system's catalog. Autovacuum is off in the tests, so VACUUM does here what it does in an installation: it leaves
    the room of dead rows to new ones."""
    if database.dialect == "postgresql":
        await database.run_alone("VACUUM")
    counting = "pg_database_size(current_database())"
    if database.dialect == "sqlite":
        counting = "page_count * page_size FROM pragma_page_count, pragma_page_size"
    async with database.read() as tx:
        return int((await tx.execute(text(f"SELECT {counting}"))).scalar())


def growth(sizes: Mapping[int, int], first: int, last: int) -> float:
    """Return the bytes that a day adds to what is stored, on the average of the days from `first` to `last`."""
    return (sizes[last] - sizes[first]) / (last - first)


async def partitions(database: Database, days: DayPartitions) -> int:
    """Return the number of days of which PostgreSQL has a partition."""
    async with database.read() as tx:
        return len(await days.days(tx))


@pytest.mark.parametrize("database_url", DATABASES, indirect=True)
@pytest.mark.finding("reliability-F")
async def test_disk_use_of_a_small_fleet_is_flat_after_ninety_days(database: Database, tmp_path: Path) -> None:
    fleet = [GatewayInVehicle(gateway=f"gw_{number}", key_seed=number) for number in (1, 2, 3)]
    world = PackedWorld(database, *fleet, folder=tmp_path / "objects")
    objects = world.store
    await world.cloud.register(*fleet[1:])
    await register_elsewhere(world, fleet[0])
    orphans = OrphanSweeper(database, objects, world.cloud.clock)
    await world.set_days(numerics=90, vehicle_events=90)
    hold = await world.retention.hold(OPERATOR, HoldScope.GATEWAY, "gw_1", "case 1")
    counts: dict[int, tuple[int, ...]] = {}
    sizes: dict[int, int] = {}
    files: dict[int, int] = {}
    days_of_minutes: dict[int, int] = {}
    for day in range(DAYS):
        driving = fleet if day < HELD_DAYS else fleet[1:]
        await world.cloud.take(*[batch for gateway in driving for batch in day_of(gateway)])
        if day in ERASED_ON:
            await world.begin_encounter(f"enc_{day}")
            await world.assign(world.cloud.clock.at_us, world.cloud.clock.at_us + HOUR_US, encounter=f"enc_{day}")
        for erased in [each for each, on in ERASED_ON.items() if on == day]:
            found = await world.erase(f"enc_{erased}")
            # Two gateways sent two batches of 100 values and two with a block of samples.
            assert (found.observations, found.batches, found.others) == (2 * 202, 2 * 4, 0)
            assert await world.findings() == []
        # Before day 90 nothing is due, so a run every ten days is enough.
        if day >= 90 or day % 10 == 0:
            await world.compact()
            await world.pack()
            await world.sweep()
            await world.keep_days()
            await orphans.sweep()
            counts[day] = tuple([await world.count(table) for table in TABLES])
            sizes[day] = await content_bytes(database)
            if database.dialect == "sqlite":  # VACUUM FULL has made other files
                files[day] = await disk_bytes(database)
            days_of_minutes[day] = await partitions(database, MINUTE_DAYS)
        world.pass_days(1)
    growing = [sum(counts[day]) for day in counts if day <= 90]
    assert [after > before for before, after in pairwise(growing)] == [True] * 9
    settled = range(SETTLED_DAY, DAYS)
    assert {day: counts[day] for day in settled} == dict.fromkeys(settled, counts[SETTLED_DAY])
    stored = sum([len(page) async for page in objects.pages(WAVEFORMS)])
    packed = len(await world.object_names())
    assert stored + packed == counts[SETTLED_DAY][TABLES.index(waveform_objects)]
    assert (stored, packed) == (90 + HELD_DAYS, 90 - AFTER_DAYS - 1 + HELD_DAYS), "one day of both was erased"
    reports = await world.reports(rows=True)
    assert [report.findings for report in reports] == [[]] * 9
    removed = dict.fromkeys(("gw_1", "gw_2", "gw_3"), (0, 0))
    for report in reports:
        expired, erased = removed[report.gateway_id]
        removed[report.gateway_id] = expired + report.removed, erased + report.erased
    each = 5 * (DAYS - 91) - 4, 8
    assert removed == {"gw_1": (0, 0), "gw_2": each, "gw_3": each}, "four batches of each of the two days were erased"
    for measured in filter(None, (sizes, files)):
        after = growth(measured, SETTLED_DAY, DAYS - 1)
        assert after < 0.3 * growth(measured, 60, 90), "only the records of removals grow"
    if database.dialect == "postgresql":
        kept = days_of_minutes[SETTLED_DAY]
        assert 80 < kept < 90, "partitions come after compaction"
        assert {days_of_minutes[day] for day in settled} == {kept}, "and one goes for each that comes"
    await world.retention.release(OPERATOR, hold.id)
    await world.sweep()
    assert await world.findings() == []
    assert await world.count(batches) == 2 * (90 + 2 * (AFTER_DAYS + 1)) + 3, (
        "events, the numerics of the last days, and the rows at the ends of the lanes of the held gateway"
    )
    lane_days = 3 * (2 * (DAYS - 90) + HELD_DAYS)
    assert await world.count(removed_ranges) == lane_days + 4, "one for each lane and day, two lanes of the erased day"


PART_S = 12
"""Seconds of numerics that ingest writes together. A minute has two parts, so its rows are merged later."""
STAGED_BATCHES = 2 * PART_S + 2
"""Staged batches of a gateway and day: a second of numerics in each, and two of waveforms."""


def parts_of_day(gateway: GatewayInVehicle) -> Sequence[Sequence[Envelope]]:
    """Return the batches of a short day, in two parts of one minute."""
    begun_s = (gateway.now_us - NOW_US) // SECOND_US
    first = seconds(gateway, PART_S, first=begun_s + 1)
    second = seconds(gateway, PART_S, first=begun_s + 1 + PART_S)
    waveforms = [waves(gateway, block(*range(100), at_s=begun_s + 10.0 + number)) for number in range(2)]
    return [*first, *waveforms, gateway.send_event()], second


async def begin_staging(world: PackedWorld) -> None:
    """Let the lanes begin, some days before the story, since the first batch of a lane is never staged. The
    installation is a new one, with minute rows and, on PostgreSQL, partitions of single rows."""
    async with world.database.transaction() as tx:
        # The tests' PostgreSQL databases are emptied, so they have lost this row.
        await tx.execute(insert(minute_rows_since).values(day=0).on_conflict_do_nothing())
    await StepRunner(world.database, world.cloud.clock, [dividing_step(world.database)]).turn(asyncio.Event())
    for gateway in world.gateways:
        await world.cloud.arrive(*seconds(gateway, 1), waves(gateway))
    world.pass_days(AFTER_DAYS + 2)
    await world.work_once()
    world.pass_days(1)


async def rows_of_days(database: Database) -> dict[int, int]:
    """Return the number of minute rows of each day of storing."""
    async with database.read() as tx:
        return dict(Counter([row.day for row in await tx.execute(select(observation_minutes.c.day))]))


@pytest.mark.skipif(not IS_SOAK, reason="a hundred days of a worker: make soak ONLY=retention")
@pytest.mark.parametrize("database_url", ["sqlite", ON_POSTGRESQL], indirect=True)
@pytest.mark.finding("reliability-F")
async def test_disk_use_of_a_small_fleet_with_staged_batches_is_flat_after_ninety_days(
    database: Database, tmp_path: Path
) -> None:
    """Batches are staged, as by default. Their values become minute rows at once, and the worker merges these rows and
    writes the partition of the day again."""
    fleet = [GatewayInVehicle(gateway=f"gw_{number}", key_seed=number) for number in (1, 2, 3)]
    world = PackedWorld(database, *fleet, folder=tmp_path / "objects", staged=True)
    await world.cloud.register(*fleet[1:])
    await register_elsewhere(world, fleet[0])
    await world.set_days(numerics=90, vehicle_events=90)
    hold = await world.retention.hold(OPERATOR, HoldScope.GATEWAY, "gw_1", "case 1")
    await begin_staging(world)
    begun = world.cloud.clock.at_us // DAY_US
    counts: dict[int, tuple[int, ...]] = {}
    files: dict[int, int] = {}
    objects: dict[int, int] = {}
    days_of: dict[int, tuple[int, int]] = {}
    rewritten: list[int] = []
    for day in range(DAYS):
        for part in zip(*map(parts_of_day, fleet if day < HELD_DAYS else fleet[1:]), strict=True):
            await world.cloud.arrive(*chain.from_iterable(part))
            await world.cloud.staged.flush()
        if day in ERASED_ON:
            await world.begin_encounter(f"enc_{day}")
            await world.assign(world.cloud.clock.at_us, world.cloud.clock.at_us + HOUR_US, encounter=f"enc_{day}")
        for erased in [each for each, on in ERASED_ON.items() if on == day]:
            found = await world.erase(f"enc_{erased}")
            values = 2 * PART_S * len(CHANNELS) + 2
            assert (found.observations, found.batches, found.others) == (2 * values, 2 * STAGED_BATCHES, 0)
            assert await world.findings() == []
        rewritten += await world.work_once()
        counts[day] = tuple([await world.count(table) for table in TABLES])
        files[day] = await disk_bytes(database)
        objects[day] = sum(one.stat().st_size for one in world.folder.rglob("*") if one.is_file())
        days_of[day] = await partitions(database, MINUTE_DAYS), await partitions(database, OBSERVATION_DAYS)
        world.pass_days(1)
    settled = range(SETTLED_DAY, DAYS)
    assert {day: counts[day] for day in settled} == dict.fromkeys(settled, counts[SETTLED_DAY])
    for name, sizes in (("database", files), ("objects", objects)):
        before, after = growth(sizes, 60, 90), growth(sizes, SETTLED_DAY, DAYS - 1)
        print(f"{database.dialect}: {name} grows by {before:.0f} bytes a day, and by {after:.0f} after day 90")
        assert after < 0.3 * before, "only the records of removals grow"
    rows = await rows_of_days(database)
    merged = range(20, DAYS - AFTER_DAYS - 1)
    assert {day: rows.get(begun + day, 0) for day in merged} == {
        day: 0 if day in ERASED_ON else 2 * len(CHANNELS) for day in merged
    }, "one row of each channel and minute is left of two"
    last = range(merged.stop, DAYS)
    assert {day: rows[begun + day] for day in last} == dict.fromkeys(last, 4 * len(CHANNELS))
    assert {days_of[day] for day in settled} == {days_of[SETTLED_DAY]}, "a partition goes for each that comes"
    if database.dialect == "postgresql":
        assert 85 < days_of[SETTLED_DAY][0] < 95
        assert 7 < days_of[SETTLED_DAY][1] < 12
        assert set(rewritten) >= {begun + day for day in merged if day not in ERASED_ON}
        async with database.read() as tx:
            assert await sparse_days(tx) == []
    reports = await world.reports(rows=True)
    assert [report.findings for report in reports] == [[]] * 9
    removed = dict.fromkeys(("gw_1", "gw_2", "gw_3"), (0, 0))
    for report in reports:
        expired, erased = removed[report.gateway_id]
        removed[report.gateway_id] = expired + report.removed, erased + report.erased
    each = 2 + (STAGED_BATCHES + 1) * (DAYS - 91) - STAGED_BATCHES, 2 * STAGED_BATCHES
    assert removed == {"gw_1": (0, 0), "gw_2": each, "gw_3": each}, "the first batches of two lanes came before day 0"
    assert rows[begun] == len(CHANNELS), "the held gateway's"
    await world.retention.release(OPERATOR, hold.id)
    await world.work_once()
    assert min(await rows_of_days(database)) > begun + HELD_DAYS
    assert await world.findings() == []
