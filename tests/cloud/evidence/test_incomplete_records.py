"""A record of evidence states what it leaves out, and what is not stored yet is recorded later."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from cloud.foundation.db import Database
from cloud.foundation.objects import LocalObjects
from cloud.vehicles.ingest.settings import IngestSection
from cloud.work.evidence import capture_records, chain_ends, following, report_records
from cloud.work.evidence.encounters import evidence_of
from cloud.work.evidence.recorder import Document, Entry
from protocols.epcr.annotations import Annotation
from protocols.epcr.change import FieldChange
from protocols.epcr.seal import GATEWAY_AUTHOR, chain_end, seal_value
from protocols.provenance.transcript import ActorKind, Operation
from tests.builders.care_changes import change
from tests.builders.followed_vehicle import FollowedVehicle
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.retention_world import waveform

ENCOUNTER = "enc_1"
SIGNED = change("signatures.time", "2026-03-24T10:00:00Z", entry="s1", encounter=ENCOUNTER)
Begin = Callable[..., Awaitable[FollowedVehicle]]


@pytest.fixture
def begin(database: Database, tmp_path: Path) -> Begin:
    async def begin(*, objects: bool = True, rows_burst: int | None = None) -> FollowedVehicle:
        """Return a vehicle with an encounter. `rows_burst` is the quota of rows of its gateway."""
        store = LocalObjects(tmp_path / "objects") if objects else None
        vehicle = FollowedVehicle(database, GatewayInVehicle(), objects=store)
        if rows_burst is not None:
            quotas = IngestSection.model_construct(rows_burst=rows_burst, rows_per_hour=rows_burst)
            vehicle.cloud = CloudUnderTest(database, clock=vehicle.cloud.clock, objects=store, quotas=quotas)
        return await vehicle.begin()

    return begin


def ecg(vehicle: FollowedVehicle, entry: str = "e1") -> FieldChange:
    return change(
        "vitals.ecg_type", "3304003", entry=entry, encounter=ENCOUNTER, gateway_time_us=vehicle.gateway.now_us
    )


def seal_of(gateway: GatewayInVehicle, *log: FieldChange) -> FieldChange:
    encounter = log[0].encounter
    value = seal_value(encounter, len(log), chain_end(encounter, log), gateway.key.sign)
    return change(Annotation.SEAL, value, encounter=encounter, author=GATEWAY_AUTHOR)


async def details_of(vehicle: FollowedVehicle, name: str) -> list[Any]:
    found: list[Any] = [one.core_members.get("details", {}) for one in await vehicle.room.records(vehicle.encounter)]
    return [details[name] for details in found if name in details]


async def captures_of(vehicle: FollowedVehicle) -> list[tuple[int, bool]]:
    found = await details_of(vehicle, "ecg_capture")
    return [(sum(1 for _ in one["waveform_batches"]), one["complete"]) for one in found]


async def write_ends_without(vehicle: FollowedVehicle, member: str) -> None:
    """Write the ends as a process of the release before knows them, which still runs during an update."""
    last: Any = (await vehicle.room.records(vehicle.encounter))[-1].content_members["vehicle_chains"]
    ends = {name: {key: value for key, value in end.items() if key != member} for name, end in last.items()}
    entry = Entry(
        operation=Operation.UPDATE,
        actor_id="argus-cloud",
        actor_kind=ActorKind.SYSTEM,
        content=Document({"vehicle_chains": ends}),
    )
    async with vehicle.database.transaction() as tx:
        await vehicle.room.recorder.append(tx, evidence_of(vehicle.encounter), entry)


async def turn_after(vehicle: FollowedVehicle, minutes: int) -> None:
    vehicle.pass_minutes(minutes)
    await vehicle.room.following.turn()


async def test_parked_batch_of_a_report_is_referenced_with_its_seal_when_it_is_unpacked(begin: Begin) -> None:
    vehicle = await begin(rows_burst=2)
    other = change("vitals.spo2", "97", encounter=ENCOUNTER)
    await vehicle.cloud.take(vehicle.gateway.send_changes(other, other, other))
    log = (SIGNED,)
    await vehicle.cloud.take(vehicle.gateway.send_changes(*log, seal_of(vehicle.gateway, *log)))
    await vehicle.room.following.turn()
    assert await details_of(vehicle, "report_seal") == []
    parked = [last for one in await vehicle.ranges() for lane, _, last in one if lane == "epcr"]
    vehicle.pass_days(1)
    assert await vehicle.cloud.take_up() > 0
    await turn_after(vehicle, 3 * 60)
    assert [one["sequence"] for one in await details_of(vehicle, "report_seal")] == [2]
    assert parked == [1]
    assert [last for one in await vehicle.ranges() for lane, _, last in one if lane == "epcr"] == [1, 2]


async def test_capture_waits_for_waveforms_that_are_parked(begin: Begin) -> None:
    vehicle = await begin()
    await vehicle.cloud.take(waveform(vehicle.gateway), vehicle.gateway.send_changes(ecg(vehicle)))
    vehicle.pass_minutes(5)
    await vehicle.cloud.take(waveform(vehicle.gateway))
    async with vehicle.database.transaction() as tx:
        columns = "tenant_id, gateway_id, lane_id, sequence, quota, parked_bytes, parked_us"
        chosen = "tenant_id, gateway_id, lane_id, 1, 'rows', 1, 1 FROM lanes WHERE lane = 'waveform'"
        await tx.execute(text(f"INSERT INTO parked_batches ({columns}) SELECT {chosen}"))
    await vehicle.room.following.turn()
    assert await captures_of(vehicle) == []
    async with vehicle.database.transaction() as tx:
        await tx.execute(text("DELETE FROM parked_batches"))
    await turn_after(vehicle, 5)
    assert await captures_of(vehicle) == [(1, True)]


async def test_capture_names_waveforms_in_rows(begin: Begin) -> None:
    vehicle = await begin(objects=False)
    await vehicle.cloud.take(waveform(vehicle.gateway), vehicle.gateway.send_changes(ecg(vehicle)))
    vehicle.pass_minutes(5)
    await vehicle.cloud.take(waveform(vehicle.gateway))
    await vehicle.room.following.turn()
    assert await captures_of(vehicle) == [(1, True)]


async def test_capture_whose_waveforms_the_vehicle_dropped_is_not_complete(begin: Begin) -> None:
    vehicle = await begin()
    dropped = [waveform(vehicle.gateway) for _ in range(2)]
    await vehicle.cloud.take(vehicle.gateway.gap(dropped), vehicle.gateway.send_changes(ecg(vehicle)))
    vehicle.pass_minutes(5)
    await vehicle.cloud.take(waveform(vehicle.gateway))
    await vehicle.room.following.turn()
    assert await captures_of(vehicle) == [(0, False)]


@pytest.mark.parametrize(("began_minutes_before", "is_complete"), [(5, True), (0, False)])
async def test_capture_is_complete_only_in_a_store_that_began_before_it(
    begin: Begin, began_minutes_before: int, is_complete: bool
) -> None:
    vehicle = await begin()
    await vehicle.cloud.take(waveform(vehicle.gateway))
    replacing = GatewayInVehicle(epoch="epoch-b")
    replacing.now_us = vehicle.gateway.now_us
    vehicle.gateway = replacing
    await vehicle.cloud.take(replacing.send_changes(SIGNED))
    vehicle.gateway.now_us += began_minutes_before * 60_000_000
    await vehicle.cloud.take(waveform(replacing), replacing.send_changes(ecg(vehicle)))
    vehicle.pass_minutes(5)
    await vehicle.cloud.take(waveform(replacing))
    await vehicle.room.following.turn()
    assert [complete for _, complete in await captures_of(vehicle)] == [is_complete]


async def test_capture_with_more_waveforms_than_a_record_names_is_not_complete(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture_records, "RUNS_MAX", 1)
    vehicle = await begin(objects=False)
    await vehicle.cloud.take(*[waveform(vehicle.gateway) for _ in range(2)])
    await vehicle.cloud.take(vehicle.gateway.send_changes(ecg(vehicle)))
    vehicle.pass_minutes(5)
    await vehicle.cloud.take(waveform(vehicle.gateway))
    await vehicle.room.following.turn()
    assert await captures_of(vehicle) == [(1, False)]


async def test_number_of_captures_without_a_record_is_stated_in_the_last_one(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture_records, "CAPTURES_MAX", 2)
    vehicle = await begin()
    await vehicle.cloud.take(vehicle.gateway.send_changes(*[ecg(vehicle, f"e{number}") for number in range(5)]))
    vehicle.pass_minutes(5)
    await vehicle.cloud.take(waveform(vehicle.gateway))
    await vehicle.room.following.turn()
    found = await details_of(vehicle, "ecg_capture")
    assert [one.get("captures_left_out") for one in found] == [None, 3]


async def test_number_of_seals_and_of_signers_without_a_record_is_stated(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_records, "SEALS_MAX", 2)
    monkeypatch.setattr(report_records, "SIGNERS_MAX", 1)
    vehicle = await begin()
    log = [SIGNED, change("signatures.time", "2026-03-24T10:00:00Z", entry="s2", encounter=ENCOUNTER, author="usr_2")]
    for _ in range(3):
        log.append(seal_of(vehicle.gateway, *log))
    await vehicle.cloud.take(vehicle.gateway.send_changes(*log))
    await vehicle.room.following.turn()
    found = await details_of(vehicle, "report_seal")
    assert [(one.get("seals_left_out"), one.get("signers_left_out")) for one in found] == [(1, 1), (None, 1)]


async def test_reference_states_what_it_names_only_in_part(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "NAMED_MAX", 1)
    monkeypatch.setattr(following, "CHANGES_MAX", 1)
    vehicle = await begin()
    for _ in range(2):
        await vehicle.cloud.take(vehicle.gateway.send_changes(SIGNED))
    await vehicle.room.following.turn()
    ((found,),) = await vehicle.references()
    assert (found["sign_offs"], found["incomplete"]) == ([1], ["sign_offs", "report"])


async def test_number_of_lanes_without_a_range_is_stated(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain_ends, "LANES_MAX", 1)
    vehicle = await begin()
    await vehicle.cloud.take(vehicle.gateway.send(), vehicle.gateway.send_event())
    await vehicle.room.following.turn()
    assert await details_of(vehicle, "lanes_left_out") == [1]
    assert len((await vehicle.references())[0]) == 1


async def test_captures_of_an_end_that_an_earlier_release_wrote_get_their_records_once(begin: Begin) -> None:
    vehicle = await begin()
    await vehicle.cloud.take(vehicle.gateway.send_changes(ecg(vehicle)), waveform(vehicle.gateway))
    vehicle.pass_minutes(5)
    await vehicle.cloud.take(waveform(vehicle.gateway), vehicle.gateway.send_changes(ecg(vehicle, "e2")))
    await vehicle.room.following.turn()
    assert [one["entry"] for one in await details_of(vehicle, "ecg_capture")] == ["e1"]
    await write_ends_without(vehicle, "captures_through")
    vehicle.pass_minutes(5)
    await vehicle.cloud.take(waveform(vehicle.gateway))
    await turn_after(vehicle, 5)
    assert [one["entry"] for one in await details_of(vehicle, "ecg_capture")] == ["e1", "e2"]
    await turn_after(vehicle, 60)
    assert len(await details_of(vehicle, "ecg_capture")) == 2


async def test_joined_report_that_an_end_of_an_earlier_release_lacks_gets_its_records_once(begin: Begin) -> None:
    vehicle = await begin()
    log = [replace(one, encounter="enc_of_crew") for one in (ecg(vehicle), SIGNED)]
    log.append(change(Annotation.PART_OF, ENCOUNTER, encounter="enc_of_crew"))
    joined = change(Annotation.JOINED, "enc_of_crew", encounter=ENCOUNTER)
    sealed = (*log, joined, seal_of(vehicle.gateway, *log))
    await vehicle.cloud.take(vehicle.gateway.send_changes(*sealed), waveform(vehicle.gateway))
    vehicle.pass_minutes(5)
    await vehicle.cloud.take(waveform(vehicle.gateway))
    await vehicle.room.following.turn()
    await write_ends_without(vehicle, "reports")
    await turn_after(vehicle, 5)
    assert [one["verdict"] for one in await details_of(vehicle, "report_seal")] == ["intact"]
    assert [one["report_id"] for one in await details_of(vehicle, "ecg_capture")] == ["enc_of_crew"]
