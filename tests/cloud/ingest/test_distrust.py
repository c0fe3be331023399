"""Forged or unreadable batches are quarantined with a reason and reported to an operator; they never block the later
batches of their gateway.
"""

import random
from dataclasses import replace

import pytest

from cloud.clinical.observations.tables import observations
from cloud.foundation.db import Database
from cloud.vehicles.custody.quarantine import ROWS_MAX
from cloud.vehicles.custody.tables import batches, quarantine_overflows, quarantined_batches
from cloud.vehicles.ingest import event_types
from protocols.uplink.envelope import BatchKind, encode_envelope
from protocols.uplink.lanes import Lane
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle, readings, section
from tests.builders.ingest_nonsense import signed_nonsense


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle) -> CloudUnderTest:
    return await CloudUnderTest(database).register(gateway)


async def quarantine(cloud: CloudUnderTest) -> list[tuple[str, int | None, bool, int]]:
    """Return the quarantine rows as (reason, sequence, whether the bytes are stored, number of arrivals)."""
    rows = await cloud.rows(quarantined_batches)
    return [(row.reason, row.sequence, row.octets is not None, row.times) for row in rows]


async def told(cloud: CloudUnderTest) -> list[str]:
    return [kind for kind, _ in await cloud.events() if kind != event_types.EPOCH_STARTED]


async def test_batch_signed_by_another_key_is_quarantined_and_not_acknowledged(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    forged = GatewayInVehicle(key_seed=2).send()
    assert await cloud.take(forged) == []
    assert await cloud.take(forged) == []
    assert await quarantine(cloud) == [("forged", 1, True, 2)]
    assert await told(cloud) == [event_types.BATCH_FORGED]
    assert await cloud.rows(observations) == []
    assert len(cloud.handover.accepted) == 2


async def test_signed_batch_with_a_changed_payload_is_quarantined_as_forged(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    envelope = gateway.send(97.0)
    other = gateway.send(42.0)
    assert await cloud.take(replace(envelope, batch=replace(envelope.batch, payload=other.batch.payload))) == []
    assert await quarantine(cloud) == [("forged", 1, True, 1)]


async def test_batch_of_an_unregistered_gateway_is_quarantined_without_an_acknowledgement(cloud: CloudUnderTest):
    assert await cloud.take(GatewayInVehicle(gateway="gw_stranger").send()) == []
    assert await quarantine(cloud) == [("unknown_gateway", 1, True, 1)]
    assert await told(cloud) == []


async def test_message_that_is_not_a_valid_envelope_is_quarantined(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    whole = encode_envelope(gateway.send())
    garbage = [b"", b"\x00" * 40, whole[:-1], whole + b"\x00"]
    assert await cloud.take(*(cloud.handover.delivery(octets) for octets in garbage)) == []
    assert [reason for reason, *_ in await quarantine(cloud)] == ["malformed"] * 4


async def test_envelope_on_the_topic_of_another_lane_or_gateway_is_quarantined(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    neighbour = GatewayInVehicle(gateway="gw_neighbour", key_seed=3)
    await cloud.register_gateway(neighbour)
    octets = encode_envelope(gateway.send())
    assert await cloud.take(cloud.handover.delivery(octets, lane=Lane.WAVEFORM)) == []
    assert await cloud.take(cloud.handover.delivery(octets, gateway="gw_neighbour")) == []
    assert [reason for reason, *_ in await quarantine(cloud)] == ["malformed", "malformed"]


async def test_batch_with_a_wrong_previous_hash_is_stored_with_a_broken_link_and_reported(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    first, second = gateway.many(2)
    broken = gateway.signed(replace(second.batch, previous_hash=bytes(32)))
    (ack,) = await cloud.take(first, broken)
    assert ack.through_sequence == 2
    assert [row.link for row in await cloud.rows(batches)] == ["linked", "broken"]
    assert await quarantine(cloud) == [("chain_broken", 2, False, 1)]
    assert await told(cloud) == [event_types.CHAIN_BROKEN]
    assert len(await cloud.rows(observations)) == 2


async def test_broken_link_of_a_batch_received_out_of_order_is_reported_when_the_preceding_batch_arrives(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    first, second, third = gateway.many(3)
    await cloud.take(first, gateway.signed(replace(third.batch, previous_hash=bytes(32))))
    assert await told(cloud) == []
    await cloud.take(second)
    assert [row.link for row in await cloud.rows(batches)] == ["linked", "linked", "broken"]
    assert await quarantine(cloud) == [("chain_broken", 3, False, 1)]
    assert await told(cloud) == [event_types.CHAIN_BROKEN]


@pytest.mark.parametrize(
    ("kind", "payload", "count"),
    [
        (BatchKind.OBSERVATIONS, b"\x09not a block", 1),
        (BatchKind.EVENT, b"{}", 1),
        (BatchKind.GAP, b"[]", 0),
        (BatchKind.EPCR, b"a draft of tomorrow", 1),
    ],
)
async def test_signed_batch_with_an_unreadable_payload_does_not_block_the_next_batch_of_its_lane(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, kind: BatchKind, payload: bytes, count: int
):
    unreadable = gateway.send_raw(kind, payload, count=count)
    (ack,) = await cloud.take(unreadable, gateway.send())
    assert ack.through_sequence == 2
    assert [(row.content, row.link) for row in await cloud.rows(batches)] == [
        ("unreadable", "linked"),
        ("rows", "linked"),
    ]
    assert await quarantine(cloud) == [("unreadable", 1, False, 1)]
    assert await told(cloud) == [event_types.BATCH_UNREADABLE]


async def test_batch_with_a_time_outside_the_column_range_does_not_block_the_other_batches(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    poison = section(readings(97.0), wall_offset_us=(1 << 63) - 1)
    (ack,) = await cloud.take(gateway.send(), gateway.send_sections([poison]), gateway.send())
    assert ack.through_sequence == 3
    assert [row.content for row in await cloud.rows(batches)] == ["rows", "unreadable", "rows"]
    assert [row.sequence for row in await cloud.rows(observations)] == [1, 3]


async def test_event_batch_with_a_nul_character_does_not_block_the_other_batches(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    odd = gateway.send_event(device="a device\x00")
    acks = await cloud.take(gateway.send(), odd, gateway.send())
    assert {(ack.lane, ack.through_sequence) for ack in acks} >= {(Lane.NUMERIC, 2), (Lane.EVENT, 1)}
    contents = sorted(row.content for row in await cloud.rows(batches))
    assert contents == ["rows", "rows", "unreadable"]
    assert len(cloud.handover.accepted) == 3


@pytest.mark.parametrize("name", ["system_id", "model"])
async def test_batch_with_a_nul_character_in_a_device_name_is_stored_as_unreadable(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, name: str
):
    odd = section(readings(97.0), device=replace(section([]).device, **{name: "Synthetic\x00"}))
    (ack,) = await cloud.take(gateway.send(), gateway.send_sections([odd]), gateway.send())
    assert ack.through_sequence == 3
    assert [row.content for row in await cloud.rows(batches)] == ["rows", "unreadable", "rows"]


@pytest.mark.parametrize("seed", range(2))
async def test_batch_after_signed_batches_with_random_payloads_is_stored(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, seed: int
):
    envelopes = signed_nonsense(gateway, random.Random(seed), count=40)
    acks = await cloud.take(*envelopes, gateway.send())
    assert acks[-1].through_sequence == 41
    contents = [row.content for row in await cloud.rows(batches)]
    assert len(contents) == 41
    assert {"rows", "unreadable"} == set(contents)
    assert len(cloud.handover.accepted) == 41


async def test_quarantined_batches_of_one_gateway_are_stored_up_to_a_limit_and_then_only_counted(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    rival = GatewayInVehicle(key_seed=2)
    forged = rival.many(ROWS_MAX + 3)
    for begin in range(0, len(forged), 50):
        await cloud.take(*forged[begin : begin + 50])
    assert len(await cloud.rows(quarantined_batches)) == ROWS_MAX
    (beyond,) = await cloud.rows(quarantine_overflows)
    assert (beyond.gateway_id, beyond.reason, beyond.times) == ("gw_test", "forged", 3)


async def test_quarantined_batches_of_all_unregistered_gateways_share_one_limit(cloud: CloudUnderTest):
    arrivals = [
        cloud.handover.delivery(b"garbage %d" % number, gateway=f"gw_{number}") for number in range(ROWS_MAX + 2)
    ]
    await cloud.take(*arrivals)
    assert len(await cloud.rows(quarantined_batches)) == ROWS_MAX
    (beyond,) = await cloud.rows(quarantine_overflows)
    assert (beyond.tenant_id, beyond.gateway_id, beyond.times) == ("", "", 2)
