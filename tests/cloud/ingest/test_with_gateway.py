"""The gateway's real store and uplink, a broker, and the cloud's real ingest together."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloud.clinical.devices import Devices
from cloud.clinical.observations.export import export_observations
from cloud.foundation.clock import SystemClock
from cloud.foundation.db import Database, open_database
from cloud.vehicles.custody.tables import batches, quarantined_batches
from cloud.vehicles.fleet.tables import gateways
from cloud.vehicles.ingest import BrokerAddress, event_types, make_ingest
from cloud.vehicles.verification.check import CustodyCheck
from gateway.sessions.clocks.timekeeping import Timekeeping
from gateway.sessions.clocks.trusted_clock import TrustedClock
from protocols.observation_record import to_json
from protocols.uplink.events import GatewayEvent
from protocols.uplink.lanes import Lane
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.received_batches import RECEIVED
from tests.builders.uplink_blocks import numeric_section
from tests.builders.uplink_gateway import TestGateway, gateway_store, sending
from tests.harness.broker import CLOUD_USER, GATEWAY, Broker, broker_running, password_of
from tests.harness.eventually import eventually
from tests.harness.moved_clock import MovedClock

pytestmark = pytest.mark.broker


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with broker_running(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[TestGateway]:
    async with gateway_store(tmp_path / "gateway") as gateway:
        yield gateway


@pytest.fixture
async def cloud(database: Database, gateway: TestGateway) -> CloudUnderTest:
    return await cloud_of(database, gateway)


async def cloud_of(database: Database, gateway: TestGateway) -> CloudUnderTest:
    cloud = await CloudUnderTest(database).register()
    await cloud.register_key(GATEWAY, gateway.identity.public_key)
    return cloud


@asynccontextmanager
async def ingesting(cloud: CloudUnderTest, broker: Broker) -> AsyncIterator[None]:
    address = BrokerAddress(url=broker.url, username=CLOUD_USER, password=password_of(CLOUD_USER))
    running = make_ingest(cloud.database, address, SystemClock(), cloud.ids, spans=cloud.spans)
    task = asyncio.ensure_future(running.run())
    try:
        await eventually(lambda: running.unready() is None, what="ingest is connected")
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def exported(cloud: CloudUnderTest) -> list[dict[str, Any]]:
    found = export_observations(cloud.database, OPERATOR, Devices(cloud.ids), RECEIVED, hidden=True)
    return sorted([document async for document in found], key=_place)


async def buffered(gateway: TestGateway) -> list[dict[str, Any]]:
    """Return the observations in the gateway's store, in the form and order of an export."""
    return sorted([to_json(record) async for record in gateway.buffer.records(limit=10_000)], key=_place)


def _place(document: dict[str, Any]) -> tuple[str, str, int, int]:
    return document["epoch"], document["lane"], document["sequence"], document["index"]


async def whole(cloud: CloudUnderTest) -> bool:
    """Return whether the custody check finds the hash chain of every lane (one of the gateway's queues) intact."""
    reports = [report async for report in CustodyCheck(cloud.database, cloud.clock, OPERATOR).reports()]
    return bool(reports) and all(report.intact for report in reports)


async def test_gateway_and_cloud_export_the_same_observations_after_a_broker_outage(
    cloud: CloudUnderTest, gateway: TestGateway, broker: Broker
):
    await gateway.measure(40)
    async with ingesting(cloud, broker), sending(gateway.uplink(broker)):
        await gateway.measure(5, first=40)
        await eventually(gateway.all_acked)
        await broker.kill()
        await gateway.measure(10, first=45)
        await broker.start()
        await eventually(gateway.all_acked)
    rows = await exported(cloud)
    assert rows == await buffered(gateway)
    assert len(rows) == 55 * 3
    assert await whole(cloud)


async def test_measurements_taken_while_the_ingest_is_stopped_are_stored_after_its_restart(
    cloud: CloudUnderTest, gateway: TestGateway, broker: Broker
):
    async with sending(gateway.uplink(broker)):
        async with ingesting(cloud, broker):
            await gateway.measure(5)
            await eventually(gateway.all_acked)
        await gateway.measure(20, first=5)
        async with ingesting(cloud, broker):
            await eventually(gateway.all_acked)
    assert await exported(cloud) == await buffered(gateway)


async def test_cloud_restored_from_a_copy_receives_the_lost_batches_again(
    migrated_sqlite: Path, tmp_path: Path, gateway: TestGateway, broker: Broker
):
    path, copy = tmp_path / "cloud.db", tmp_path / "yesterday.db"
    shutil.copy(migrated_sqlite, path)
    database = await open_database(f"sqlite:///{path}")
    cloud = await cloud_of(database, gateway)
    async with sending(gateway.uplink(broker)):
        async with ingesting(cloud, broker):
            await gateway.measure(5)
            await eventually(gateway.all_acked)
        await database.close()
        shutil.copy(path, copy)
        database = await open_database(f"sqlite:///{path}")
        async with ingesting(CloudUnderTest(database), broker):
            await gateway.measure(15, first=5)
            await eventually(gateway.all_acked)
        await database.close()
        for old in tmp_path.glob("cloud.db*"):
            old.unlink()
        shutil.copy(copy, path)
        restored = CloudUnderTest(await open_database(f"sqlite:///{path}"))
        async with ingesting(restored, broker):
            await gateway.measure(1, first=20)
            await eventually(lambda: complete(restored, gateway))
    assert await exported(restored) == await buffered(gateway)
    assert await whole(restored)
    await restored.database.close()


async def complete(cloud: CloudUnderTest, gateway: TestGateway) -> bool:
    held = [row.sequence for row in await cloud.rows(batches)]
    return gateway.all_acked() and held == list(range(1, gateway.last(Lane.NUMERIC) + 1))


async def test_gateway_with_a_replaced_store_continues_with_a_new_epoch(
    cloud: CloudUnderTest, gateway: TestGateway, broker: Broker, tmp_path: Path
):
    async with ingesting(cloud, broker):
        async with sending(gateway.uplink(broker)):
            await gateway.measure(3)
            await eventually(gateway.all_acked)
        async with gateway_store(tmp_path / "replacement", identity=gateway.identity) as replacement:
            async with sending(replacement.uplink(broker)):
                await replacement.measure(2)
                await eventually(replacement.all_acked)
            everything = sorted([*await buffered(gateway), *await buffered(replacement)], key=_place)
            assert await exported(cloud) == everything
            told = [payload for kind, payload in await cloud.events() if kind == event_types.EPOCH_STARTED]
            assert [payload["replaces"] for payload in told] == [None, gateway.buffer.epoch]


async def test_second_gateway_with_a_copied_store_is_reported_as_contested_and_keeps_its_batches(
    database: Database, broker: Broker, tmp_path: Path
):
    async with gateway_store(tmp_path / "one") as made:
        await made.measure(1)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(gateway_store(tmp_path / "one"))
        two = await stack.enter_async_context(gateway_store(tmp_path / "two", identity=one.identity))
        cloud = await cloud_of(database, one)
        await stack.enter_async_context(ingesting(cloud, broker))
        await one.measure(2, first=10)
        await two.measure(2, first=90)
        async with sending(one.uplink(broker)):
            await eventually(one.all_acked)
        async with sending(two.uplink(broker)) as uplink:
            await eventually(lambda: uplink.state.contested)
        assert await exported(cloud) == await buffered(one)
        # The gateway with the copied store noticed the other one by the hash in the acknowledgement: it sent nothing,
        # keeps its batches, and reports the conflict.
        assert two.acked() < two.last()
        assert len(await buffered(two)) == 9

        async def heard() -> bool:
            (row,) = await cloud.rows(gateways)
            return bool(row.store_state == "contested")

        await eventually(heard, what="the cloud has been told of the contested identity")
        assert await cloud.rows(quarantined_batches) == []


@pytest.mark.finding("reliability-D")
async def test_observations_stored_with_a_1970_clock_get_true_times_after_the_gateway_clock_is_synchronised(
    cloud: CloudUnderTest, gateway: TestGateway, broker: Broker
):
    system, known = MovedClock(monotonic_s=100.0, wall_us=0), [False]
    clock = TrustedClock(system, disciplined=lambda: 1000 if known[0] else None)
    section = replace(numeric_section(3), wall_offset_us=clock.wall_us() - 100_000_000, wall_synchronised=False)
    await gateway.buffer.append_sections([replace(section, boot_id=clock.boot_id)])
    timekeeping = Timekeeping(clock)
    following = asyncio.ensure_future(timekeeping.follow(gateway.buffer, lambda: None))
    async with ingesting(cloud, broker), sending(gateway.uplink(broker)):
        await eventually(lambda: gateway.all_acked() and gateway.all_acked(Lane.EVENT))
        raw = await exported(cloud)
        system.set_wall_us(1_795_000_000_000_000)
        known[0] = True

        async def second() -> bool:
            await system.advance(1.0)
            return bool(timekeeping.boots.anchors)

        await eventually(second, what="an anchor")
        await eventually(lambda: gateway.all_acked(Lane.EVENT))
        dated = await exported(cloud)
    following.cancel()
    assert [row["uncertainty_ms"] for row in raw] == [None] * 3
    assert all(row["observed_at"] < "2026-02" for row in raw)
    assert all(row["uncertainty_ms"] is not None for row in dated)
    assert all(row["observed_at"] > "2026-11-17" for row in dated)
    assert [row["received_at"] for row in dated] == [row["received_at"] for row in raw]


@pytest.mark.contract("C-147")
async def test_trace_of_an_event_has_its_publishing_by_user_properties_through_the_broker(
    cloud: CloudUnderTest, gateway: TestGateway, broker: Broker
):
    at_us = SystemClock().now_us()
    event = GatewayEvent(name="device.connected", at_us=at_us, boot_id="boot-1", device="0011223344556677", fields={})
    async with ingesting(cloud, broker), sending(gateway.uplink(broker)):
        await gateway.buffer.append_event(event)
        await eventually(lambda: gateway.all_acked(Lane.EVENT))
    (batch,) = await cloud.rows(batches, batches.c.kind == "event")
    await cloud.spans.flush()
    async with cloud.database.read() as tx:
        found, whole_trace = await cloud.spans.find(tx, OPERATOR, batch.hash[:16].hex())
    spans = {span.name: span for span in found}
    assert whole_trace
    assert spans.keys() == {"vehicle.batch", "device.report", "batch.commit", "batch.publish", "batch.ingest"}
    assert spans["batch.commit"].started_at_us == batch.created_at_us <= spans["batch.publish"].started_at_us
    assert spans["batch.publish"].ended_at_us == batch.received_at_us
