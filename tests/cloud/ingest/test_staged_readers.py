"""Readers find the rows of every acknowledged batch, also those that another process has staged."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from cloud.clinical.observations.tables import observations
from cloud.clinical.waveforms import waveform_runs
from cloud.foundation.arrivals import WantedDevices
from cloud.foundation.command import Workplace
from cloud.foundation.db import Database, DatabaseUnavailable
from cloud.foundation.objects import ListedObject, LocalObjects, ObjectStoreUnavailable, StoredObject
from cloud.foundation.supplies import Supplies
from cloud.settings import read_settings
from cloud.vehicles.ingest import staged_elsewhere, staged_requests
from cloud.vehicles.ingest.running import settle_of
from cloud.vehicles.ingest.staged_elsewhere import StagedElsewhere
from cloud.vehicles.ingest.staged_envelopes import StagedEnvelope
from cloud.vehicles.ingest.staged_object import STAGED
from cloud.vehicles.ingest.staging_periods import OwnPeriod, Pending
from cloud.vehicles.ingest.tables import staging_processes
from protocols.uplink.channels import DeviceRef
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import OXIMETER, GatewayInVehicle, readings, section
from tests.builders.waveforms import waves


class CountedObjects(LocalObjects):
    """A folder of objects that counts its listings, and fails while `is_broken`. `before_put` runs before each put."""

    listings = 0
    is_broken = False
    before_put: Callable[[], Awaitable[None]] | None = None

    async def put(self, name: str, data: bytes) -> StoredObject:
        if self.before_put is not None:
            await self.before_put()
        if self.is_broken:
            raise ObjectStoreUnavailable
        return await super().put(name, data)

    async def remove(self, name: str) -> None:
        if self.is_broken:
            raise ObjectStoreUnavailable
        await super().remove(name)

    async def pages(self, prefix: str, *, after: str = "") -> AsyncIterator[Sequence[ListedObject]]:
        self.listings += 1
        if self.is_broken:
            raise ObjectStoreUnavailable
        async for page in super().pages(prefix, after=after):
            yield page


@pytest.fixture
def store(tmp_path: Path) -> CountedObjects:
    return CountedObjects(tmp_path / "objects")


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle, store: CountedObjects) -> CloudUnderTest:
    """An ingest process that has received the first batch of numerics."""
    made = await CloudUnderTest(database, objects=store, staged=True, removes=True).register(gateway)
    await made.arrive(gateway.send(97.0))
    return made


@pytest.fixture
def reader(cloud: CloudUnderTest) -> CloudUnderTest:
    """A process with other roles, which reads the same database."""
    return CloudUnderTest(cloud.database, objects=cloud.objects, staged=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for requests and for what became of them without delay."""
    monkeypatch.setattr(staged_requests, "REQUESTS_S", 0.0)
    monkeypatch.setattr(staged_elsewhere, "LOOK_S", 0.0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staged_elsewhere, "ANSWER_S", 0.0)


async def numerics(cloud: CloudUnderTest) -> list[float]:
    return [row.number for row in await cloud.rows(observations)]


async def staged_names(store: LocalObjects) -> list[str]:
    return [one.name async for page in LocalObjects.pages(store, STAGED) for one in page]


async def end(task: asyncio.Future[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def settle_beside(reader: CloudUnderTest, cloud: CloudUnderTest, *, waveforms: bool = True) -> None:
    """Let a reader settle while the ingest process looks for requests."""
    serving_requests = asyncio.ensure_future(cloud.staged.serve_requests())
    try:
        await reader.ingest.settle(waveforms=waveforms)
    finally:
        await end(serving_requests)


async def test_reader_in_another_process_lets_the_ingest_process_write(
    cloud: CloudUnderTest, reader: CloudUnderTest, gateway: GatewayInVehicle, store: CountedObjects
) -> None:
    await cloud.arrive(gateway.send(98.0))
    await settle_beside(reader, cloud)
    assert await numerics(cloud) == [97.0, 98.0]
    await cloud.staged.flush()  # removes what is written
    assert await staged_names(store) == []
    assert store.listings == 0


async def test_reader_does_nothing_while_nothing_is_staged(
    cloud: CloudUnderTest, reader: CloudUnderTest, gateway: GatewayInVehicle, store: CountedObjects
) -> None:
    await reader.ingest.settle()
    await cloud.arrive(gateway.send(98.0))
    await cloud.ingest.settle()
    await reader.ingest.settle()
    assert store.listings == 0
    assert [row.wanted_period for row in await cloud.rows(staging_processes)] == [0]


@pytest.mark.usefixtures("impatient")
async def test_reader_writes_what_a_killed_process_staged(
    cloud: CloudUnderTest, reader: CloudUnderTest, gateway: GatewayInVehicle, store: CountedObjects
) -> None:
    await cloud.arrive(gateway.send(98.0))
    await reader.ingest.settle()
    assert await numerics(cloud) == [97.0, 98.0]
    await reader.ingest.settle()
    assert store.listings == 1


@pytest.mark.usefixtures("impatient")
async def test_process_that_counted_as_gone_and_stages_further_batches_is_seen(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: CountedObjects
) -> None:
    other = CloudUnderTest(cloud.database, objects=store, staged=True, removes=True)
    await cloud.arrive(gateway.send(98.0))
    await other.ingest.settle()
    await cloud.staged.serve_wanted()
    await cloud.arrive(gateway.send(99.0))
    await other.ingest.settle()
    assert await numerics(cloud) == [97.0, 98.0, 99.0]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("starts", [False, True])
async def test_process_that_counts_as_ended_while_it_stages_a_batch_does_not_hide_it(
    cloud: CloudUnderTest, reader: CloudUnderTest, gateway: GatewayInVehicle, store: CountedObjects, starts: bool
) -> None:
    other = CloudUnderTest(cloud.database, objects=store, staged=True, removes=True)

    async def count_as_ended() -> None:
        store.before_put = None
        await (other.staged.settle_left() if starts else other.ingest.settle())

    store.before_put = count_as_ended
    acks = await cloud.arrive(gateway.send(98.0))
    assert [ack.through_sequence for ack in acks] == [2]
    await reader.ingest.settle()
    assert await numerics(cloud) == [97.0, 98.0]


async def test_process_at_work_does_not_count_as_ended_when_another_one_starts(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: CountedObjects
) -> None:
    await cloud.arrive(gateway.send(98.0))
    other = CloudUnderTest(cloud.database, objects=store, staged=True, removes=True)
    serving_requests = asyncio.ensure_future(cloud.staged.serve_requests())
    await other.staged.settle_left()
    await end(serving_requests)
    await cloud.arrive(gateway.send(99.0))
    (row,) = await cloud.rows(staging_processes)
    assert (row.period, row.written_period) == (2, 1)


async def test_outage_of_the_object_store_does_not_keep_numerics_from_readers_in_other_processes(
    cloud: CloudUnderTest, reader: CloudUnderTest, gateway: GatewayInVehicle, store: CountedObjects
) -> None:
    await cloud.arrive(waves(gateway))
    await cloud.arrive(gateway.send(98.0), waves(gateway))
    store.is_broken = True
    await settle_beside(reader, cloud, waveforms=False)
    assert await numerics(cloud) == [97.0, 98.0]
    await cloud.arrive(gateway.send(99.0))
    with pytest.raises(ObjectStoreUnavailable):
        await cloud.ingest.settle()
    await settle_beside(reader, cloud, waveforms=False)
    assert store.listings == 0


async def test_reader_of_numerics_lets_no_waveforms_be_written(
    cloud: CloudUnderTest, reader: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    await cloud.arrive(waves(gateway))
    await cloud.arrive(gateway.send(98.0), waves(gateway))
    await settle_beside(reader, cloud, waveforms=False)
    assert await numerics(cloud) == [97.0, 98.0]
    assert [run.through_sequence for run in await cloud.rows(waveform_runs)] == [1]
    await settle_beside(reader, cloud)
    assert [run.through_sequence for run in await cloud.rows(waveform_runs)] == [1, 2]


async def test_process_writes_numerics_for_readers_while_a_put_of_waveforms_hangs(
    cloud: CloudUnderTest, reader: CloudUnderTest, gateway: GatewayInVehicle, store: CountedObjects
) -> None:
    await cloud.arrive(waves(gateway))
    await cloud.arrive(waves(gateway))
    gate = asyncio.Event()
    store.before_put = lambda: hang(gate)
    hanging = asyncio.ensure_future(cloud.ingest.settle())
    await asyncio.wait_for(gate.wait(), 60)
    store.before_put = None
    await cloud.arrive(gateway.send(98.0))
    await settle_beside(reader, cloud, waveforms=False)
    assert await numerics(cloud) == [97.0, 98.0]
    await end(hanging)


async def hang(begun: asyncio.Event) -> None:
    begun.set()
    await asyncio.Event().wait()


async def test_period_in_which_nothing_could_be_staged_ends(
    cloud: CloudUnderTest, reader: CloudUnderTest, gateway: GatewayInVehicle, store: CountedObjects
) -> None:
    store.is_broken = True
    await cloud.arrive(gateway.send(98.0))
    await settle_beside(reader, cloud)
    assert store.listings == 0


async def test_period_ends_although_its_last_batches_were_written_for_their_lane_only(
    cloud: CloudUnderTest, reader: CloudUnderTest, gateway: GatewayInVehicle, store: CountedObjects
) -> None:
    await cloud.arrive(gateway.send(98.0))
    await cloud.staged.flush(set(cloud.stage.unwritten.ends()))
    await settle_beside(reader, cloud)
    assert store.listings == 0


async def test_process_shows_readers_that_it_is_writing(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: CountedObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staged_requests, "BEAT_S", 0.0)
    await cloud.arrive(waves(gateway))
    await cloud.arrive(waves(gateway))
    store.before_put = lambda: hang(asyncio.Event())
    async with cloud.database.transaction() as tx:
        await tx.execute(staging_processes.update().values(wanted_period=1))
    beat, beaten = OwnPeriod.beat, asyncio.Event()

    async def beat_and_note(self: OwnPeriod) -> None:
        await beat(self)
        beaten.set()

    monkeypatch.setattr(OwnPeriod, "beat", beat_and_note)
    serving_requests = asyncio.ensure_future(cloud.staged.serve_requests())
    await asyncio.wait_for(beaten.wait(), 60)
    await end(serving_requests)
    assert (await cloud.rows(staging_processes))[0].beats > 0


@pytest.mark.usefixtures("impatient")
async def test_process_that_shows_that_it_is_writing_does_not_count_as_ended(
    reader: CloudUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = [{"other": Pending(1, 0, beats)} for beats in range(20)]

    async def look(_: object) -> Mapping[str, Pending]:
        return looks.pop(0) if looks else {}

    monkeypatch.setattr(StagedElsewhere, "_pending", look)

    async def write_left() -> None:
        raise AssertionError("the other process is writing")

    elsewhere = StagedElsewhere(reader.database, reader.clock, "reader", write_left, ends=True, waveforms=True)
    await elsewhere.settle()
    assert not looks


@pytest.mark.usefixtures("impatient")
async def test_started_process_leaves_nothing_pending_of_killed_ones(
    cloud: CloudUnderTest, reader: CloudUnderTest, gateway: GatewayInVehicle, store: CountedObjects
) -> None:
    await cloud.arrive(gateway.send(98.0))
    await CloudUnderTest(cloud.database, objects=store, staged=True, removes=True).staged.settle_left()
    listings = store.listings
    await reader.ingest.settle()
    assert store.listings == listings
    assert await numerics(cloud) == [97.0, 98.0]


async def test_batches_staged_while_rows_are_written_belong_to_another_period(
    cloud: CloudUnderTest, reader: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    await cloud.arrive(gateway.send(98.0))
    await cloud.ingest.settle()
    await cloud.arrive(gateway.send(99.0))
    (row,) = await cloud.rows(staging_processes)
    assert (row.period, row.written_period) == (2, 1)
    await settle_beside(reader, cloud)
    assert await numerics(cloud) == [97.0, 98.0, 99.0]


@pytest.mark.usefixtures("impatient")
async def test_batch_that_its_process_cannot_write_is_written_by_a_reader_in_another_process(
    cloud: CloudUnderTest, reader: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cloud.arrive(gateway.send(98.0))
    with monkeypatch.context() as broken:
        broken.setattr(StagedEnvelope, "open", lambda _: None)
        await cloud.ingest.settle()
    assert await numerics(cloud) == [97.0]
    await reader.ingest.settle()
    assert await numerics(cloud) == [97.0, 98.0]


async def test_batches_are_not_staged_without_the_record_that_readers_need(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: object) -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr("cloud.vehicles.ingest.staging_periods.OwnPeriod.begin", fail)
    await cloud.arrive(gateway.send(98.0))
    assert await numerics(cloud) == [97.0, 98.0]


@pytest.mark.usefixtures("impatient")
async def test_reader_whose_own_settings_stage_nothing_finds_what_another_process_staged(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, tmp_path: Path
) -> None:
    await cloud.arrive(gateway.send(98.0))
    file = tmp_path / "cloud.toml"
    file.write_text('database_url = "sqlite:///cloud.db"\nobjects_dir = "objects"\n[ingest]\nstage_s = 0\n')
    await settle_of(Workplace(read_settings(file), cloud.database, cloud.clock, cloud.ids, Supplies))()
    assert await numerics(cloud) == [97.0, 98.0]


async def test_reader_of_some_devices_leaves_the_batches_of_others_and_of_other_tenants_staged(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    other, cuff = GatewayInVehicle(gateway="gw_other", key_seed=2), DeviceRef("00000000000000aa", "Cuff")
    await cloud.register_gateway(other)
    await cloud.arrive(other.send_sections([section(readings(60.0), device=cuff)]))
    await cloud.arrive(gateway.send(98.0), other.send_sections([section(readings(61.0), device=cuff)]))
    assert sorted(await numerics(cloud)) == [60.0, 97.0]
    for wanted in (
        WantedDevices("ten_test", frozenset()),
        WantedDevices("ten_test", frozenset({"ff"})),
        WantedDevices("ten_other"),
    ):
        await cloud.ingest.settle(waveforms=False, of=wanted)
    assert sorted(await numerics(cloud)) == [60.0, 97.0]
    await cloud.ingest.settle(waveforms=False, of=WantedDevices("ten_test", frozenset({cuff.system_id})))
    assert sorted(await numerics(cloud)) == [60.0, 61.0, 97.0]
    await cloud.ingest.settle(waveforms=False, of=WantedDevices("ten_test"))
    assert sorted(await numerics(cloud)) == [60.0, 61.0, 97.0, 98.0]


async def test_readers_of_one_device_and_of_a_tenant_who_wait_at_the_same_time_find_their_values(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    await cloud.arrive(gateway.send(98.0), waves(gateway))
    wanted = WantedDevices("ten_test", frozenset({OXIMETER.system_id}))
    settle = cloud.ingest.settle
    await asyncio.gather(settle(waveforms=False, of=wanted), settle(waveforms=False, of=WantedDevices("ten_test")))
    assert await numerics(cloud) == [97.0, 98.0]


async def test_reader_of_the_waveforms_of_a_device_gets_the_error_of_an_outage_and_its_numerics_are_written(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    await cloud.arrive(waves(gateway))
    await cloud.arrive(gateway.send(98.0), waves(gateway))
    cloud.stage.outage.begin()
    with pytest.raises(ObjectStoreUnavailable):
        await cloud.ingest.settle(of=WantedDevices("ten_test", frozenset({OXIMETER.system_id})))
    assert await numerics(cloud) == [97.0, 98.0]
