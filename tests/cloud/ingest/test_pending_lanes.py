"""Live batches wait for those of their lanes that are written at once, but never long, and none overtakes another."""

from dataclasses import replace
from pathlib import Path

import pytest

from cloud.foundation.db import Database, DatabaseUnavailable
from cloud.vehicles.custody import LaneMarks
from cloud.vehicles.custody.tables import batches
from cloud.vehicles.ingest import delivery_opening, pending_lanes
from cloud.vehicles.ingest.acks import ack_of
from cloud.vehicles.ingest.delivery_group import Group
from cloud.vehicles.ingest.source import DueAck
from protocols.uplink.channels import DeviceRef
from protocols.uplink.envelope import BatchKind, Envelope
from protocols.uplink.lanes import Lane
from tests.builders.ingest_cloud import TENANT, CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle, readings, section
from tests.builders.staging import BreakableObjects, numerics, staging_cloud
from tests.builders.waveforms import waves


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle, tmp_path: Path) -> CloudUnderTest:
    return await staging_cloud(database, gateway, BreakableObjects(tmp_path / "objects"))


async def opened(cloud: CloudUnderTest, *sent: Envelope) -> Group:
    (group,) = await cloud.ingest.opener.open([cloud.handover.delivery(one) for one in sent])
    return group


async def admitted(cloud: CloudUnderTest, *sent: Envelope) -> Group:
    """Return the batches that are left to be written at once."""
    group = await opened(cloud, *sent)
    cloud.stage.admit(group)
    return group


def sequences_of(group: Group) -> list[int]:
    return sorted(one.batch.sequence for one in group.opened)


def from_new_device(gateway: GatewayInVehicle, number: int) -> Envelope:
    """Return the next batch, which may not be staged."""
    return gateway.send_sections([section(readings(36.6), device=DeviceRef(f"00000000000000a{number}", "Thermometer"))])


async def test_live_batches_do_not_wait_for_the_end_of_the_backlog(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    backlog = [replace(one, historical=True) for one in gateway.many(2)]
    sent = [gateway.send(98.0), backlog[0], gateway.send(99.0), backlog[1]]
    assert [sequences_of(await admitted(cloud, one)) for one in sent] == [[4], [2], [5], [3]]


async def test_backlog_releases_the_live_batches_that_wait(cloud: CloudUnderTest, gateway: GatewayInVehicle) -> None:
    backlog = replace(gateway.send(97.0), historical=True)
    written, waiting = await admitted(cloud, gateway.send(98.0)), await admitted(cloud, gateway.send(99.0))
    assert waiting.deliveries == []
    released = await admitted(cloud, backlog)
    assert sequences_of(released) == [2, 4]
    for group in (written, released):
        await cloud.ingest.write(group, cloud.handover)
    assert [(ack.through_sequence, ack.missing) for _, ack in cloud.handover.acks][-1] == (4, ())
    assert len(cloud.handover.accepted) == 5


async def test_batch_that_cannot_be_staged_releases_those_of_its_own_group_that_wait(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    written, waiting = from_new_device(gateway, 0), gateway.send(98.0)
    group = await admitted(cloud, written, waiting, gateway.send_raw(BatchKind.OBSERVATIONS, b"nonsense"))
    assert (sequences_of(group), len(group.deliveries)) == ([2, 3, 4], 3)


@pytest.mark.parametrize(("limit", "value"), [("LANE_BATCHES_MAX", 1), ("BATCH_ROWS_MAX", 0), ("PENDING_BYTES_MAX", 1)])
async def test_batches_beyond_a_limit_of_those_that_wait_are_written_with_them(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    await admitted(cloud, from_new_device(gateway, 0))
    assert (await admitted(cloud, gateway.send(98.0))).deliveries == []
    monkeypatch.setattr(pending_lanes, limit, value)
    assert sequences_of(await admitted(cloud, gateway.send(99.0))) == [3, 4]


async def test_batches_that_have_waited_are_not_overtaken(cloud: CloudUnderTest, gateway: GatewayInVehicle) -> None:
    written = await admitted(cloud, from_new_device(gateway, 0))
    await admitted(cloud, from_new_device(gateway, 1))
    await cloud.ingest.write(written, cloud.handover)
    unreadable = await admitted(cloud, gateway.send_raw(BatchKind.OBSERVATIONS, b"nonsense"))
    assert unreadable.deliveries == []
    await cloud.stage.turn(cloud.send, cloud._write_at_once)
    assert [row.sequence for row in await cloud.rows(batches)] == [1, 2, 3, 4]
    assert not any(ack.missing for _, ack in cloud.handover.acks)


async def test_batches_that_have_waited_and_may_not_be_staged_are_written_together(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    written, *waiting = [await admitted(cloud, from_new_device(gateway, number)) for number in range(4)]
    assert not any(group.deliveries for group in waiting)
    await cloud.ingest.write(written, cloud.handover)
    await cloud.stage.turn(cloud.send, cloud._write_at_once)
    assert sorted(sequence for sequence, _ in await numerics(cloud)) == [1, 2, 3, 4, 5]


async def test_batches_behind_one_that_meets_an_error_in_the_code_do_not_wait_for_ever(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("synthetic")

    written = await admitted(cloud, from_new_device(gateway, 0))
    assert (await admitted(cloud, gateway.send(98.0))).deliveries == []
    with monkeypatch.context() as broken:
        broken.setattr(delivery_opening, "unpacked", fail)
        await cloud.ingest.write(written, cloud.handover)
    await cloud.stage.turn(cloud.send, cloud._write_at_once)
    assert [(ack.through_sequence, ack.missing) for _, ack in cloud.handover.acks][-1] == (1, ((2, 2),))
    assert [sequence for sequence, _ in await numerics(cloud)] == [1, 3]
    assert len(cloud.handover.accepted) == 4


async def test_resent_waveform_is_acknowledged_again_after_an_object_could_not_be_stored(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: object) -> None:
        raise DatabaseUnavailable

    with monkeypatch.context() as broken:
        broken.setattr("cloud.vehicles.ingest.staging_periods.OwnPeriod.begin", fail)
        await cloud.arrive(waves(gateway))
    sent = waves(gateway)
    await cloud.arrive(sent)
    assert [ack.through_sequence for ack in await cloud.arrive(sent)] == [3]


async def test_batch_that_is_resent_while_an_object_cannot_be_stored_is_acknowledged_in_the_next_turn(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = waves(gateway)
    await cloud.arrive(staged)
    resent = await opened(cloud, staged)

    async def fail(_: object) -> None:
        cloud.stage.admit(resent)
        raise DatabaseUnavailable

    monkeypatch.setattr("cloud.vehicles.ingest.staging_periods.OwnPeriod.begin", fail)
    await admitted(cloud, gateway.send(98.0))
    await cloud.stage.turn(cloud.send, cloud._write_at_once)
    assert cloud.stage._work.is_set()
    await cloud.stage.turn(cloud.send, cloud._write_at_once)
    _, ack = cloud.handover.acks[-1]
    assert (ack.lane, ack.through_sequence) == (Lane.WAVEFORM, 2)


async def test_no_batch_is_staged_behind_one_whose_last_acknowledgement_is_of_a_conflict(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    group = await admitted(cloud, from_new_device(gateway, 0))
    await cloud.ingest.opener.unpack_all(group)
    marks = LaneMarks().adding(1, 2)
    acks = [
        ack_of("epoch-a", Lane.NUMERIC, marks, contested=contested, through_hash=group.opened[0].hash)
        for contested in (False, True)
    ]
    cloud.stage.learn(group, [DueAck(TENANT, "gw_test", ack) for ack in acks])
    assert sequences_of(await admitted(cloud, gateway.send(98.0))) == [3]


async def test_group_is_divided_where_it_reaches_a_limit(cloud: CloudUnderTest, gateway: GatewayInVehicle) -> None:
    sent = [gateway.send(98.0), gateway.send(99.0), gateway.send(*[97.0] * 8), gateway.send(96.0), gateway.send(95.0)]
    group = await opened(cloud, *sent)
    parts = group.divided(batches_max=2, bytes_max=1 << 20, observations_max=8)
    assert [sequences_of(part) for part in parts] == [[2, 3], [4], [5, 6]]
    assert [(len(part.deliveries), part.observations) for part in parts] == [(2, 2), (1, 8), (2, 2)]
