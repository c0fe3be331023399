"""Packed waveforms are removed after their retention period: the rows of runs, then the objects, and the chain verifies
as deleted by retention.
"""

import pytest

from cloud.access.retention import StorageRecord
from cloud.clinical.waveforms import (
    WAVEFORMS,
    OrphanSweeper,
    WaveformIndex,
    waveform_objects,
    waveform_runs,
    waveform_sources,
)
from cloud.foundation.db import Database
from cloud.foundation.objects import LocalObjects
from cloud.foundation.retention import HoldScope
from cloud.vehicles.custody.links import LinkState
from cloud.vehicles.custody.tables import batches
from protocols.uplink.lanes import Lane
from tests.builders.ingest_cloud import OPERATOR
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.retention_world import RetentionWorld, waveform


@pytest.fixture
async def world(database: Database, gateway: GatewayInVehicle, store: LocalObjects) -> RetentionWorld:
    return await RetentionWorld(database, gateway, objects=store).begin()


async def objects_left(world: RetentionWorld, store: LocalObjects) -> int:
    """Remove the unused objects, as a worker does each hour, and return the number of objects that are left."""
    await OrphanSweeper(world.database, store, world.cloud.clock).sweep()
    return sum([len(page) async for page in store.pages(WAVEFORMS)])


async def test_runs_and_objects_of_a_day_are_removed_when_the_whole_day_is_past_its_period(
    world: RetentionWorld, gateway: GatewayInVehicle, store: LocalObjects
) -> None:
    await world.cloud.take(waveform(gateway), waveform(gateway))
    await world.cloud.take(waveform(gateway))
    world.pass_days(1)
    await world.cloud.take(waveform(gateway))
    world.pass_days(89)
    assert await world.sweep("waveforms") == 0
    world.pass_days(1)
    await world.sweep("waveforms")
    assert await world.sequences(waveform_runs, Lane.WAVEFORM) == [4]
    assert await world.sequences(waveform_sources, Lane.WAVEFORM) == [4]
    assert await objects_left(world, store) == await world.count(waveform_objects) == 1
    (report,) = await world.reports(rows=True)
    assert (report.findings, report.through, report.batches) == ([], 4, 1)
    assert (report.removed, report.begins_at) == (3, 4)


async def test_last_batch_of_a_lane_leaves_a_row_to_which_the_next_one_is_linked(
    world: RetentionWorld, gateway: GatewayInVehicle, store: LocalObjects
) -> None:
    sent = [waveform(gateway) for _ in range(3)]
    await world.cloud.take(*sent)
    world.pass_days(91)
    await world.sweep("waveforms")
    (left,) = await world.cloud.rows(batches)
    assert (left.sequence, bytes(left.hash), left.content) == (3, sent[2].batch.hash, "removed")
    assert await world.count(waveform_runs) == await objects_left(world, store) == 0
    assert await world.findings() == []
    (ack,) = await world.cloud.take(sent[1])
    assert ack.through_sequence == 3, "a removed batch that is sent again is acknowledged and not stored"
    await world.cloud.take(waveform(gateway))
    assert [row.link for row in await world.cloud.rows(waveform_runs)] == [LinkState.LINKED]
    assert await world.findings() == []
    world.pass_days(91)
    await world.sweep("waveforms")
    assert [row.sequence for row in await world.cloud.rows(batches)] == [4]
    assert await world.findings() == []


async def test_held_runs_stay_with_their_object_and_the_others_go(
    world: RetentionWorld, gateway: GatewayInVehicle, store: LocalObjects
) -> None:
    await world.cloud.take(waveform(gateway), waveform(gateway))
    device_id = next(iter((await world.cloud.device_ids()).values()))
    hold = await world.retention.hold(OPERATOR, HoldScope.DEVICE, device_id, reason="Synthetic case")
    world.pass_days(100)
    await world.sweep("waveforms")
    assert await world.sequences(waveform_runs, Lane.WAVEFORM) == [1]
    assert await objects_left(world, store) == 1
    await world.retention.release(OPERATOR, hold.id)
    await world.sweep("waveforms")
    assert await world.count(waveform_runs) == await objects_left(world, store) == 0
    assert await world.findings() == []


async def test_objects_count_as_stored_data_for_the_projection(
    world: RetentionWorld, gateway: GatewayInVehicle
) -> None:
    await world.cloud.take(waveform(gateway), waveform(gateway))
    (stored,) = await world.cloud.rows(waveform_objects)
    async with world.database.read() as tx:
        alone = await StorageRecord().size_bytes(tx)
        assert await StorageRecord(WaveformIndex().size_bytes).size_bytes(tx) == alone + stored.size_bytes
