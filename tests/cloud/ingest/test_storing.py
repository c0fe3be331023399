"""A batch is stored once, with its observations and a custody record (its signed envelope and hash); only stored
batches are acknowledged.
"""

from dataclasses import replace

import pytest

from cloud.clinical.devices.tables import devices
from cloud.clinical.observations.tables import observation_channels, observation_sources, observations
from cloud.foundation.db import Database
from cloud.vehicles.custody.tables import batches, gap_ranges, quarantined_batches
from cloud.vehicles.ingest import event_types
from cloud.vehicles.ingest.tables import gateway_events
from protocols.uplink.acks import Ack
from protocols.uplink.envelope import BatchKind, Envelope, decode_envelope, encode_envelope, verify_batch
from protocols.uplink.lanes import Lane
from tests.builders.ingest_cloud import ORGANIZATION, VEHICLE, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, OXIMETER, SPO2, GatewayInVehicle
from tests.builders.uplink_golden import WAVEFORMS, golden_octets

SAMPLES = [one.samples for each in WAVEFORMS for one in each.observations]


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle) -> CloudUnderTest:
    return await CloudUnderTest(database).register(gateway)


def numeric_ack(through: int, *missing: tuple[int, int], highest: int = 0, conflict: bool = False) -> Ack:
    return Ack(
        epoch="epoch-a",
        lane=Lane.NUMERIC,
        through_sequence=through,
        missing=missing,
        highest_sequence=highest,
        conflict=conflict,
    )


async def answered(cloud: CloudUnderTest, *arrivals: Envelope) -> list[Ack]:
    """Ingest these batches as one group; return the acknowledgements without their hashes."""
    return [replace(ack, through_hash=None) for ack in await cloud.take(*arrivals)]


async def test_batch_is_stored_with_its_observations_and_envelope_and_acknowledged(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    envelope = gateway.send(97.0, 96.0)
    assert await answered(cloud, envelope) == [numeric_ack(1)]
    rows = await cloud.rows(observations)
    assert [(row.sequence, row.position, row.number, row.received_at_us - NOW_US) for row in rows] == [
        (1, 0, 97.0, 1_000_000),
        (1, 1, 96.0, 2_000_000),
    ]
    (custody,) = await cloud.rows(batches)
    assert (custody.link, custody.content, custody.count) == ("linked", "rows", 2)
    assert (custody.organization_id, custody.vehicle_id) == (ORGANIZATION, VEHICLE)
    kept = decode_envelope(bytes(custody.envelope))
    assert verify_batch(kept.batch, kept.signature, gateway.public_key)
    assert kept.batch.hash == bytes(custody.hash)


async def test_unenrolled_device_is_stored_once_with_its_vehicle_and_its_channel(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send(97.0), gateway.send(96.0))
    await cloud.take(gateway.send(95.0))
    (device,) = await cloud.rows(devices)
    assert (device.system_id, device.status) == (OXIMETER.system_id, "unenrolled")
    (source,) = await cloud.rows(observation_sources)
    assert (source.device_id, source.vehicle_id, source.origin) == (device.id, VEHICLE, "vehicle")
    (channel,) = await cloud.rows(observation_channels)
    assert (channel.type_partition, channel.type_code, channel.handle) == (*SPO2.type, SPO2.handle)
    assert len(await cloud.rows(observations)) == 3


async def test_group_of_batches_gets_one_acknowledgement_for_each_lane(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    numeric, waveform = gateway.many(5), gateway.many(2, lane=Lane.WAVEFORM)
    acks = await cloud.take(*numeric, *waveform)
    assert [(ack.lane, ack.through_sequence) for ack in acks] == [(Lane.NUMERIC, 5), (Lane.WAVEFORM, 2)]
    assert len(cloud.handover.accepted) == 7


async def test_repeated_batch_adds_no_rows_and_is_acknowledged_again(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    first, second = gateway.many(2)
    await cloud.take(first, second)
    assert await answered(cloud, first) == [numeric_ack(2)]
    assert await answered(cloud, second, first, second) == [numeric_ack(2)]
    assert len(await cloud.rows(observations)) == len(await cloud.rows(batches)) == 2


async def test_batch_received_twice_in_one_group_is_stored_once(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    envelope = gateway.send()
    assert await answered(cloud, envelope, envelope) == [numeric_ack(1)]
    assert len(await cloud.rows(observations)) == 1


async def test_batches_out_of_order_are_stored_and_the_acknowledgement_lists_the_missing_ranges(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    sent = gateway.many(6)
    assert await answered(cloud, sent[4], sent[2]) == [numeric_ack(0, (1, 2), (4, 4), highest=5)]
    assert [row.link for row in await cloud.rows(batches)] == ["pending", "pending"]
    assert await answered(cloud, *sent[:2]) == [numeric_ack(3, (4, 4), highest=5)]
    assert await answered(cloud, sent[3], sent[5]) == [numeric_ack(6)]
    assert {row.link for row in await cloud.rows(batches)} == {"linked"}


async def test_equal_readings_are_stored_as_separate_observations(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(gateway.send(97.0, 97.0, 97.0))
    assert [row.number for row in await cloud.rows(observations)] == [97.0, 97.0, 97.0]


async def test_declared_gap_covers_only_missing_sequences_and_the_next_batch_is_stored(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    sent = gateway.many(6)
    await cloud.take(sent[0], sent[2])
    assert await answered(cloud, gateway.gap(sent[1:5])) == [numeric_ack(5)]
    assert await answered(cloud, sent[5]) == [numeric_ack(6)]
    (gap,) = await cloud.rows(gap_ranges)
    assert (gap.sequence, gap.through_sequence, gap.why, gap.link) == (2, 5, "disk_budget", "linked")
    assert [row.sequence for row in await cloud.rows(batches)] == [1, 3, 6]
    # No hash links the batch after a replaced one to it; the rest is linked.
    assert [row.link for row in await cloud.rows(batches)] == ["linked", "pending", "linked"]


async def test_wider_declared_gap_and_a_late_batch_inside_it_are_stored_without_a_conflict(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    sent = gateway.many(5)
    await cloud.take(sent[0], gateway.gap(sent[1:3]))
    assert await answered(cloud, gateway.gap(sent[1:4])) == [numeric_ack(4)]
    assert await answered(cloud, gateway.gap(sent[1:3])) == [numeric_ack(4)]
    assert await answered(cloud, sent[2], sent[4]) == [numeric_ack(5)]
    assert len(await cloud.rows(gap_ranges)) == 2
    assert len(await cloud.rows(observations)) == 3
    assert await cloud.rows(quarantined_batches) == []


async def test_event_batch_of_a_gateway_is_stored_as_an_event_row(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    (ack,) = await cloud.take(gateway.send_event("device.connected"))
    assert (ack.lane, ack.through_sequence) == (Lane.EVENT, 1)
    (event,) = await cloud.rows(gateway_events)
    assert (event.name, event.device, event.fields) == ("device.connected", OXIMETER.system_id, '{"attempt":1}')


async def test_first_batch_of_a_gateway_starts_its_epoch_and_publishes_the_epoch_started_event(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(*gateway.many(2))
    assert await cloud.events() == [
        (event_types.EPOCH_STARTED, {"gateway_id": "gw_test", "epoch": "epoch-a", "replaces": None})
    ]


async def test_acknowledgement_contains_the_hash_of_the_batch_at_the_through_sequence(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    sent = gateway.many(5)
    assert [ack.through_hash for ack in await cloud.take(*sent[:2])] == [sent[1].batch.hash]
    assert [ack.through_hash for ack in await cloud.take(gateway.gap(sent[2:4]))] == [sent[3].batch.hash]
    assert [ack.through_hash for ack in await cloud.take(sent[4])] == [sent[4].batch.hash]


async def test_historical_flag_and_valid_traceparent_of_a_batch_are_stored(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    first, second = gateway.many(2)
    await cloud.take(replace(first, historical=True, traceparent=trace), replace(second, traceparent="\x00nonsense"))
    kept = [(bool(row.historical), row.traceparent) for row in await cloud.rows(batches)]
    assert kept == [(True, trace), (False, None)]


async def test_batch_is_acknowledged_when_resent_after_its_acknowledgement_could_not_be_sent(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    cloud.handover.reachable = False
    envelope = gateway.send()
    assert await cloud.take(envelope) == []
    cloud.handover.reachable = True
    assert await answered(cloud, envelope) == [numeric_ack(1)]
    assert len(await cloud.rows(observations)) == 1


@pytest.mark.parametrize("block", ["block_waveforms_v1", "block_waveforms"])
async def test_waveform_batch_is_stored_as_received_and_its_samples_as_measured(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, block: str
):
    payload = golden_octets(block)
    envelope = gateway.send_raw(BatchKind.OBSERVATIONS, payload, lane=Lane.WAVEFORM, count=len(SAMPLES))
    (ack,) = await cloud.take(envelope)
    assert (ack.lane, ack.through_sequence) == (Lane.WAVEFORM, 1)
    (custody,) = await cloud.rows(batches)
    assert (custody.content, bytes(custody.envelope)) == ("rows", encode_envelope(envelope))
    rows = sorted(await cloud.rows(observations), key=lambda row: row.position)
    assert [bytes(row.samples) for row in rows] == SAMPLES
