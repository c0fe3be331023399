"""Staged objects are written by any process, once, and removed when their rows are written."""

import base64
from collections.abc import Sequence
from pathlib import Path

import pytest

from cloud.clinical.observations.store import Added, CarriedBatch, ObservationWriter
from cloud.clinical.waveforms import waveform_objects, waveform_runs
from cloud.foundation.db import Database
from cloud.foundation.findings import Level
from cloud.foundation.objects import ObjectDamaged
from cloud.foundation.retention import DAY_US
from cloud.foundation.viewer import Viewer
from cloud.vehicles.custody.tables import batches
from cloud.vehicles.fleet.access import GatewayAccessDesk
from cloud.vehicles.fleet.model import CLOCKS_US
from cloud.vehicles.ingest import staged_writing
from cloud.vehicles.ingest.staged_object import (
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
from protocols.uplink.envelope import encode_envelope
from protocols.uplink.lanes import Lane
from tests.builders.ingest_cloud import OPERATOR, TENANT, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle
from tests.builders.staging import BreakableObjects, marks, numerics, restarted, staged_names, staging_cloud
from tests.builders.waveforms import waves


@pytest.fixture
def store(tmp_path: Path) -> BreakableObjects:
    return BreakableObjects(tmp_path / "objects")


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle, store: BreakableObjects) -> CloudUnderTest:
    return await staging_cloud(database, gateway, store)


async def test_only_a_process_that_receives_batches_removes_staged_objects(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: BreakableObjects
) -> None:
    await cloud.arrive(gateway.send(98.0))
    await cloud.ingest.settle()
    assert len(await staged_names(store)) == 1
    receiving = CloudUnderTest(cloud.database, objects=store, staged=True, removes=True)
    await receiving.staged.write_left()
    assert await staged_names(store) == []


async def test_waveforms_of_several_staged_objects_become_one_run(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    for _ in range(3):
        await cloud.arrive(waves(gateway))
    await cloud.ingest.settle()
    assert [(run.sequence, run.through_sequence) for run in await cloud.rows(waveform_runs)] == [(1, 1), (2, 4)]
    assert len(await cloud.rows(waveform_objects)) == 2


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


async def test_rows_are_written_in_groups_that_unpack_to_limited_memory(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cloud.arrive(waves(gateway), waves(gateway), waves(gateway))
    monkeypatch.setattr(staged_writing, "GROUP_MEMORY_MAX", 1)
    await cloud.ingest.settle()
    assert [run.through_sequence for run in await cloud.rows(waveform_runs)] == [1, 2, 3, 4]


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
