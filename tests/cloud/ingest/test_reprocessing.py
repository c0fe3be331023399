"""A batch that an older cloud could not decode is decoded after the upgrade, with the same result as a new batch."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from cloud.access.tenancy import Tenancy
from cloud.clinical.devices import Devices
from cloud.clinical.observations.tables import observation_sources, observations
from cloud.foundation.db import ConstraintViolated, Database, TransactionTooSlow, ValueRefused
from cloud.foundation.errors import DomainError
from cloud.vehicles.custody import HeldBatch
from cloud.vehicles.custody.tables import batches, quarantined_batches
from cloud.vehicles.fleet.tables import gateways
from cloud.vehicles.ingest.kept_rows import Added, KeptRows
from cloud.vehicles.ingest.opening import UnreadablePayload
from cloud.vehicles.ingest.tables import gateway_events
from cloud.vehicles.verification.reprocess import PAGE_BATCHES, Reprocessed, Reprocessing
from protocols.uplink import block_body
from protocols.uplink.envelope import BatchKind, Envelope
from protocols.uplink.lanes import Lane
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, TENANT, CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.uplink_golden import WAVEFORMS, golden_octets

SAMPLES = [one.samples for each in WAVEFORMS for one in each.observations]


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle) -> CloudUnderTest:
    return await CloudUnderTest(database).register(gateway)


async def take_unread(cloud: CloudUnderTest, *envelopes: Envelope) -> None:
    """Ingest these batches as an older cloud that cannot decode their payloads."""
    for group in await cloud.ingest.opener.open([cloud.handover.delivery(one) for one in envelopes]):
        group.opened = [replace(one, content=UnreadablePayload("a form of tomorrow")) for one in group.opened]
        await cloud.ingest.write(group, cloud.handover)


async def reprocessed(cloud: CloudUnderTest) -> Reprocessed:
    return await Reprocessing(cloud.database, Devices(cloud.ids)).run(TENANT)


async def test_reprocessed_batches_are_stored_once_and_removed_from_quarantine(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    unread = gateway.many(PAGE_BATCHES + 5)
    await take_unread(cloud, *unread, gateway.send_event())
    await cloud.take(gateway.send(50.0))
    assert len(await cloud.rows(observations)) == 1
    done = await reprocessed(cloud)
    assert done == Reprocessed(unpacked=len(unread) + 1, observations=len(unread))
    assert len(await cloud.rows(observations)) == len(unread) + 1
    assert len(await cloud.rows(gateway_events)) == 1
    assert {row.content for row in await cloud.rows(batches)} == {"rows"}
    assert await cloud.rows(quarantined_batches) == []
    assert await reprocessed(cloud) == Reprocessed()


async def test_batch_that_is_still_unreadable_when_reprocessed_stays_in_quarantine(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send_raw(BatchKind.OBSERVATIONS, b"\x09a form of the day after tomorrow"))
    assert await reprocessed(cloud) == Reprocessed(still_unreadable=1)
    assert [row.reason for row in await cloud.rows(quarantined_batches)] == ["unreadable"]


@pytest.mark.parametrize("error", [ValueRefused, ConstraintViolated, TransactionTooSlow])
async def test_batch_refused_by_the_database_is_counted_and_later_batches_are_reprocessed(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch, error: type[DomainError]
):
    write = KeptRows.write

    async def refused_at_first(self: KeptRows, held: HeldBatch, *more: Any) -> Added:
        if held.sequence == 1:
            raise error
        return await write(self, held, *more)

    monkeypatch.setattr(KeptRows, "write", refused_at_first)
    await take_unread(cloud, gateway.send(97.0), gateway.send(98.0))
    assert await reprocessed(cloud) == Reprocessed(unpacked=1, observations=1, still_unreadable=1)
    assert [row.sequence for row in await cloud.rows(observations)] == [2]


async def test_reprocessed_observations_keep_the_organisation_that_the_gateway_had_at_reception(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await take_unread(cloud, gateway.send(97.0))
    tenancy = Tenancy(cloud.database, cloud.clock, cloud.ids)
    await tenancy.add_organization(OPERATOR, "Synthetic Neighbour", id="org_neighbour")
    async with cloud.database.transaction() as tx:
        await tx.execute(update(gateways).values(organization_id="org_neighbour"))
    await reprocessed(cloud)
    assert [row.organization_id for row in await cloud.rows(observation_sources)] == [ORGANIZATION]


async def test_waveform_block_that_an_older_cloud_cannot_decode_is_acknowledged_and_reprocessed_after_its_update(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
):
    payload = golden_octets("block_waveforms")
    envelope = gateway.send_raw(BatchKind.OBSERVATIONS, payload, lane=Lane.WAVEFORM, count=len(SAMPLES))
    with monkeypatch.context() as older:
        older.delitem(block_body.CLAUSES, block_body.WAVEFORMS)
        acks = await cloud.take(envelope, gateway.send(97.0))
    assert {(ack.lane, ack.through_sequence) for ack in acks} == {(Lane.WAVEFORM, 1), (Lane.NUMERIC, 1)}
    (quarantined,) = await cloud.rows(quarantined_batches)
    assert (quarantined.reason, quarantined.detail.split(";")[0]) == ("unreadable", "block version 2")
    assert [row.number for row in await cloud.rows(observations)] == [97.0]
    assert await reprocessed(cloud) == Reprocessed(unpacked=1, observations=len(SAMPLES))
    assert await cloud.rows(quarantined_batches) == []
    assert {bytes(row.samples) for row in await cloud.rows(observations) if row.samples is not None} == set(SAMPLES)
