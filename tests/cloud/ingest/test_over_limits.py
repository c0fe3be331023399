"""Batches above a limit are quarantined, acknowledged and reported, and delay no other batch."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from cloud.clinical.devices.tables import devices
from cloud.clinical.observations.tables import observations
from cloud.foundation.db import Database
from cloud.vehicles.custody.tables import batches, lanes, quarantined_batches
from cloud.vehicles.verification.check import CustodyCheck
from protocols.errors import RemoteProtocolError
from protocols.uplink.envelope import BatchKind, decode_envelope, encode_envelope
from protocols.uplink.events import GatewayEvent, encode_event
from protocols.uplink.gaps import decode_gap, encode_gap
from protocols.uplink.lanes import Lane
from protocols.uplink.limits import BLOCK_CHANNELS_MAX, BLOCK_OBSERVATIONS_MAX, INTEGER_MAX, SEQUENCE_MAX
from protocols.uplink.status import Status
from protocols.uplink.wire import WireWriter
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle, readings, section
from tests.builders.statement_count import CountingDatabase
from tests.builders.uplink_bombs import block_of_channels, block_of_devices, block_of_zeros, sealed

pytestmark = pytest.mark.finding("security-2")


@pytest.mark.parametrize(
    ("build", "count"),
    [
        (lambda: block_of_devices(62_000, wall_offset_us=NOW_US), 62_000),
        (lambda: block_of_devices(6_000, wall_offset_us=NOW_US), 6_000),
        (lambda: block_of_zeros(65_536, wall_offset_us=NOW_US), 65_536),
        (lambda: block_of_channels(BLOCK_CHANNELS_MAX + 1), BLOCK_CHANNELS_MAX + 1),
        (lambda: sealed(bytes(64 << 20)), 1),
        (lambda: sealed(bytes(4 << 20), version=2), 1),
    ],
    ids=["62 000 devices", "6 000 devices", "65 536 rows", "channels", "decompression bomb", "zstd bomb"],
)
async def test_batch_above_a_size_limit_is_quarantined_and_acknowledged_without_storing_observations(
    database: Database, gateway: GatewayInVehicle, build: Callable[[], bytes], count: int
):
    counted = CountingDatabase(database)
    cloud = await CloudUnderTest(counted).register(gateway)
    await cloud.take(gateway.send())
    before = counted.statements
    bomb = gateway.send_raw(BatchKind.OBSERVATIONS, build(), count=count)
    assert len(encode_envelope(bomb)) < 1 << 20
    (ack,) = await cloud.take(bomb, gateway.send())
    assert ack.through_sequence == 3  # the lane continues
    assert counted.statements - before < 30
    assert [row.content for row in await cloud.rows(batches)] == ["rows", "unreadable", "rows"]
    assert [row.reason for row in await cloud.rows(quarantined_batches)] == ["over_limit"]
    assert len(await cloud.rows(observations)) == 2
    assert len(await cloud.rows(devices)) == 1
    (payload,) = [payload for name, payload in await cloud.events() if name == "ingest.batch_set_aside"]
    assert (payload["sequence"], payload["why"]) == (2, "over_limit")
    reports = [report async for report in CustodyCheck(database, cloud.clock, OPERATOR, with_rows=True).reports(None)]
    assert all(report.intact for report in reports)


async def test_batch_with_the_maximum_number_of_observations_is_stored(database: Database, gateway: GatewayInVehicle):
    cloud = await CloudUnderTest(database).register(gateway)
    block = block_of_zeros(BLOCK_OBSERVATIONS_MAX, wall_offset_us=NOW_US)
    await cloud.take(gateway.send_raw(BatchKind.OBSERVATIONS, block, count=BLOCK_OBSERVATIONS_MAX))
    assert len(await cloud.rows(observations)) == BLOCK_OBSERVATIONS_MAX


@pytest.mark.finding("reliability-E")
async def test_measurements_that_a_device_repeats_from_its_memory_are_counted_for_each_lane(
    database: Database, gateway: GatewayInVehicle
):
    cloud = await CloudUnderTest(database).register(gateway)
    memory = [section(readings(97.0, 96.0, 95.0), stored=True, device_offset_us=0)]
    await cloud.take(gateway.send_sections(memory), gateway.send_sections(memory))
    await cloud.take(gateway.send_sections(memory))
    stored = len(await cloud.rows(observations))
    (lane,) = await cloud.rows(lanes)
    assert lane.repeated + stored == 9
    again = gateway.send_sections(memory)
    await cloud.take(again)
    await cloud.take(again)  # resent by the gateway: not a repeat of the device
    (lane,) = await cloud.rows(lanes)
    assert lane.repeated + len(await cloud.rows(observations)) == 12


async def test_values_refused_by_every_database_do_not_split_the_transaction_of_a_batch_group(
    database: Database, gateway: GatewayInVehicle
):
    """Dividing a group costs each of its gateways a transaction of its own."""
    cloud = await CloudUnderTest(database).register(gateway)
    last = INTEGER_MAX
    gap = gateway.gap([gateway.send(lane=Lane.WAVEFORM)])
    far_gap = replace(decode_gap(gap.batch.payload), through_sequence=last)
    unstorable = GatewayEvent(name="device\0", at_us=NOW_US, boot_id="boot-1", device="\0", fields={})
    status = Status(
        gateway=gateway.gateway, epoch="epoch-a", online=True, at_us=NOW_US, boot_id="boot-1", software="\0", marks={}
    )
    poisons = [
        gateway.signed(replace(gap.batch, payload=encode_gap(far_gap))),
        gateway.send_raw(BatchKind.EVENT, encode_event(unstorable), lane=Lane.EVENT),
        cloud.handover.status_delivery(status),
    ]
    with capture_logs() as logs:
        acks = await cloud.take(gateway.send(), *poisons)
    assert "ingest.group_divided" not in [one["event"] for one in logs]
    assert {ack.lane: ack.through_sequence for ack in acks} == {Lane.NUMERIC: 1, Lane.WAVEFORM: 1, Lane.EVENT: 1}


def test_envelope_with_a_sequence_above_the_maximum_is_refused(gateway: GatewayInVehicle):
    whole = encode_envelope(gateway.signed(replace(gateway.send().batch, sequence=SEQUENCE_MAX)))
    assert decode_envelope(whole).batch.sequence == SEQUENCE_MAX
    assert whole.count(_varint(SEQUENCE_MAX)) == 1
    with pytest.raises(RemoteProtocolError):
        decode_envelope(whole.replace(_varint(SEQUENCE_MAX), _varint(INTEGER_MAX)))


def _varint(number: int) -> bytes:
    writer = WireWriter()
    writer.varint(number)
    return writer.take()
