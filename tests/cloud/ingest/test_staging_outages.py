"""An outage of the object store delays neither live numerics nor their readers, and loses no waveforms."""

import asyncio
from pathlib import Path

import pytest

from cloud.clinical.waveforms import waveform_runs
from cloud.foundation.db import Database
from cloud.foundation.objects import ObjectStoreUnavailable
from cloud.vehicles.ingest import outage, staged_writing
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.staging import BreakableObjects, marks, numerics, staging_cloud
from tests.builders.waveforms import waves


@pytest.fixture
def store(tmp_path: Path) -> BreakableObjects:
    return BreakableObjects(tmp_path / "objects")


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle, store: BreakableObjects) -> CloudUnderTest:
    return await staging_cloud(database, gateway, store)


async def test_numerics_without_an_object_are_written_at_once_in_their_order(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: BreakableObjects
) -> None:
    store.is_broken = True
    acks = await cloud.arrive(gateway.send(98.0), gateway.send(99.0))
    assert [(ack.through_sequence, ack.missing) for ack in acks] == [(3, ())]
    assert await numerics(cloud) == [(1, 97.0), (2, 98.0), (3, 99.0)]


async def test_outage_of_the_object_store_does_not_delay_staged_numerics(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: BreakableObjects
) -> None:
    await cloud.arrive(gateway.send(98.0), waves(gateway))
    store.is_broken = True
    with pytest.raises(ObjectStoreUnavailable):
        await cloud.ingest.settle()
    assert await numerics(cloud) == [(1, 97.0), (2, 98.0)]
    assert [run.through_sequence for run in await cloud.rows(waveform_runs)] == [1]
    puts = store.puts
    with pytest.raises(ObjectStoreUnavailable):
        await cloud.ingest.settle()
    await cloud.arrive(gateway.send(99.0))
    assert store.puts == puts, "nothing is put while the outage lasts"
    assert (await numerics(cloud))[-1] == (3, 99.0)


async def test_reader_without_waveforms_is_served_during_an_outage(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: BreakableObjects
) -> None:
    await cloud.arrive(gateway.send(98.0), waves(gateway))
    store.is_broken = True
    await cloud.ingest.settle(waveforms=False)
    assert await numerics(cloud) == [(1, 97.0), (2, 98.0)]


async def test_staged_waveforms_are_written_after_an_outage(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: BreakableObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage, "OFF_S", 0.0)
    await cloud.arrive(waves(gateway))
    store.is_broken = True
    with pytest.raises(ObjectStoreUnavailable):
        await cloud.ingest.settle()
    store.is_broken = False
    await cloud.ingest.settle()
    assert await marks(cloud) == {"numeric": (1, ""), "waveform": (2, "")}


async def test_waveforms_do_not_overtake_staged_ones_in_an_outage(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: BreakableObjects
) -> None:
    await cloud.arrive(waves(gateway))
    store.is_broken = True
    assert await cloud.arrive(waves(gateway)) == []
    assert await marks(cloud) == {"numeric": (1, ""), "waveform": (1, "")}


async def test_slow_removal_of_a_written_object_ends_staging_for_a_moment_only(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: BreakableObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [1_000.0]
    receiving = CloudUnderTest(cloud.database, objects=store, staged=True, removes=True)
    receiving.stage.outage = outage.Outage(lambda: now_s[0])
    await cloud.arrive(gateway.send(98.0))

    async def hang(_name: str) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(store, "remove", hang)
    monkeypatch.setattr(staged_writing, "REMOVED_S_MAX", 0.0)
    await receiving.staged.write_left()
    assert receiving.stage.outage.lasts
    now_s[0] += outage.STALL_OFF_S
    assert not receiving.stage.outage.lasts
