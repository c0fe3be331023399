"""Waveform batches of either block version are stored as received; a cloud that cannot decode one loses nothing."""

import pytest

from cloud.clinical.devices import Devices
from cloud.clinical.observations.tables import observations
from cloud.foundation.db import Database
from cloud.vehicles.custody.tables import batches, quarantined_batches
from cloud.vehicles.verification.reprocess import Reprocessed, Reprocessing
from protocols.observation import Observation
from protocols.uplink import block_body
from protocols.uplink.envelope import BatchKind, encode_envelope
from protocols.uplink.lanes import Lane
from tests.builders.ingest_cloud import TENANT, CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.uplink_golden import WAVEFORMS, golden_octets

OBSERVATIONS: list[Observation] = [one for each in WAVEFORMS for one in each.observations]
SAMPLES = [one.samples for one in OBSERVATIONS]


@pytest.fixture
def gateway() -> GatewayInVehicle:
    return GatewayInVehicle()


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle) -> CloudUnderTest:
    return await CloudUnderTest(database).register(gateway)


@pytest.mark.parametrize("block", ["block_waveforms_v1", "block_waveforms"])
async def test_waveform_batch_is_stored_as_received_and_its_samples_as_measured(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, block: str
):
    payload = golden_octets(block)
    envelope = gateway.send_raw(BatchKind.OBSERVATIONS, payload, lane=Lane.WAVEFORM, count=len(OBSERVATIONS))
    (ack,) = await cloud.take(envelope)
    assert (ack.lane, ack.through_sequence) == (Lane.WAVEFORM, 1)
    (custody,) = await cloud.rows(batches)
    assert (custody.content, bytes(custody.envelope)) == ("rows", encode_envelope(envelope))
    rows = sorted(await cloud.rows(observations), key=lambda row: row.position)
    assert [bytes(row.samples) for row in rows] == SAMPLES


async def test_waveform_block_that_an_older_cloud_cannot_decode_is_acknowledged_and_reprocessed_after_its_update(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
):
    payload = golden_octets("block_waveforms")
    envelope = gateway.send_raw(BatchKind.OBSERVATIONS, payload, lane=Lane.WAVEFORM, count=len(OBSERVATIONS))
    with monkeypatch.context() as older:
        older.delitem(block_body.CLAUSES, block_body.WAVEFORMS)
        acks = await cloud.take(envelope, gateway.send(97.0))
    assert {(ack.lane, ack.through_sequence) for ack in acks} == {(Lane.WAVEFORM, 1), (Lane.NUMERIC, 1)}
    (quarantined,) = await cloud.rows(quarantined_batches)
    assert (quarantined.reason, quarantined.detail.split(";")[0]) == ("unreadable", "block version 2")
    assert [row.number for row in await cloud.rows(observations)] == [97.0]
    done = await Reprocessing(cloud.database, Devices(cloud.ids)).run(TENANT)
    assert done == Reprocessed(unpacked=1, observations=len(OBSERVATIONS))
    assert await cloud.rows(quarantined_batches) == []
    assert {bytes(row.samples) for row in await cloud.rows(observations) if row.samples is not None} == set(SAMPLES)
