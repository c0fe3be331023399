"""Live batches are acknowledged from staged objects, and their rows are written later, before a reader needs them."""

from pathlib import Path

import pytest

from cloud.clinical.waveforms import waveform_runs
from cloud.foundation.db import Database
from cloud.vehicles.custody.tables import batches, lanes, quarantined_batches
from cloud.vehicles.ingest.settings import IngestSection
from protocols.uplink.channels import DeviceRef
from protocols.uplink.lanes import Lane
from protocols.uplink.status import Status
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle, readings, section
from tests.builders.staging import BreakableObjects, marks, numerics, staged_names, staging_cloud
from tests.builders.waveforms import waves


@pytest.fixture
def store(tmp_path: Path) -> BreakableObjects:
    return BreakableObjects(tmp_path / "objects")


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle, store: BreakableObjects) -> CloudUnderTest:
    return await staging_cloud(database, gateway, store)


async def test_first_batch_of_a_lane_is_written_at_once(cloud: CloudUnderTest, store: BreakableObjects) -> None:
    assert await numerics(cloud) == [(1, 97.0)]
    assert await staged_names(store) == []


async def test_following_batches_are_acknowledged_before_their_rows_are_written(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: BreakableObjects
) -> None:
    acks = await cloud.arrive(gateway.send(98.0), waves(gateway), gateway.send(99.0))
    assert {(ack.lane, ack.through_sequence, ack.missing) for ack in acks} == {
        (Lane.NUMERIC, 3, ()),
        (Lane.WAVEFORM, 2, ()),
    }
    assert len(await staged_names(store)) == 1
    assert await numerics(cloud) == [(1, 97.0)]
    await cloud.ingest.settle()
    assert await numerics(cloud) == [(1, 97.0), (2, 98.0), (3, 99.0)]
    assert [(run.sequence, run.through_sequence) for run in await cloud.rows(waveform_runs)] == [(1, 1), (2, 2)]


async def test_batch_is_stored_at_the_time_at_which_it_was_staged(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    cloud.clock.at_us = NOW_US + 1_000_000
    await cloud.arrive(gateway.send(98.0), waves(gateway))
    cloud.clock.at_us = NOW_US + 50_000_000
    await cloud.ingest.settle()
    assert [row.stored_at_us for row in await cloud.rows(batches)] == [NOW_US, NOW_US + 1_000_000]
    assert [row.stored_at_us for row in await cloud.rows(waveform_runs)] == [NOW_US, NOW_US + 1_000_000]


async def test_batch_behind_a_missing_one_is_written_at_once_after_the_staged_ones(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    await cloud.arrive(gateway.send(98.0))
    lost = gateway.send(99.0)
    acks = await cloud.arrive(gateway.send(96.0))
    assert [(ack.through_sequence, ack.missing) for ack in acks] == [(2, ((3, 3),))]
    assert await numerics(cloud) == [(1, 97.0), (2, 98.0), (4, 96.0)]
    await cloud.arrive(lost)
    assert await marks(cloud) == {"numeric": (4, ""), "waveform": (1, "")}


async def test_resent_batch_is_a_duplicate_of_the_staged_one_and_is_acknowledged_again(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    second = gateway.send(98.0)
    await cloud.arrive(second, gateway.send(99.0))
    acks = await cloud.arrive(second)
    assert [ack.through_sequence for ack in acks] == [3]
    assert await numerics(cloud) == [(1, 97.0)]
    await cloud.arrive(gateway.send(96.0))
    await cloud.ingest.settle()
    assert await numerics(cloud) == [(1, 97.0), (2, 98.0), (3, 99.0), (4, 96.0)]


async def test_batch_that_is_resent_while_it_is_staged_is_acknowledged_with_its_object(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    second = gateway.send(98.0)
    acks = await cloud.arrive(second, second)
    assert [ack.through_sequence for ack in acks] == [2]
    assert len(cloud.handover.accepted) == 4


async def test_other_batch_with_the_number_of_a_staged_one_is_a_conflict(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    rival = GatewayInVehicle()
    rival.send(97.0), waves(rival)
    await cloud.arrive(gateway.send(98.0))
    (ack,) = await cloud.arrive(rival.send(42.0))
    assert ack.conflict
    assert await numerics(cloud) == [(1, 97.0), (2, 98.0)]
    assert len(await cloud.rows(quarantined_batches)) == 1


async def test_response_to_a_status_includes_staged_batches_and_does_not_write_their_rows(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    staged = gateway.send(98.0)
    await cloud.arrive(staged)
    status = Status(
        gateway="gw_test", epoch="epoch-a", online=True, at_us=NOW_US, boot_id="boot-1", software="test", marks={}
    )
    acks = {ack.lane: ack for ack in await cloud.take(cloud.handover.status_delivery(status))}
    assert acks[Lane.NUMERIC].through_sequence == 2
    assert acks[Lane.NUMERIC].through_hash == staged.batch.hash
    assert acks[Lane.WAVEFORM].through_sequence == 1
    assert await numerics(cloud) == [(1, 97.0)]


async def test_batch_of_an_unknown_device_is_written_at_once(cloud: CloudUnderTest, gateway: GatewayInVehicle) -> None:
    other = DeviceRef("00000000000000aa", "Thermometer")
    await cloud.arrive(gateway.send_sections([section(readings(36.6), device=other)]))
    assert len(await numerics(cloud)) == 2
    assert len(await cloud.device_ids()) == 2


async def test_staged_batches_above_a_quota_are_stored(
    database: Database, gateway: GatewayInVehicle, store: BreakableObjects
) -> None:
    quotas = IngestSection(rows_burst=100_000, parked_bytes_max=0)
    cloud = await CloudUnderTest(database, objects=store, staged=True, quotas=quotas).register(gateway)
    await cloud.arrive(gateway.send(97.0))
    await cloud.arrive(gateway.send(98.0))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("cloud.vehicles.ingest.quotas.QuotaCharges.reached", lambda *_, **__: "rows")
        await cloud.ingest.settle()
    assert await numerics(cloud) == [(1, 97.0), (2, 98.0)]


async def test_missing_batch_that_is_found_when_rows_are_written_is_reported_to_the_gateway(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    await cloud.arrive(gateway.send(98.0))
    await cloud.ingest.settle()
    await cloud.arrive(gateway.send(99.0))
    async with cloud.database.transaction() as tx:  # the database is restored from a copy
        await tx.execute(lanes.update().where(lanes.c.lane == "numeric").values(through_sequence=1))
    status = Status(
        gateway="gw_test", epoch="epoch-a", online=True, at_us=NOW_US, boot_id="boot-1", software="test", marks={}
    )
    acks = {ack.lane: ack for ack in await cloud.take(cloud.handover.status_delivery(status))}
    assert (acks[Lane.NUMERIC].through_sequence, acks[Lane.NUMERIC].missing) == (1, ((2, 2),))
    await cloud.ingest.settle()
    found = await cloud.arrive(gateway.send(96.0))
    assert [(ack.through_sequence, ack.missing) for ack in found] == [(1, ((2, 2),))] * 2
    assert (await numerics(cloud))[-1] == (4, 96.0)


@pytest.mark.parametrize("lost", [True, False])
async def test_resent_batch_is_acknowledged_from_memory_only_if_the_database_has_lost_nothing(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, lost: bool
) -> None:
    sent = gateway.send(98.0)
    await cloud.arrive(sent, gateway.send(99.0))
    await cloud.ingest.settle()
    await cloud.arrive(gateway.send(96.0))
    if lost:
        async with cloud.database.transaction() as tx:  # the database is restored from a copy
            await tx.execute(lanes.update().where(lanes.c.lane == "numeric").values(through_sequence=1))
    status = Status(
        gateway="gw_test", epoch="epoch-a", online=True, at_us=NOW_US, boot_id="boot-1", software="test", marks={}
    )
    await cloud.take(cloud.handover.status_delivery(status))
    (group,) = await cloud.ingest.opener.open([cloud.handover.delivery(sent)])
    cloud.stage.admit(group)
    assert bool(group.opened) is lost


async def test_resent_batch_is_acknowledged_from_memory_only_while_rows_of_its_lane_are_unwritten(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    sent = gateway.send(98.0)
    await cloud.arrive(sent, gateway.send(99.0))
    await cloud.ingest.settle()
    # The database may have been restored from a copy, and another process may have responded to the gateway's status.
    (group,) = await cloud.ingest.opener.open([cloud.handover.delivery(sent)])
    cloud.stage.admit(group)
    assert [one.batch.sequence for one in group.opened] == [2]


async def test_conflict_that_is_found_when_rows_are_written_is_reported_to_the_gateway(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: BreakableObjects
) -> None:
    rival = GatewayInVehicle()
    rival.send(97.0), waves(rival)
    await cloud.arrive(gateway.send(98.0))
    await CloudUnderTest(cloud.database, objects=store).take(rival.send(42.0))
    await cloud.ingest.settle()
    found = await cloud.arrive(gateway.send(99.0))
    assert found
    assert all(ack.conflict for ack in found)
    assert len(await staged_names(store)) == 1, "the next batch is not staged"


async def test_batches_behind_one_that_is_written_at_once_wait_for_it_and_are_staged(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: BreakableObjects
) -> None:
    other = section(readings(36.6), device=DeviceRef("00000000000000aa", "Thermometer"))
    sent = [gateway.send_sections([other]), gateway.send(98.0), gateway.send(99.0)]
    (written, *late) = [(await cloud.ingest.opener.open([cloud.handover.delivery(one)]))[0] for one in sent]
    for group in (written, *late):
        cloud.stage.admit(group)
    assert [len(group.deliveries) for group in (written, *late)] == [1, 0, 0]
    await cloud.ingest.write(written, cloud.handover)
    await cloud.stage.turn(cloud.send, cloud._write_at_once)
    assert [ack.through_sequence for _, ack in cloud.handover.acks][-2:] == [2, 4]
    assert [sequence for sequence, _ in await numerics(cloud)] == [1, 2]
    assert len(await staged_names(store)) == 1


async def test_batches_behind_one_that_is_let_go_are_written_at_once(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    gateway.send(96.0)
    sent = [gateway.send(97.0), gateway.send(98.0)]
    lost, late = [(await cloud.ingest.opener.open([cloud.handover.delivery(one)]))[0] for one in sent]
    for group in (lost, late):
        cloud.stage.admit(group)
    cloud.stage.let_go(lost)
    await cloud.stage.turn(cloud.send, cloud._write_at_once)
    assert [(ack.through_sequence, ack.missing) for _, ack in cloud.handover.acks][-1] == (1, ((2, 3),))
