"""Waveforms are put into an object, then indexed, then acknowledged, and get no rows."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pytest

from cloud.clinical.observations.tables import observations
from cloud.clinical.waveforms import (
    REPACK_US,
    RUN_BATCHES_MAX,
    RUN_SPAN_US,
    WAVEFORMS,
    decode_object,
    waveform_objects,
    waveform_runs,
    waveform_sources,
)
from cloud.foundation.db import Database, DatabaseUnavailable, Transaction
from cloud.foundation.objects import LocalObjects, ObjectStoreUnavailable, StoredObject
from cloud.vehicles.custody import ChainedBatch, CustodyStore
from cloud.vehicles.custody.tables import batches, gap_ranges, quarantined_batches
from cloud.vehicles.ingest.limits import OBJECT_ATTEMPTS_MAX
from cloud.vehicles.ingest.settings import IngestSection
from protocols.uplink.envelope import BatchKind, encode_envelope
from protocols.uplink.lanes import Lane
from tests.builders.ingest_cloud import TENANT, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, PLETH, GatewayInVehicle, section
from tests.builders.ingest_kinds import BEDSIDE_TIME, one
from tests.builders.statement_count import CountingDatabase, EndingDatabase
from tests.builders.waveforms import block, many_waves, waves


class Away(DatabaseUnavailable):
    """The database is away."""


class WatchedObjects(LocalObjects):
    """A folder of objects that counts puts, and of which the first `failing` fail."""

    def __init__(self, root: Path, *, failing: int = 0) -> None:
        super().__init__(root)
        self.names: list[str] = []
        self._failing = failing

    async def put(self, name: str, data: bytes) -> StoredObject:
        if self._failing:
            self._failing -= 1
            raise ObjectStoreUnavailable
        self.names.append(name)
        return await super().put(name, data)

    async def envelopes(self) -> list[bytes]:
        """Return the envelopes of all objects, in the order of their names."""
        listed = [one async for page in self.pages(WAVEFORMS) for one in page]
        objects = [decode_object(await self.read_range(each.name, 0, each.size_bytes)) for each in listed]
        return [envelope for each in objects for envelope in each.envelopes]


@pytest.fixture
def store(tmp_path: Path) -> WatchedObjects:
    return WatchedObjects(tmp_path / "objects")


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle, store: WatchedObjects) -> CloudUnderTest:
    return await CloudUnderTest(database, objects=store).register(gateway)


async def runs(cloud: CloudUnderTest) -> list[tuple[int, int, str]]:
    return [(row.sequence, row.through_sequence, row.link) for row in await cloud.rows(waveform_runs)]


async def test_group_of_waveforms_becomes_one_object_and_one_row(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: WatchedObjects
) -> None:
    sent = many_waves(gateway, 5)
    acks = await cloud.take(*sent)
    assert [ack.through_sequence for ack in acks] == [5]
    assert await runs(cloud) == [(1, 5, "linked")]
    (row,) = await cloud.rows(waveform_objects)
    assert (row.tenant_id, [row.name]) == (TENANT, store.names)
    assert row.name.startswith(f"waveforms/{TENANT}/20270115/08/")
    assert await store.envelopes() == [encode_envelope(one) for one in sent]
    assert not await cloud.rows(batches)
    assert not await cloud.rows(observations)
    (source,) = await cloud.rows(waveform_sources)
    assert (source.observations, source.clock_id) == (5, 0)
    assert (source.from_us, source.until_us) == (NOW_US + 1_000_000, NOW_US + 5_000_000)


async def test_object_is_durable_before_its_row_and_the_row_before_the_acknowledgement(
    database: Database, gateway: GatewayInVehicle, store: WatchedObjects
) -> None:
    seen: list[tuple[int, int]] = []

    def cut() -> None:
        seen.append((len(store.names), len(cloud.handover.acks)))
        raise Away

    await CloudUnderTest(database).register(gateway)
    cloud = CloudUnderTest(EndingDatabase(database, 1, cut), objects=store)
    assert len(await cloud.take(waves(gateway))) == 1
    assert seen == [(1, 0)]


async def test_numerics_and_events_of_the_same_group_get_rows(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: WatchedObjects
) -> None:
    await cloud.take(gateway.send(97.0), waves(gateway), gateway.send_event())
    assert [row.kind for row in await cloud.rows(batches)] == ["event", "observations"]
    assert [row.number for row in await cloud.rows(observations)] == [97.0]
    assert len(await store.envelopes()) == 1


async def test_resent_waveforms_are_acknowledged_again_and_not_indexed_again(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    sent = many_waves(gateway, 4)
    await cloud.take(*sent[:3])
    (ack,) = await cloud.take(*sent)
    assert ack.through_sequence == 4
    assert await runs(cloud) == [(1, 3, "linked"), (4, 4, "linked")]
    (ack,) = await cloud.take(*sent[1:3])
    assert ack.through_sequence == 4
    assert len(await cloud.rows(waveform_runs)) == 2


class RowsOnly(CustodyStore):
    """The chain as the release before sees it, which knows batches by their rows alone."""

    async def neighbours(self, tx: Transaction, wanted: Mapping[int, Collection[int]]) -> dict[int, list[ChainedBatch]]:
        return {lane_id: [] for lane_id in wanted}


async def test_packed_batches_are_not_stored_again_by_the_release_before(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    sent = many_waves(gateway, 4)
    await cloud.take(*sent[:3])
    before = CloudUnderTest(cloud.database)
    before.ingest._commit._writer.custody = RowsOnly()
    assert not await before.take(*sent[1:3])
    (ack,) = await before.take(*sent[1:])
    assert ack.through_sequence == 4
    assert await runs(cloud) == [(1, 3, "linked")]
    assert [row.sequence for row in await cloud.rows(batches)] == [4]
    assert [row.sequence for row in await cloud.rows(observations)] == [4]


async def test_other_batch_with_a_number_inside_a_run_is_a_conflict(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    await cloud.take(*many_waves(gateway, 3))
    twin = GatewayInVehicle()
    await cloud.take(many_waves(twin, 1)[0], waves(twin, block(66)))
    (aside,) = await cloud.rows(quarantined_batches)
    assert (aside.reason, aside.sequence) == ("conflict", 2)
    assert await runs(cloud) == [(1, 3, "linked")]


async def test_run_whose_predecessor_arrives_later_is_linked_then(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    sent = many_waves(gateway, 6)
    await cloud.take(*sent[3:])
    assert await runs(cloud) == [(4, 6, "pending")]
    await cloud.take(*sent[:3])
    assert await runs(cloud) == [(1, 3, "linked"), (4, 6, "linked")]


async def test_run_after_a_batch_with_another_history_is_broken(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    twin = GatewayInVehicle()
    waves(twin, block(66))
    await cloud.take(waves(gateway))
    await cloud.take(*many_waves(twin, 2))
    assert await runs(cloud) == [(1, 1, "linked"), (2, 3, "broken")]
    assert "custody.chain_broken" in [name for name, _ in await cloud.events()]


async def test_run_ends_at_its_limits(cloud: CloudUnderTest, gateway: GatewayInVehicle) -> None:
    await cloud.take(*many_waves(gateway, RUN_BATCHES_MAX + 3))
    assert await runs(cloud) == [
        (1, RUN_BATCHES_MAX, "linked"),
        (RUN_BATCHES_MAX + 1, RUN_BATCHES_MAX + 3, "linked"),
    ]


async def test_batches_that_need_rows_are_in_the_object_too(
    database: Database, gateway: GatewayInVehicle, store: WatchedObjects
) -> None:
    quotas = IngestSection(rows_burst=100_000)
    cloud = await CloudUnderTest(database, objects=store, quotas=quotas).register(gateway)
    dropped = many_waves(gateway, 2)
    remembered = gateway.send_sections(
        [section([one(PLETH, samples=bytes(4), device_time=BEDSIDE_TIME)], stored=True, device_offset_us=0)],
        lane=Lane.WAVEFORM,
    )
    unreadable = gateway.send_raw(BatchKind.OBSERVATIONS, b"\xff of a newer gateway", lane=Lane.WAVEFORM)
    apart = waves(gateway, block(1, at_s=1.0), block(2, at_s=2.0 + RUN_SPAN_US / 1_000_000))
    last = waves(gateway)
    sent = [gateway.gap(dropped), remembered, unreadable, apart, last]
    (ack,) = await cloud.take(*sent)
    assert ack.through_sequence == 6
    assert [row.sequence for row in await cloud.rows(gap_ranges)] == [1]
    assert [(row.sequence, row.content) for row in await cloud.rows(batches)] == [
        (3, "rows"),
        (4, "unreadable"),
        (5, "rows"),
    ]
    assert await runs(cloud) == [(6, 6, "linked")]
    assert sorted(await store.envelopes()) == sorted(map(encode_envelope, sent))


async def test_unavailable_object_store_delays_the_acknowledgement_and_loses_nothing(
    database: Database, gateway: GatewayInVehicle, tmp_path: Path
) -> None:
    store = WatchedObjects(tmp_path / "objects", failing=3)
    cloud = await CloudUnderTest(database, objects=store).register(gateway)
    (ack,) = await cloud.take(*many_waves(gateway, 2))
    assert ack.through_sequence == 2
    assert await runs(cloud) == [(1, 2, "linked")]
    assert not await cloud.rows(quarantined_batches)


async def test_waveforms_are_let_go_when_the_object_store_stays_away_and_taken_when_they_are_resent(
    database: Database, gateway: GatewayInVehicle, tmp_path: Path
) -> None:
    store = WatchedObjects(tmp_path / "objects", failing=OBJECT_ATTEMPTS_MAX)
    cloud = await CloudUnderTest(database, objects=store).register(gateway)
    sent = many_waves(gateway, 3)
    assert await cloud.take(*sent) == []
    assert len(cloud.handover.accepted) == 3
    assert not await cloud.rows(quarantined_batches)
    (ack,) = await cloud.take(*sent)
    assert ack.through_sequence == 3
    assert await runs(cloud) == [(1, 3, "linked")]


@pytest.mark.parametrize(("waited_us", "puts"), [(REPACK_US - 1, 1), (REPACK_US, 2)])
async def test_group_that_could_not_be_written_is_put_again_only_when_its_object_may_become_an_orphan(
    database: Database, gateway: GatewayInVehicle, store: WatchedObjects, waited_us: int, puts: int
) -> None:
    def away() -> None:
        cloud.clock.at_us += waited_us
        raise Away

    await CloudUnderTest(database).register(gateway)
    cloud = CloudUnderTest(EndingDatabase(database, 1, away), objects=store)
    (ack,) = await cloud.take(waves(gateway))
    assert ack.through_sequence == 1
    assert len(store.names) == puts
    assert [row.name for row in await cloud.rows(waveform_objects)] == store.names[-1:]


async def test_number_of_statements_does_not_depend_on_the_number_of_waveform_batches_and_lanes(
    database: Database, store: WatchedObjects
) -> None:
    counted = CountingDatabase(database)
    gateways = [GatewayInVehicle(gateway=f"gw_{number}") for number in range(8)]
    cloud = await CloudUnderTest(counted, objects=store).register(*gateways)
    await cloud.take(*(waves(each) for each in gateways))

    async def statements(*sent: Any) -> int:
        before = counted.statements
        await cloud.take(*sent)
        return counted.statements - before

    few = await statements(waves(gateways[0]))
    assert await statements(*(one for each in gateways for one in many_waves(each, 5))) == few


async def test_waveforms_get_rows_where_no_object_store_is_set(database: Database, gateway: GatewayInVehicle) -> None:
    cloud = await CloudUnderTest(database).register(gateway)
    await cloud.take(waves(gateway))
    assert len(await cloud.rows(observations)) == len(await cloud.rows(batches)) == 1
    assert not await cloud.rows(waveform_runs)
