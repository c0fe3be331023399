"""Batches are removed after their retention period, and the chain of custody verifies as deleted by retention."""

from dataclasses import replace

import pytest
from sqlalchemy import delete, select, update

from cloud.clinical.observations.tables import observations
from cloud.foundation.db import Database
from cloud.foundation.retention import HoldScope
from cloud.vehicles.custody.links import LinkState
from cloud.vehicles.custody.tables import batches, removed_ranges
from cloud.vehicles.expiry.lane_data import BATCHES_AT_ONCE
from cloud.vehicles.verification.lane_audit import NOT_SENT
from protocols.uplink.lanes import Lane
from tests.builders.ingest_cloud import OPERATOR
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.parts import chores
from tests.builders.retention_world import RetentionWorld, numerics, waveform


@pytest.fixture
async def world(database: Database, gateway: GatewayInVehicle) -> RetentionWorld:
    return await RetentionWorld(database, gateway).begin()


async def test_batches_of_a_day_are_removed_when_the_whole_day_is_past_its_period(
    world: RetentionWorld, gateway: GatewayInVehicle
):
    await world.cloud.take(*gateway.many(5))
    world.pass_days(1)
    await world.cloud.take(*gateway.many(4))
    world.pass_days(89)
    assert await world.sweep("batches") == 0
    world.pass_days(1)
    await world.sweep("batches")
    assert await world.sequences(batches) == [6, 7, 8, 9]
    (report,) = await world.reports(rows=True)
    assert (report.findings, report.through, report.batches) == ([], 9, 4)
    assert (report.removed, report.begins_at, report.stood_in) == (5, 6, 0)
    assert await world.count(observations) == 9, "numerics have a period of their own"


async def test_last_batch_of_a_lane_loses_its_envelope_and_the_next_batch_is_linked_to_it(
    world: RetentionWorld, gateway: GatewayInVehicle
):
    await world.cloud.take(*gateway.many(3))
    world.pass_days(91)
    await world.sweep("batches")
    (left,) = await world.cloud.rows(batches)
    assert (left.sequence, bytes(left.envelope), left.content) == (3, b"", "removed")
    (report,) = await world.reports(rows=True)
    assert (report.intact, report.through, report.removed, report.begins_at) == (True, 3, 3, None)
    await world.cloud.take(gateway.send(97.0))
    assert [row.link for row in await world.cloud.rows(batches)] == [LinkState.LINKED, LinkState.LINKED]
    assert await world.findings() == []
    world.pass_days(91)
    await world.sweep("batches")
    assert await world.sequences(batches) == [4], "the row of batch 3 is not needed any more"
    assert await world.findings() == []


async def test_batch_that_is_sent_again_after_its_removal_is_acknowledged_and_not_stored(
    world: RetentionWorld, gateway: GatewayInVehicle
):
    sent = gateway.many(4)
    await world.cloud.take(*sent)
    world.pass_days(91)
    await world.sweep("batches")
    rows = await world.count(observations)
    (ack,) = await world.cloud.take(sent[1], sent[2])
    assert ack.through_sequence == 4
    assert await world.sequences(batches) == [4]
    assert await world.count(observations) == rows
    assert await world.findings() == []


async def test_late_batch_fills_a_hole_between_removed_batches(world: RetentionWorld, gateway: GatewayInVehicle):
    sent = gateway.many(7)
    await world.cloud.take(*sent[:3], *sent[4:])
    world.pass_days(91)
    await world.sweep("batches")
    assert await world.sequences(batches) == [3, 5, 7], "the next batches are linked to these"
    assert await world.findings() == [("numeric", NOT_SENT, 4, 4)]
    await world.cloud.take(sent[3])
    assert await world.findings() == []
    assert {row.link for row in await world.cloud.rows(batches)} == {LinkState.LINKED}
    world.pass_days(91)
    await world.sweep("batches")
    assert await world.sequences(batches) == [7]
    assert await world.findings() == []


async def test_custody_check_finds_a_batch_that_was_not_removed_by_retention(
    world: RetentionWorld, gateway: GatewayInVehicle
):
    await world.cloud.take(*gateway.many(5))
    world.pass_days(1)
    await world.cloud.take(*gateway.many(5))
    world.pass_days(90)
    await world.sweep("batches")
    async with world.database.transaction() as tx:
        await tx.execute(delete(batches).where(batches.c.sequence == 6))
    assert await world.findings(rows=False) == [("numeric", "missing", 6, 6)]
    async with world.database.transaction() as tx:
        await tx.execute(update(removed_ranges).values(last_sequence=6))
    assert await world.findings(rows=False) == [("numeric", "does not follow the batch before it", 7, 7)]


async def test_custody_check_finds_a_changed_record_of_a_removal(world: RetentionWorld, gateway: GatewayInVehicle):
    await world.cloud.take(*gateway.many(5))
    world.pass_days(1)
    await world.cloud.take(*gateway.many(5))
    world.pass_days(90)
    await world.sweep("batches")
    async with world.database.transaction() as tx:
        await tx.execute(update(removed_ranges).values(hash_before=bytes(32)))
    assert await world.findings(rows=False) == [("numeric", "does not follow the batch before it", 1, 1)]


async def test_custody_check_still_finds_a_broken_link_in_removed_batches(
    world: RetentionWorld, gateway: GatewayInVehicle
):
    first, second, third = gateway.many(3)
    await world.cloud.take(first, gateway.signed(replace(second.batch, previous_hash=bytes(32))), third)
    before = await world.findings(rows=False)
    assert [one[1] for one in before] == ["does not follow the batch before it"] * 2
    world.pass_days(91)
    await world.sweep("batches")
    assert [one[1] for one in await world.findings(rows=False)] == ["does not follow the batch before it"] * 2


async def test_each_chunk_removes_a_limited_number_of_batches(world: RetentionWorld, gateway: GatewayInVehicle):
    for _ in range(5):
        await world.cloud.take(*gateway.many(BATCHES_AT_ONCE // 2))
    world.pass_days(91)
    (chore,) = [one for one in chores(world.database, world.cloud.clock) if one.name == "batches"]
    left = []
    while True:
        async with world.database.transaction() as tx:
            if not await chore.work(tx, world.cloud.clock.now_us()):
                break
        left.append(await world.count(batches))
    assert left[:3] == [3 * BATCHES_AT_ONCE // 2, BATCHES_AT_ONCE // 2, 1]
    async with world.database.read() as tx:
        ranges = (await tx.execute(select(removed_ranges))).rows
    assert [(row.first_sequence, row.last_sequence) for row in ranges] == [(1, 5 * BATCHES_AT_ONCE // 2)]


async def test_waveform_batches_have_the_period_of_waveforms(world: RetentionWorld, gateway: GatewayInVehicle):
    await world.set_days(waveforms=20)
    await world.cloud.take(numerics(gateway), waveform(gateway), waveform(gateway))
    world.pass_days(21)
    await world.sweep()
    assert await world.sequences(observations, Lane.WAVEFORM) == []
    assert [row.content for row in await world.cloud.rows(batches)] == ["rows", "removed"]
    assert await world.findings() == []


async def test_held_gateway_keeps_its_batches_and_the_other_gateway_does_not(database: Database):
    held, other = GatewayInVehicle(), GatewayInVehicle(gateway="gw_other", key_seed=2)
    world = await RetentionWorld(database, held, other).begin()
    await world.cloud.take(*held.many(3), *other.many(3))
    hold = await world.retention.hold(OPERATOR, HoldScope.GATEWAY, "gw_test", "case 1")
    await world.set_days(numerics=30, batches=30)
    world.pass_days(31)
    await world.sweep()
    assert [(one.gateway_id, one.batches, one.removed) for one in await world.reports()] == [
        ("gw_other", 0, 3),
        ("gw_test", 3, 0),
    ]
    assert await world.count(observations) == 3
    assert await world.findings() == []
    await world.retention.release(OPERATOR, hold.id)
    await world.sweep()
    assert await world.count(observations) == 0
    assert await world.findings() == []
