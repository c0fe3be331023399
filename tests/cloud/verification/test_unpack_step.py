"""Batches that an earlier release could not read are unpacked in the background after an upgrade."""

import asyncio
from dataclasses import replace

import pytest

from cloud.clinical.devices import Devices
from cloud.clinical.observations.tables import observations
from cloud.foundation.db import Database
from cloud.foundation.steps import StepRunner, StepStore
from cloud.vehicles.custody import Reason, batches, quarantined_batches
from cloud.vehicles.ingest.opening import UnreadablePayload
from cloud.vehicles.verification.unpack_step import UNPACKED_MAX, unpack_step
from protocols.uplink.envelope import BatchKind, Envelope
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle) -> CloudUnderTest:
    return await CloudUnderTest(database).register(gateway)


async def take_unread(cloud: CloudUnderTest, *envelopes: Envelope, reason: Reason = Reason.UNREADABLE) -> None:
    """Ingest these batches as a cloud that does not write their rows."""
    for group in await cloud.ingest.opener.open([cloud.handover.delivery(one) for one in envelopes]):
        group.opened = [replace(one, content=UnreadablePayload("as a test", reason)) for one in group.opened]
        await cloud.ingest.write(group, cloud.handover)


async def run_step(cloud: CloudUnderTest) -> int:
    """Run the step in a new process; return the number of batches that it has looked at in all."""
    step = unpack_step(Devices(cloud.ids))
    await StepRunner(cloud.database, cloud.clock, [step]).turn(asyncio.Event())
    async with cloud.database.read() as tx:
        (state,) = await StepStore().list(tx)
    assert (state.finished_at_us, state.failure) == (cloud.clock.now_us(), None)
    return state.rows_done


async def test_unread_batches_are_unpacked_once_among_all_others(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    unread = gateway.many(2 * UNPACKED_MAX + 1)
    await take_unread(cloud, unread[0])
    await cloud.take(*gateway.many(3), gateway.send_event())
    await take_unread(cloud, *unread[1:], gateway.send_event("device.disconnected"))
    await cloud.take(gateway.send(50.0))
    assert len(await cloud.rows(observations)) == 4
    stored = len(await cloud.rows(batches))
    assert await run_step(cloud) == stored
    assert len(await cloud.rows(observations)) == 4 + len(unread)
    assert {row.content for row in await cloud.rows(batches)} == {"rows"}
    assert await cloud.rows(quarantined_batches) == []


async def test_batch_that_still_cannot_be_read_stays_in_quarantine(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    await cloud.take(gateway.send_raw(BatchKind.OBSERVATIONS, b"a form of tomorrow"), gateway.send())
    assert await run_step(cloud) == 2
    assert [row.reason for row in await cloud.rows(quarantined_batches)] == ["unreadable"]


async def test_batch_above_a_limit_is_left_to_the_operator(cloud: CloudUnderTest, gateway: GatewayInVehicle) -> None:
    await take_unread(cloud, gateway.send(), reason=Reason.OVER_LIMIT)
    await run_step(cloud)
    assert [row.content for row in await cloud.rows(batches)] == ["unreadable"]


async def test_chunk_looks_at_no_more_batches_than_it_may(cloud: CloudUnderTest, gateway: GatewayInVehicle) -> None:
    await cloud.take(*gateway.many(25))
    position, rows = "", []
    ended = False
    while not ended:
        async with cloud.database.transaction() as tx:
            chunk = await unpack_step(Devices(cloud.ids)).work(tx, position, 10)
        position, ended = chunk.position, chunk.ended
        rows.append(chunk.rows)
    assert rows == [10, 10, 5]
