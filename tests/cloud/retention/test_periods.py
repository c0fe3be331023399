"""The retention periods of a tenant decide what the worker deletes, and legal holds keep evidence after its period."""

from typing import Any

import pytest
from sqlalchemy import func, select

from cloud.access.audit import Audit
from cloud.access.retention import HoldUnknown, PeriodRefused, Retention
from cloud.access.retention.errors import (
    HoldReasonMalformed,
    HoldsTooMany,
    HoldTaken,
    KindUnknown,
    ShorteningUnconfirmed,
)
from cloud.access.retention.jobs import Expiry, lag_sampler
from cloud.access.retention.storage import DAYS_KEPT, StorageDay, StorageRecord, project
from cloud.access.tenancy import Tenancy, TenantUnknown
from cloud.foundation.db import Database
from cloud.foundation.ids import UlidIds
from cloud.foundation.observability import RETENTION_LAG_SECONDS, Metrics
from cloud.foundation.retention import DAY_US, Amount, HoldScope, Kind, kinds
from cloud.foundation.tracing.tables import spans
from cloud.foundation.viewer import Actor
from cloud.slices import SLICES
from tests.builders.ingest_cloud import StoppedClock
from tests.builders.ingest_gateway import NOW_US
from tests.cloud.test_housekeeping import span_row
from tests.harness.plans import PlanRecorder, analyze

assert SLICES

NORTH, SOUTH = Actor.operator("tnt_north"), Actor.operator("tnt_south")


class World:
    """Two tenants and their retention, with a clock that the test moves."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = StoppedClock()
        self.ids = UlidIds(self.clock)
        self.retention = Retention(database, self.clock, self.ids)

    async def begin(self) -> "World":
        for tenant in (NORTH, SOUTH):
            await Tenancy(self.database, self.clock, self.ids).add_tenant("Synthetic", id=tenant.tenant_id)
        return self

    async def add_spans(self, tenant_id: str, count: int, days_ago: float, *, first: int = 0) -> None:
        at_us = NOW_US - round(days_ago * DAY_US)
        rows = [{**span_row(first + number, at_us + number), "tenant_id": tenant_id} for number in range(count)]
        names = [column.name for column in spans.columns if column.name in rows[0]]
        async with self.database.transaction() as tx:
            await tx.driver.append(spans, names, [tuple(row[name] for name in names) for row in rows])

    async def add_audit(self, actor: Actor, days_ago: int) -> None:
        clock = StoppedClock(NOW_US - days_ago * DAY_US)
        async with self.database.transaction() as tx:
            await Audit(clock).record(tx, actor, "device.enrol", "dev_1")

    async def sweep(self, kind: str) -> int:
        """Delete all expired data of a kind; return the number of chunks."""
        chunks, expiry = 0, Expiry(kind_of(kind))
        while True:
            async with self.database.transaction() as tx:
                if not await expiry.delete_chunk(tx, self.clock.now_us()):
                    return chunks
            chunks += 1
            assert chunks < 100, "the sweep does not end"

    async def counts(self, table: Any) -> dict[str, int]:
        statement = select(table.c.tenant_id, func.count()).group_by(table.c.tenant_id)
        async with self.database.read() as tx:
            return {row[0]: row[1] for row in await tx.execute(statement)}

    async def actions(self, actor: Actor) -> list[tuple[str, str]]:
        async with self.database.read() as tx:
            found = await Audit(self.clock).list(tx, actor)
        return [(one.action, one.object) for one in found][::-1]


@pytest.fixture
async def world(database: Database) -> World:
    return await World(database).begin()


def kind_of(name: str) -> Kind:
    return kinds()[name]


async def test_each_tenant_has_the_default_periods_until_it_has_its_own(world: World):
    await world.retention.set_period(NORTH, "spans", 30)
    periods = {one.kind: one for one in await world.retention.periods(NORTH)}
    assert (periods["spans"].days, periods["spans"].is_default) == (30, False)
    assert {one.kind: one.days for one in await world.retention.periods(SOUTH)} == {
        "audit": 3660,
        "share_links": 366,
        "numerics": 3660,
        "waveforms": 90,
        "batches": 90,
        "vehicle_events": 3660,
        "care_records": 7320,
        "content_keys": 3660,
        "profile_enrichments": 3660,
        "deliveries": 30,
        "events": 30,
        "spans": 3,
        "idempotency_keys": 1,
        "device_history": None,
    }


async def test_rows_are_deleted_after_the_period_of_their_own_tenant(world: World):
    await world.retention.set_period(NORTH, "spans", 10)
    await world.add_spans("tnt_north", 5, days_ago=5)
    await world.add_spans("tnt_north", 7, days_ago=11, first=100)
    await world.add_spans("tnt_south", 5, days_ago=5, first=200)
    await world.add_spans("tnt_south", 3, days_ago=1, first=300)
    await world.sweep("spans")
    assert await world.counts(spans) == {"tnt_north": 5, "tnt_south": 3}
    world.clock.at_us += 6 * DAY_US
    await world.sweep("spans")
    assert await world.counts(spans) == {}


async def test_rows_that_are_kept_longer_are_read_once_and_not_for_every_chunk(world: World):
    await world.retention.set_period(NORTH, "spans", None)
    await world.add_spans("tnt_north", 5_000, days_ago=9)
    await world.add_spans("tnt_south", 2_500, days_ago=8, first=5_000)
    expiry = Expiry(kind_of("spans"))
    examined: list[int] = []
    for _ in range(10):
        async with world.database.transaction() as tx:
            examined.append(await expiry.delete_chunk(tx, world.clock.now_us()))
    assert sum(examined) == 7_500 + 5, "five pages begin with the last row of the page before"
    assert (max(examined), examined[-2:]) == (1_000, [0, 0]), "a second run does not read the kept rows again"
    assert await world.counts(spans) == {"tnt_north": 5_000}
    await world.retention.set_period(NORTH, "spans", 3, shortening_confirmed=True)
    async with world.database.transaction() as tx:
        assert await expiry.delete_chunk(tx, world.clock.now_us()) == 1_000, "a changed period begins a new walk"


async def test_retention_reads_and_deletes_by_an_index(world: World):
    await world.retention.set_period(NORTH, "spans", 10)
    await world.add_spans("tnt_south", 3_000, days_ago=5)
    await world.add_spans("tnt_south", 3_000, days_ago=1, first=3_000)
    await analyze(world.database)
    expiry = Expiry(kind_of("spans"))
    for _ in range(2):
        async with world.database.transaction() as tx:
            recorder = PlanRecorder(tx)
            assert await expiry.delete_chunk(recorder, world.clock.now_us()) == 1_000
            assert not any("SCAN spans" in plan.lines or "Seq Scan" in plan.lines for plan in recorder.plans[2:])


async def test_legal_hold_of_a_tenant_keeps_its_evidence_and_not_its_spans(world: World):
    hold = await world.retention.hold(NORTH, HoldScope.TENANT, NORTH.tenant_id, "case 4711")
    for tenant in (NORTH, SOUTH):
        await world.add_audit(tenant, 4_000)
        await world.add_spans(tenant.tenant_id, 1, days_ago=4, first=ord(tenant.tenant_id[4]))
    await world.sweep("audit")
    await world.sweep("spans")
    assert await world.counts(spans) == {}
    assert ("device.enrol", "dev_1") in await world.actions(NORTH)
    assert ("device.enrol", "dev_1") not in await world.actions(SOUTH)
    await world.retention.release(NORTH, hold.id)
    await world.sweep("audit")
    assert await world.actions(NORTH) == [("retention.hold", hold.id), ("retention.release", hold.id)]


async def test_retention_lag_is_the_time_since_the_oldest_expired_row_expired(world: World):
    await world.retention.set_period(NORTH, "spans", 30)
    await world.add_spans("tnt_north", 1, days_ago=20)
    await world.add_spans("tnt_south", 1, days_ago=5, first=10)
    metrics, expiry = Metrics(), Expiry(kind_of("spans"))
    sample = lag_sampler(world.database, world.clock, [expiry])
    await sample(metrics)
    assert metrics.value(RETENTION_LAG_SECONDS, "spans") == 2 * 86_400
    async with world.database.transaction() as tx:
        await expiry.delete_chunk(tx, world.clock.now_us())
    await sample(metrics)
    assert metrics.value(RETENTION_LAG_SECONDS, "spans") == 0


async def test_shorter_period_must_be_confirmed_and_shows_what_it_deletes(world: World):
    await world.add_spans("tnt_north", 4, days_ago=2.5)
    await world.add_spans("tnt_south", 4, days_ago=2.5, first=10)
    change = await world.retention.preview(NORTH, "spans", 2)
    assert (change.before_days, change.after_days, change.deleted) == (3, 2, Amount(4))
    with pytest.raises(ShorteningUnconfirmed):
        await world.retention.set_period(NORTH, "spans", 2)
    assert (await world.retention.preview(NORTH, "spans", 4)).is_shortening is False
    done = await world.retention.set_period(NORTH, "spans", 2, shortening_confirmed=True)
    assert (done.before_days, done.after_days) == (3, 2)
    assert await world.actions(NORTH) == [("retention.set", "spans")]
    await world.sweep("spans")
    assert await world.counts(spans) == {"tnt_south": 4}


async def test_period_of_an_unknown_kind_or_outside_its_limits_is_refused(world: World):
    with pytest.raises(KindUnknown) as unknown:
        await world.retention.set_period(NORTH, "waveform", 30)
    assert unknown.value.suggestion == "Did you mean waveforms?"
    for kind, days in (("deliveries", 29), ("batches", 13), ("spans", 0), ("audit", 36_526)):
        with pytest.raises(PeriodRefused):
            await world.retention.set_period(NORTH, kind, days)
    with pytest.raises(TenantUnknown):
        await world.retention.set_period(Actor.operator("tnt_none"), "spans", 5)


async def test_holds_are_refused_twice_without_a_reason_and_above_their_limit(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("cloud.access.retention.service.HOLDS_MAX", 2)
    first = await world.retention.hold(NORTH, HoldScope.GATEWAY, "gw_1", "case 1")
    with pytest.raises(HoldTaken):
        await world.retention.hold(NORTH, HoldScope.GATEWAY, "gw_1", "case 2")
    for reason in ("", "  ", "x" * 201, "case \u202e1"):
        with pytest.raises(HoldReasonMalformed):
            await world.retention.hold(NORTH, HoldScope.GATEWAY, "gw_2", reason)
    await world.retention.hold(NORTH, HoldScope.GATEWAY, "gw_2", "case 2")
    with pytest.raises(HoldsTooMany):
        await world.retention.hold(NORTH, HoldScope.GATEWAY, "gw_3", "case 3")
    with pytest.raises(HoldUnknown):
        await world.retention.release(SOUTH, first.id)
    await world.retention.release(NORTH, first.id)
    with pytest.raises(HoldUnknown):
        await world.retention.release(NORTH, first.id)
    await world.retention.hold(NORTH, HoldScope.GATEWAY, "gw_1", "case 4")


async def test_database_size_is_recorded_once_a_day_and_projected(world: World):
    record = StorageRecord()
    for _ in range(3):
        async with world.database.transaction() as tx:
            await record.record(tx, world.clock.now_us())
            await record.record(tx, world.clock.now_us())
        await world.add_spans("tnt_north", 2_000, days_ago=0, first=world.clock.at_us // DAY_US * 10_000)
        world.clock.at_us += DAY_US
    async with world.database.read() as tx:
        recent = await record.recent(tx)
    assert len(recent) == 3
    assert recent[0].size_bytes < recent[-1].size_bytes
    world.clock.at_us += (DAYS_KEPT + 10) * DAY_US
    async with world.database.transaction() as tx:
        await record.record(tx, world.clock.now_us())
        assert len(await record.recent(tx)) == 1, "sizes of more than a year ago are deleted"


def test_projection_divides_the_free_space_by_the_measured_growth():
    days = [StorageDay(day=day, size_bytes=1_000 + 50 * day) for day in (0, 2, 10)]
    found = project(days, 5_100)
    assert found is not None
    assert (found.bytes_per_day, found.days, found.full_in_days, found.is_short) == (50, 10, 102, False)
    full = project(days, 100)
    assert full is not None
    assert full.is_short
    unknown = project(days, None)
    assert unknown is not None
    assert unknown.full_in_days is None
    assert project(days[:1], 5_100) is None
    flat = project([days[-1], StorageDay(day=11, size_bytes=days[-1].size_bytes)], 5_100)
    assert flat is not None
    assert flat.full_in_days is None
