"""The staged numerics of a minute become minute rows and packed runs at once, with the same values."""

from typing import Any

import pytest

from cloud.clinical.epcr import erased_encounters
from cloud.clinical.observations.minutes.arriving import ArrivingMinutes
from cloud.clinical.observations.tables import minute_rows_since, observation_minutes, observations
from cloud.clinical.waveforms import NUMERICS, READERS_US, WaveformIndex, waveform_objects, waveform_runs
from cloud.foundation.db import ConstraintViolated, Database, DayPartitions, insert
from cloud.foundation.db.errors import DatabaseRefused
from cloud.foundation.objects import LocalObjects, ObjectStoreUnavailable
from cloud.vehicles.custody.tables import batches
from cloud.vehicles.verification.check import CustodyCheck
from protocols.uplink import channel_table
from protocols.uplink.observations import DeviceRef
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle, section
from tests.builders.minute_rows import CHANNELS, DAY_US, exported, second, seconds

SECONDS = 40


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle, store: LocalObjects) -> CloudUnderTest:
    """A cloud that has received the first batch of numerics, and may write minute rows."""
    made = await CloudUnderTest(database, objects=store, staged=True).register(gateway)
    async with database.transaction() as tx:
        # The tests' PostgreSQL databases are emptied, so they have lost this row of a new installation.
        await tx.execute(insert(minute_rows_since).values(day=0).on_conflict_do_nothing())
    await made.arrive(*seconds(gateway, 1))
    return made


async def stage(cloud: CloudUnderTest, gateway: GatewayInVehicle, count: int = SECONDS) -> None:
    for one in seconds(gateway, count, first=1):
        await cloud.arrive(one)


async def runs(cloud: CloudUnderTest) -> list[tuple[int, int, str]]:
    return [(row.sequence, row.through_sequence, row.link) for row in await cloud.rows(waveform_runs)]


async def single_rows(cloud: CloudUnderTest) -> int:
    return len(await cloud.rows(observations))


async def test_minute_of_staged_numerics_becomes_minute_rows_and_one_run(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: LocalObjects
) -> None:
    await stage(cloud, gateway)
    await cloud.ingest.settle()
    assert await single_rows(cloud) == len(CHANNELS)
    assert sum(row.value_count for row in await cloud.rows(observation_minutes)) == SECONDS * len(CHANNELS)
    assert [row.sequence for row in await cloud.rows(batches)] == [1]
    assert await runs(cloud) == [(2, SECONDS + 1, "linked")]
    assert len([one async for page in store.pages(NUMERICS) for one in page]) == 1
    (report,) = [
        one
        async for one in CustodyCheck(cloud.database, cloud.clock, OPERATOR, objects=store, with_rows=True).reports()
    ]
    assert (report.intact, report.batches, report.observations) == (True, SECONDS + 1, (SECONDS + 1) * len(CHANNELS))


async def test_values_are_exported_as_if_they_were_single_rows(
    database: Database, store: LocalObjects, gateway: GatewayInVehicle, cloud: CloudUnderTest
) -> None:
    await stage(cloud, gateway)
    await cloud.ingest.settle()
    found = await exported(cloud, objects=store)
    assert [(one["sequence"], one["index"]) for one in found] == [
        (sequence, place) for sequence in range(1, SECONDS + 2) for place in range(len(CHANNELS))
    ]
    assert {one["committed_at"] for one in found} == {found[0]["committed_at"]}


async def test_few_values_become_single_rows(cloud: CloudUnderTest, gateway: GatewayInVehicle) -> None:
    await stage(cloud, gateway, 3)
    await cloud.ingest.settle()
    assert await single_rows(cloud) == 4 * len(CHANNELS)
    assert [row.sequence for row in await cloud.rows(batches)] == [1, 2, 3, 4]


async def test_values_become_minute_rows_though_each_batch_has_channels_of_its_own(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fleet has more channels than a decoder keeps."""
    monkeypatch.setattr(channel_table, "_tables", channel_table._Tables())
    monkeypatch.setattr(channel_table, "TABLE_BYTES_MAX", 0)
    await stage(cloud, gateway)
    await cloud.ingest.settle()
    assert sum(row.value_count for row in await cloud.rows(observation_minutes)) == SECONDS * len(CHANNELS)


async def test_few_values_of_many_devices_become_single_rows(cloud: CloudUnderTest, gateway: GatewayInVehicle) -> None:
    """The devices have the same channels, and each is the only one of its batches. The first ones are not staged."""
    for number in range(SECONDS):
        device = DeviceRef(f"{number % 16:016x}", "synthetic")
        await cloud.arrive(gateway.send_sections([section(second(number), device=device)]))
    await cloud.ingest.settle()
    assert await single_rows(cloud) == (SECONDS + 1) * len(CHANNELS)


async def test_object_of_values_that_became_single_rows_is_removed_soon(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: Any) -> bool:
        return False

    monkeypatch.setattr(ArrivingMinutes, "write", nothing)
    await stage(cloud, gateway)
    await cloud.ingest.settle()
    assert [row.unused_us for row in await cloud.rows(waveform_objects)] == [NOW_US + READERS_US]


async def test_installation_that_may_go_back_to_the_release_before_gets_single_rows(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    async with cloud.database.transaction() as tx:
        await tx.execute(minute_rows_since.update().values(day=NOW_US // DAY_US - 1))
    await stage(cloud, gateway)
    await cloud.ingest.settle()
    assert await single_rows(cloud) == (SECONDS + 1) * len(CHANNELS)
    assert await runs(cloud) == []


@pytest.mark.pg
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_values_become_single_rows_for_an_account_that_may_not_add_partitions(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def may_not(*_: Any) -> bool:
        return False

    async def deny(*_: Any) -> None:
        raise DatabaseRefused

    monkeypatch.setattr(DayPartitions, "has", may_not)
    monkeypatch.setattr(DayPartitions, "may_add", may_not)
    monkeypatch.setattr(DayPartitions, "add", deny)
    await stage(cloud, gateway)
    await cloud.ingest.settle()
    assert await single_rows(cloud) == (SECONDS + 1) * len(CHANNELS)
    assert await cloud.rows(waveform_objects) == []


async def test_batches_get_rows_while_an_erasure_is_at_work(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def erasing(_: Any) -> set[str]:
        return {OPERATOR.tenant_id}

    assert erased_encounters.c.phase is not None
    monkeypatch.setattr("cloud.vehicles.ingest.numerics_packing._erasing", erasing)
    await stage(cloud, gateway)
    await cloud.ingest.settle()
    assert await runs(cloud) == []
    assert len(await cloud.rows(batches)) == SECONDS + 1
    assert await single_rows(cloud) == len(CHANNELS)


async def test_numerics_become_rows_while_the_object_store_is_unavailable(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: LocalObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage(cloud, gateway)

    async def fail(*_: Any) -> None:
        raise ObjectStoreUnavailable

    monkeypatch.setattr(store, "put", fail)
    await cloud.ingest.settle()
    assert await runs(cloud) == []
    assert len(await cloud.rows(batches)) == SECONDS + 1
    (announced,) = await cloud.rows(waveform_objects)
    assert announced.unused_us == NOW_US + READERS_US, "no erasure waits for the object"


async def test_resent_batch_of_a_run_is_a_duplicate(cloud: CloudUnderTest, gateway: GatewayInVehicle) -> None:
    sent = seconds(gateway, SECONDS, first=1)
    for one in sent:
        await cloud.arrive(one)
    await cloud.ingest.settle()
    (ack,) = await cloud.take(sent[5])
    assert (ack.through_sequence, ack.conflict) == (SECONDS + 1, False)
    assert len(await cloud.rows(batches)) == 1


async def test_group_whose_run_cannot_be_added_gets_rows(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: LocalObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage(cloud, gateway)
    append, failing = WaveformIndex.append, [True]

    async def fail_once(*given: Any) -> None:
        if failing and given[2]:
            failing.clear()
            raise ConstraintViolated
        await append(*given)

    monkeypatch.setattr(WaveformIndex, "append", fail_once)
    monkeypatch.setattr("cloud.vehicles.ingest.group_commit.RIVALRIES_MAX", 1)
    await cloud.ingest.settle()
    assert await runs(cloud) == []
    assert len(await cloud.rows(batches)) == SECONDS + 1
    (report,) = [
        one
        async for one in CustodyCheck(cloud.database, cloud.clock, OPERATOR, objects=store, with_rows=True).reports()
    ]
    assert (report.intact, report.observations) == (True, (SECONDS + 1) * len(CHANNELS))
