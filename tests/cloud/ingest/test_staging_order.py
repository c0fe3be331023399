"""The batches of a lane keep their order, whether they are staged or written at once."""

import asyncio
from pathlib import Path

import pytest

from cloud.clinical.observations.tables import observations
from cloud.foundation.db import Database
from cloud.foundation.objects import LocalObjects, StoredObject
from cloud.vehicles.ingest import staged_envelopes, staging
from cloud.vehicles.ingest.delivery_group import Group
from protocols.uplink.channels import DeviceRef
from protocols.uplink.lanes import Lane
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle, readings, section
from tests.builders.ingest_source import ListedSource
from tests.harness.eventually import eventually


class HeldObjects(LocalObjects):
    """A folder of objects whose puts can be held."""

    _released: asyncio.Event | None = None

    def hold_puts(self) -> asyncio.Event:
        """Let puts wait until `release_puts`. Return an event that is set when one waits."""
        self._waits, self._released = asyncio.Event(), asyncio.Event()
        return self._waits

    def release_puts(self) -> None:
        assert self._released is not None
        self._released.set()

    async def put(self, name: str, data: bytes) -> StoredObject:
        if self._released is not None:
            self._waits.set()
            await self._released.wait()
        return await super().put(name, data)


@pytest.fixture
def store(tmp_path: Path) -> HeldObjects:
    return HeldObjects(tmp_path / "objects")


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle, store: HeldObjects) -> CloudUnderTest:
    """A cloud that has received the first batch of numerics."""
    made = await CloudUnderTest(database, objects=store, staged=True).register(gateway)
    await made.arrive(gateway.send(97.0))
    return made


async def sequences(cloud: CloudUnderTest) -> list[int]:
    return [row.sequence for row in await cloud.rows(observations)]


@pytest.mark.parametrize("limit", ["GATEWAY_BYTES_MAX", "GATEWAY_BATCHES_MAX", "GATEWAY_ROWS_MAX"])
async def test_batches_that_do_not_fit_into_one_object_are_acknowledged_in_their_order(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(staging, limit, 1)
    acks = await cloud.arrive(gateway.send(98.0), gateway.send(99.0), gateway.send(96.0))
    assert [(ack.through_sequence, ack.missing) for ack in acks] == [(4, ())]
    assert await sequences(cloud) == [1, 2, 3, 4]


async def test_batch_that_may_not_be_staged_waits_for_the_object_of_those_before_it(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    other = DeviceRef("00000000000000aa", "Thermometer")
    sent = [gateway.send(98.0), gateway.send_sections([section(readings(36.6), device=other)]), gateway.send(99.0)]
    (group,) = await cloud.ingest.opener.open([cloud.handover.delivery(one) for one in sent])
    cloud.stage.admit(group)
    assert group.deliveries == []
    assert await sequences(cloud) == [1]


async def test_batch_that_waits_for_the_object_of_those_before_it_is_written_although_no_other_arrives(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: HeldObjects
) -> None:
    other = section(readings(36.6), device=DeviceRef("00000000000000aa", "Thermometer"))
    sent = gateway.send(98.0), gateway.send_sections([other])
    group, behind = [(await cloud.ingest.opener.open([cloud.handover.delivery(one)]))[0] for one in sent]
    cloud.stage.admit(group)
    putting = store.hold_puts()
    written: asyncio.Queue[Group] = asyncio.Queue()
    async with asyncio.timeout(60):
        run = asyncio.create_task(cloud.stage.run(cloud.send, written.put))
        await putting.wait()
        cloud.stage.admit(behind)
        store.release_puts()
        assert [one.batch.sequence for one in (await written.get()).opened] == [3]
    run.cancel()


async def test_no_batch_is_staged_while_a_later_one_of_its_lane_waits_to_be_written(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    second, third = gateway.send(98.0), gateway.send(99.0)
    (later,) = await cloud.ingest.opener.open([cloud.handover.delivery(third)])
    cloud.stage.admit(later)
    (again,) = await cloud.ingest.opener.open([cloud.handover.delivery(GatewayInVehicle().send(97.0))])
    cloud.stage.admit(again)
    await cloud.ingest.write(again, cloud.handover)  # a duplicate: its acknowledgement has the end of the lane
    (missing,) = await cloud.ingest.opener.open([cloud.handover.delivery(second)])
    cloud.stage.admit(missing)
    assert [one.batch.sequence for one in missing.opened] == [2]


@pytest.fixture
async def full_cloud(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
) -> CloudUnderTest:
    """The cloud, without room for further staged batches."""
    monkeypatch.setattr(staged_envelopes, "NUMERICS_MAX", 1)
    await cloud.arrive(gateway.send(98.0, 99.0, 98.0, 99.0))
    return cloud


async def test_batches_beyond_the_room_for_staged_ones_are_written_at_once(
    full_cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    await full_cloud.arrive(gateway.send(96.0))
    assert (await sequences(full_cloud))[-1] == 3


async def test_batches_wait_for_the_room_that_the_writer_of_staged_rows_makes(full_cloud: CloudUnderTest) -> None:
    async with asyncio.timeout(staged_envelopes.ROOM_WAIT_S / 2):
        waiting = asyncio.create_task(full_cloud.stage.wait_for_room())
        await asyncio.sleep(0)
        assert not waiting.done()
        await full_cloud.staged.flush()
        await waiting
    assert full_cloud.stage.unwritten.has_room


async def test_batches_do_not_wait_for_room_for_long_or_while_the_object_store_is_unavailable(
    full_cloud: CloudUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staged_envelopes, "ROOM_WAIT_S", 0.0)
    await full_cloud.stage.wait_for_room()
    assert not full_cloud.stage.unwritten.has_room
    monkeypatch.setattr(staged_envelopes, "ROOM_WAIT_S", 1e9)
    full_cloud.stage.outage.begin()
    await full_cloud.stage.wait_for_room()


async def test_events_do_not_wait_behind_live_batches_that_wait_for_room(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = asyncio.Event()

    async def wait_for_ever() -> None:
        waiting.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(cloud.stage, "wait_for_room", wait_for_ever)
    source = ListedSource([cloud.handover.delivery(gateway.send(98.0))])
    running = asyncio.ensure_future(cloud.ingest.run(source, cloud.handover))
    async with asyncio.timeout(60):
        await waiting.wait()
    source.add(cloud.handover.delivery(gateway.send_event()))
    await eventually(lambda: Lane.EVENT in [ack.lane for _, ack in cloud.handover.acks])
    running.cancel()
    await asyncio.wait([running])
    assert [ack.through_sequence for _, ack in cloud.handover.acks if ack.lane is Lane.NUMERIC] == [1]


async def test_gateway_that_has_used_its_share_of_the_room_leaves_the_rest_to_others(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = GatewayInVehicle(gateway="gw_other", key_seed=2)
    await cloud.register_gateway(other)
    await cloud.arrive(other.send(60.0))
    monkeypatch.setattr(staged_envelopes, "NUMERICS_MAX", 2)
    await cloud.arrive(gateway.send(98.0, 99.0))
    await cloud.arrive(gateway.send(96.0), other.send(61.0))
    staged = {key.gateway_id: end.last for key, end in cloud.stage.unwritten.ends().items()}
    assert staged == {"gw_other": 2}
