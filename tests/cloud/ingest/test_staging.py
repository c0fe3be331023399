"""Live batches are acknowledged from staged objects, and their rows are written later, before a reader needs them."""

import base64
from collections.abc import Sequence
from pathlib import Path

import pytest

from cloud.clinical.observations.store import Added, CarriedBatch, ObservationWriter
from cloud.clinical.observations.tables import observations
from cloud.clinical.waveforms import waveform_objects, waveform_runs
from cloud.foundation.db import Database
from cloud.foundation.findings import Level
from cloud.foundation.objects import LocalObjects, ObjectDamaged, ObjectStoreUnavailable, StoredObject
from cloud.foundation.retention import DAY_US
from cloud.foundation.viewer import Viewer
from cloud.vehicles.custody.tables import batches, lanes, quarantined_batches
from cloud.vehicles.fleet.access import GatewayAccessDesk
from cloud.vehicles.fleet.model import CLOCKS_US
from cloud.vehicles.ingest import outage, staged_writing
from cloud.vehicles.ingest.settings import IngestSection
from cloud.vehicles.ingest.staged_object import (
    STAGED,
    StagedBatch,
    StagedObject,
    decode_staged,
    encode_staged,
    new_staged_name,
)
from cloud.vehicles.ingest.staged_sweeping import LATE_US, LEFT_DAYS, staged_of
from cloud.vehicles.ingest.staging_findings import staged_findings
from cloud.vehicles.verification.check import CustodyCheck
from cloud.vehicles.verification.object_audit import ObjectAudit
from protocols.uplink.channels import DeviceRef
from protocols.uplink.envelope import encode_envelope
from protocols.uplink.lanes import Lane
from protocols.uplink.status import Status
from tests.builders.ingest_cloud import OPERATOR, TENANT, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle, readings, section
from tests.builders.waveforms import waves


class BreakableObjects(LocalObjects):
    """A folder of objects whose puts fail while `is_broken`. `puts` counts them."""

    is_broken = False
    puts = 0

    async def put(self, name: str, data: bytes) -> StoredObject:
        self.puts += 1
        if self.is_broken:
            raise ObjectStoreUnavailable
        return await super().put(name, data)


@pytest.fixture
def gateway() -> GatewayInVehicle:
    return GatewayInVehicle()


@pytest.fixture
def store(tmp_path: Path) -> BreakableObjects:
    return BreakableObjects(tmp_path / "objects")


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle, store: BreakableObjects) -> CloudUnderTest:
    """A cloud that has received the first batch of numerics and of waveforms."""
    made = await CloudUnderTest(database, objects=store, staged=True).register(gateway)
    await made.arrive(gateway.send(97.0), waves(gateway))
    return made


def restarted(cloud: CloudUnderTest) -> CloudUnderTest:
    """Return an ingest that knows nothing of what another one had in its memory."""
    return CloudUnderTest(cloud.database, objects=cloud.objects, staged=True)


async def staged_names(store: LocalObjects) -> list[str]:
    return [one.name async for page in store.pages(STAGED) for one in page]


async def numerics(cloud: CloudUnderTest) -> list[tuple[int, float]]:
    return [(row.sequence, row.number) for row in await cloud.rows(observations)]


async def marks(cloud: CloudUnderTest) -> dict[str, tuple[int, str]]:
    return {row.lane: (row.through_sequence, row.ahead) for row in await cloud.rows(lanes)}


async def test_first_batch_of_a_lane_is_written_at_once(cloud: CloudUnderTest, store: BreakableObjects) -> None:
    assert await numerics(cloud) == [(1, 97.0)]
    assert await staged_names(store) == []


async def test_following_batches_are_acknowledged_before_their_rows_are_written(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: BreakableObjects
) -> None:
    acks = await cloud.arrive(gateway.send(98.0), waves(gateway), gateway.send(99.0))
    assert {(ack.lane, ack.through_sequence, ack.missing) for ack in acks} == {
        (Lane.NUMERIC, 3, ()),
        (Lane.WAVEFORM, 2, ()),
    }
    assert len(await staged_names(store)) == 1
    assert await numerics(cloud) == [(1, 97.0)]
    await cloud.ingest.settle()
    assert await numerics(cloud) == [(1, 97.0), (2, 98.0), (3, 99.0)]
    assert [(run.sequence, run.through_sequence) for run in await cloud.rows(waveform_runs)] == [(1, 1), (2, 2)]


async def test_waveforms_of_several_staged_objects_become_one_run(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    for _ in range(3):
        await cloud.arrive(waves(gateway))
    await cloud.ingest.settle()
    assert [(run.sequence, run.through_sequence) for run in await cloud.rows(waveform_runs)] == [(1, 1), (2, 4)]
    assert len(await cloud.rows(waveform_objects)) == 2


async def test_batch_is_stored_at_the_time_at_which_it_was_staged(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    cloud.clock.at_us = NOW_US + 1_000_000
    await cloud.arrive(gateway.send(98.0), waves(gateway))
    cloud.clock.at_us = NOW_US + 50_000_000
    await cloud.ingest.settle()
    assert [row.stored_at_us for row in await cloud.rows(batches)] == [NOW_US, NOW_US + 1_000_000]
    assert [row.stored_at_us for row in await cloud.rows(waveform_runs)] == [NOW_US, NOW_US + 1_000_000]


async def test_restarted_ingest_writes_what_a_killed_one_staged(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: BreakableObjects
) -> None:
    await cloud.arrive(gateway.send(98.0), waves(gateway))
    other = restarted(cloud)
    await other.staged.write_left()
    await other.staged.write_left()
    assert await numerics(cloud) == [(1, 97.0), (2, 98.0)]
    assert await marks(cloud) == {"numeric": (2, ""), "waveform": (2, "")}


async def test_batches_that_another_process_has_written_are_not_doubled_and_not_packed_again(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    await cloud.arrive(gateway.send(98.0), waves(gateway))
    await restarted(cloud).staged.write_left()
    objects = [row.name for row in await cloud.rows(waveform_objects)]
    stored = [one.name async for page in cloud.objects.pages("waveforms") for one in page]  # type: ignore[union-attr]
    await cloud.ingest.settle()
    assert await numerics(cloud) == [(1, 97.0), (2, 98.0)]
    assert [row.name for row in await cloud.rows(waveform_objects)] == objects
    assert [one.name async for page in cloud.objects.pages("waveforms") for one in page] == stored  # type: ignore[union-attr]


async def test_only_a_process_that_receives_batches_removes_staged_objects(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: BreakableObjects
) -> None:
    await cloud.arrive(gateway.send(98.0))
    await cloud.ingest.settle()
    assert len(await staged_names(store)) == 1
    receiving = CloudUnderTest(cloud.database, objects=store, staged=True, removes=True)
    await receiving.staged.write_left()
    assert await staged_names(store) == []


async def test_batch_behind_a_missing_one_is_written_at_once_after_the_staged_ones(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    await cloud.arrive(gateway.send(98.0))
    lost = gateway.send(99.0)
    acks = await cloud.arrive(gateway.send(96.0))
    assert [(ack.through_sequence, ack.missing) for ack in acks] == [(2, ((3, 3),))]
    assert await numerics(cloud) == [(1, 97.0), (2, 98.0), (4, 96.0)]
    await cloud.arrive(lost)
    assert await marks(cloud) == {"numeric": (4, ""), "waveform": (1, "")}


async def test_resent_batch_is_a_duplicate_of_the_staged_one(cloud: CloudUnderTest, gateway: GatewayInVehicle) -> None:
    second = gateway.send(98.0)
    await cloud.arrive(second)
    acks = await cloud.arrive(second)
    assert [ack.through_sequence for ack in acks] == [2]
    assert await numerics(cloud) == [(1, 97.0), (2, 98.0)]


async def test_other_batch_with_the_number_of_a_staged_one_is_a_conflict(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    rival = GatewayInVehicle()
    rival.send(97.0), waves(rival)
    await cloud.arrive(gateway.send(98.0))
    (ack,) = await cloud.arrive(rival.send(42.0))
    assert ack.conflict
    assert await numerics(cloud) == [(1, 97.0), (2, 98.0)]
    assert len(await cloud.rows(quarantined_batches)) == 1


async def test_response_to_a_status_includes_staged_batches_and_does_not_write_their_rows(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    staged = gateway.send(98.0)
    await cloud.arrive(staged)
    status = Status(
        gateway="gw_test", epoch="epoch-a", online=True, at_us=NOW_US, boot_id="boot-1", software="test", marks={}
    )
    acks = {ack.lane: ack for ack in await cloud.take(cloud.handover.status_delivery(status))}
    assert acks[Lane.NUMERIC].through_sequence == 2
    assert acks[Lane.NUMERIC].through_hash == staged.batch.hash
    assert acks[Lane.WAVEFORM].through_sequence == 1
    assert await numerics(cloud) == [(1, 97.0)]


async def test_batch_of_an_unknown_device_is_written_at_once(cloud: CloudUnderTest, gateway: GatewayInVehicle) -> None:
    other = DeviceRef("00000000000000aa", "Thermometer")
    await cloud.arrive(gateway.send_sections([section(readings(36.6), device=other)]))
    assert len(await numerics(cloud)) == 2
    assert len(await cloud.device_ids()) == 2


async def test_batches_of_a_gateway_that_is_revoked_later_are_stored(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    await cloud.arrive(gateway.send(98.0))
    await GatewayAccessDesk(cloud.database, cloud.clock, cloud.ids).suspend(OPERATOR, "gw_test", "in the workshop")
    await restarted(cloud).staged.write_left()
    assert await numerics(cloud) == [(1, 97.0), (2, 98.0)]


async def test_batches_verify_although_the_clock_by_which_their_key_was_replaced_was_behind(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: BreakableObjects
) -> None:
    await cloud.arrive(gateway.send(98.0), waves(gateway))
    cloud.clock.at_us = NOW_US - 60_000_000
    key = base64.b64encode(GatewayInVehicle(key_seed=9).public_key).decode()
    await GatewayAccessDesk(cloud.database, cloud.clock, cloud.ids).replace_key(OPERATOR, "gw_test", key, "new box")
    cloud.clock.at_us = NOW_US + 3 * CLOCKS_US
    await restarted(cloud).staged.write_left()
    assert await numerics(cloud) == [(1, 97.0), (2, 98.0)]
    assert all(
        [one.intact async for one in CustodyCheck(cloud.database, cloud.clock, OPERATOR, objects=store).reports()]
    )
    assert (await ObjectAudit(cloud.database, Viewer(TENANT, None), store).run()).intact


async def test_staged_batches_above_a_quota_are_stored(
    database: Database, gateway: GatewayInVehicle, store: BreakableObjects
) -> None:
    quotas = IngestSection(rows_burst=100_000, parked_bytes_max=0)
    cloud = await CloudUnderTest(database, objects=store, staged=True, quotas=quotas).register(gateway)
    await cloud.arrive(gateway.send(97.0))
    await cloud.arrive(gateway.send(98.0))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("cloud.vehicles.ingest.quotas.QuotaCharges.reached", lambda *_, **__: "rows")
        await cloud.ingest.settle()
    assert await numerics(cloud) == [(1, 97.0), (2, 98.0)]


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


async def test_missing_batch_that_is_found_when_rows_are_written_is_reported_to_the_gateway(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    await cloud.arrive(gateway.send(98.0))
    await cloud.ingest.settle()
    await cloud.arrive(gateway.send(99.0))
    async with cloud.database.transaction() as tx:  # the database is restored from a copy
        await tx.execute(lanes.update().where(lanes.c.lane == "numeric").values(through_sequence=1))
    status = Status(
        gateway="gw_test", epoch="epoch-a", online=True, at_us=NOW_US, boot_id="boot-1", software="test", marks={}
    )
    acks = {ack.lane: ack for ack in await cloud.take(cloud.handover.status_delivery(status))}
    assert (acks[Lane.NUMERIC].through_sequence, acks[Lane.NUMERIC].missing) == (1, ((2, 2),))
    await cloud.ingest.settle()
    found = await cloud.arrive(gateway.send(96.0))
    assert [(ack.through_sequence, ack.missing) for ack in found] == [(1, ((2, 2),))] * 2
    assert (await numerics(cloud))[-1] == (4, 96.0)


async def test_conflict_that_is_found_when_rows_are_written_is_reported_to_the_gateway(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: BreakableObjects
) -> None:
    rival = GatewayInVehicle()
    rival.send(97.0), waves(rival)
    await cloud.arrive(gateway.send(98.0))
    await CloudUnderTest(cloud.database, objects=store).take(rival.send(42.0))
    await cloud.ingest.settle()
    found = await cloud.arrive(gateway.send(99.0))
    assert found
    assert all(ack.conflict for ack in found)
    assert len(await staged_names(store)) == 1, "the next batch is not staged"


async def test_rows_are_written_in_groups_that_unpack_to_limited_memory(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cloud.arrive(waves(gateway), waves(gateway), waves(gateway))
    monkeypatch.setattr(staged_writing, "GROUP_MEMORY_MAX", 1)
    await cloud.ingest.settle()
    assert [run.through_sequence for run in await cloud.rows(waveform_runs)] == [1, 2, 3, 4]


async def test_staged_batch_that_the_cloud_cannot_unpack_is_stored_without_rows(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: BreakableObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cloud.arrive(gateway.send(98.0))
    write = ObservationWriter.write

    async def fail(self: ObservationWriter, batches: Sequence[CarriedBatch]) -> list[Added]:
        if batches:
            raise RuntimeError("synthetic")
        return await write(self, batches)

    monkeypatch.setattr(ObservationWriter, "write", fail)
    receiving = CloudUnderTest(cloud.database, objects=store, staged=True, removes=True)
    await receiving.staged.write_left()
    assert [row.content for row in await cloud.rows(batches)] == ["rows", "unreadable"]
    assert await staged_names(store) == []


async def test_staged_object_that_cannot_be_written_is_removed_after_some_days(
    cloud: CloudUnderTest, store: BreakableObjects
) -> None:
    name = new_staged_name(cloud.ids)
    await store.put(name, b"damaged")
    receiving = CloudUnderTest(cloud.database, objects=store, staged=True, removes=True)
    await receiving.staged.write_left()
    await receiving.staged.remove_left()
    assert await staged_names(store) == [name]
    receiving.clock.at_us += LEFT_DAYS * DAY_US + 1_000
    await receiving.staged.remove_left()
    assert await staged_names(store) == []


async def test_staged_object_of_a_tenant_is_found_by_its_time(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: BreakableObjects
) -> None:
    await cloud.arrive(gateway.send(98.0))
    later_us = NOW_US + 1_000
    assert await staged_of(store, TENANT, NOW_US) is None
    assert await staged_of(store, TENANT, later_us, since_us=later_us) is None
    assert await staged_of(store, "tnt_other", later_us) is None
    assert [await staged_of(store, TENANT, later_us)] == await staged_names(store)


async def test_doctor_warns_of_staged_batches_that_are_late(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: BreakableObjects
) -> None:
    await cloud.arrive(gateway.send(98.0))
    (finding,) = await staged_findings(store, cloud.clock)
    assert finding.level is Level.OK
    cloud.clock.at_us += LATE_US + 1_000_000
    (finding,) = await staged_findings(store, cloud.clock)
    assert finding.level is Level.WARNING


def test_staged_object_is_read_as_it_was_written() -> None:
    one = StagedBatch(
        tenant_id=TENANT,
        gateway_id="gw_test",
        organization_id="org_test",
        vehicle_id="veh_test",
        lane=Lane.NUMERIC,
        received_at_us=NOW_US,
        envelope=encode_envelope(GatewayInVehicle().send(97.0)),
    )
    data = encode_staged(StagedObject(NOW_US, [one, one]))
    assert decode_staged("staged/x", data) == StagedObject(NOW_US, [one, one])
    for end in range(len(data)):
        with pytest.raises(ObjectDamaged):
            decode_staged("staged/x", data[:end])
    with pytest.raises(ObjectDamaged):
        decode_staged("staged/x", data + b"\x00")
