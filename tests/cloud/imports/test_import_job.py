"""A partner imports each kind of data by a job, and the result names the rows that were not imported."""

import hashlib
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from cloud.access.audit import Audit
from cloud.clinical.devices import devices
from cloud.clinical.epcr import CrewRegister, encounters, evidence_id_of
from cloud.clinical.profiles.tables import profiles
from cloud.clinical.screening.tables import screening_lists
from cloud.foundation.db import Transaction
from cloud.foundation.events.tables import outbox_events
from cloud.work.evidence.model import EvidenceKind
from cloud.work.evidence.store import EvidenceStore
from cloud.work.imports import work as work_module
from cloud.work.imports.rows import Stored
from cloud.work.jobs.lease_store import LeaseStore
from cloud.work.jobs.model import LeasedJob
from cloud.work.jobs.running import worker_of
from cloud.work.jobs.tables import jobs
from tests.builders.imports import count, device, encounter, import_now, ndjson, pieces, profile, start_import
from tests.builders.job_desk import JobDesk
from tests.builders.sanctions_lists import listed, ofac_xml

EMPTY = {
    "rows": 0,
    "created": 0,
    "updated": 0,
    "unchanged": 0,
    "refused": 0,
    "left_out": 0,
    "error_count": 0,
    "errors": [],
    "not_imported": [],
    "list": None,
}


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_module, "CHUNK_ROWS", 2)


@pytest.mark.contract("C-152")
@pytest.mark.parametrize(
    ("data", "row", "table"),
    [("devices", device, devices), ("profiles", profile, profiles), ("encounters", encounter, encounters)],
)
async def test_rows_in_a_request_are_imported_and_recognised_when_they_are_sent_again(
    desk: JobDesk, data: str, row: Callable[[int], dict[str, Any]], table: Any
) -> None:
    before = await count(desk.database, table)
    rows = [row(1), row(2)]
    assert await import_now(desk, data=data, rows=rows) == {**EMPTY, "data": data, "rows": 2, "created": 2}
    again = await import_now(desk, data=data, rows=[*rows, row(3)])
    assert (again["created"], again["unchanged" if data == "encounters" else "updated"]) == (1, 2)
    assert await count(desk.database, table) == before + 3
    assert await pieces(desk) == []


async def test_imported_devices_have_the_events_and_audit_entries_of_enrolled_ones(desk: JobDesk) -> None:
    await import_now(desk, data="devices", rows=[device(1), device(2)])
    async with desk.database.read() as tx:
        enrolled = await Audit(desk.clock).list(tx, desk.home.operator, action="device.enrol")
        finished = await Audit(desk.clock).list(tx, desk.home.operator, action="import.finished")
        event = select(outbox_events.c.type).where(outbox_events.c.type == "device.enrolled")
        assert len(await tx.execute(event)) == 2
        found = (await tx.execute(select(devices.c.organization_id).distinct())).rows
    assert [entry.client_id for entry in enrolled] == ["app_importer", "app_importer"]
    assert [entry.metadata["created"] for entry in finished] == [2]
    assert [row[0] for row in found] == ["org_north"]


async def test_uploaded_file_is_imported_across_the_borders_of_its_pieces(desk: JobDesk, small_chunks: None) -> None:
    data = b"\xef\xbb\xbf" + ndjson(device(1), device(2)) + b"\r\n" + ndjson(device(3), device(4)).rstrip()
    uploads = [await desk.upload(data[first : first + 70]) for first in range(0, len(data), 70)]
    done = await import_now(desk, data="devices", uploads=uploads)
    assert (done["rows"], done["created"], done["errors"]) == (4, 4, [])
    assert await pieces(desk) == []


@pytest.mark.contract("A-123")
async def test_evidence_of_an_import_has_one_record_with_the_hash_of_each_piece(desk: JobDesk) -> None:
    files = [ndjson(device(1)), ndjson(device(2))]
    uploads = [await desk.upload(file) for file in files]
    job_id = await start_import(desk, data="devices", uploads=uploads)
    assert (await desk.get(f"/v1/jobs/{job_id}", "importer")).json()["evidence_id"] is None
    await desk.parts.shared(worker_of).step()
    evidence_id = evidence_id_of("tnt_north", EvidenceKind.IMPORT.value, job_id)
    assert (await desk.get(f"/v1/jobs/{job_id}", "importer")).json()["evidence_id"] == evidence_id
    async with desk.database.read() as tx:
        evidence = await EvidenceStore().transcript_of(tx, "tnt_north", evidence_id)
    assert evidence is not None
    (record,) = evidence.records
    assert record.operation == "evidence.create"
    assert record.core_members["content_hash"] == record.content_hash
    assert record.content_members["pieces"] == [
        {"sha256": hashlib.sha256(file).hexdigest(), "size_bytes": len(file)} for file in files
    ]


@pytest.mark.contract("A-123", "A-130")
async def test_evidence_of_an_imported_encounter_names_the_job_and_who_requested_it(desk: JobDesk) -> None:
    job_id = await start_import(desk, data="encounters", rows=[encounter(1)])
    await desk.parts.shared(worker_of).step()
    async with desk.database.read() as tx:
        chosen = select(encounters.c.id).where(encounters.c.cad_incident_id == "cad_1")
        evidence_id = evidence_id_of("tnt_north", EvidenceKind.ENCOUNTER.value, (await tx.execute(chosen)).scalar())
        evidence = await EvidenceStore().transcript_of(tx, "tnt_north", evidence_id)
    assert evidence is not None
    (record,) = [one.core_members for one in evidence.records]
    assert (record["actor_id"], record["actor_kind"], record["job_id"]) == (job_id, "job", job_id)
    assert record["details"] == {"requested_by": "app_importer"}


async def test_csv_is_imported_with_lists_and_empty_cells(desk: JobDesk) -> None:
    data = (
        b"\xef\xbb\xbfreference,kind,names,countries\r\n"
        b'CRM-1,person,"Examplo One;Exemplar, Two",\r\n'
        b"CRM-2,person,Synthetica,PL;DE\n"
    )
    done = await import_now(desk, data="profiles", format="csv", uploads=[await desk.upload(data)])
    assert done["created"] == 2
    async with desk.database.read() as tx:
        chosen = select(profiles.c.names, profiles.c.countries).order_by(profiles.c.reference)
        found = [tuple(map(orjson.loads, row)) for row in await tx.execute(chosen)]
    assert found == [(["Examplo One", "Exemplar, Two"], []), (["Synthetica"], ["PL", "DE"])]


@pytest.mark.contract("C-152")
async def test_chunk_with_an_error_is_left_out_as_a_whole_and_the_result_names_its_lines(
    desk: JobDesk, small_chunks: None
) -> None:
    rows = [
        device(1),
        device(2),
        device(3),
        device(4, device_class="Hidden Person"),
        device(5),
        device(6, vehicle_id="veh_south"),
        device(7),
        {**device(8), "Hidden Person": 1},
        device(9),
    ]
    done = await import_now(desk, data="devices", rows=rows)
    counts = [done[name] for name in ("rows", "created", "refused", "left_out", "error_count")]
    assert counts == [9, 3, 3, 3, 3]
    assert [(one["line"], one["field"], one["code"]) for one in done["errors"]] == [
        (4, "/device_class", "row_malformed"),
        (6, "/vehicle_id", "vehicle_unknown"),
        (8, None, "row_malformed"),
    ]
    assert done["errors"][2]["message"].startswith("the row has an unknown field; the fields are serial_number, ")
    assert done["not_imported"] == [{"first_line": 3, "last_line": 8}]
    assert "Hidden Person" not in orjson.dumps(done).decode()
    assert await count(desk.database) == 3
    mended = [device(number) for number in range(3, 9)]
    assert (await import_now(desk, data="devices", rows=mended))["created"] == 6


async def test_name_within_a_field_is_left_out_of_the_error(desk: JobDesk) -> None:
    rows = [{"care_model": "prehospital_emergency", "call": {"Hidden Person": 1}}]
    done = await import_now(desk, data="encounters", rows=rows)
    assert "/call" in [one["field"] for one in done["errors"]]
    assert "Hidden Person" not in orjson.dumps(done).decode()


async def test_line_that_is_no_row_is_an_error_and_blank_lines_are_none(desk: JobDesk) -> None:
    lines = [b"", b"  ", b"not JSON", b"\xff", b"[1]", b'{"serial_number":"1","serial_number":"2"}', b""]
    done = await import_now(desk, data="devices", uploads=[await desk.upload(b"\n".join(lines))])
    assert [(one["line"], one["field"], one["code"]) for one in done["errors"]] == [
        (line, None, "row_malformed") for line in (3, 4, 5, 6)
    ]
    assert (done["rows"], done["refused"]) == (4, 4)


async def test_errors_beyond_the_limit_are_counted_and_not_listed(
    desk: JobDesk, monkeypatch: pytest.MonkeyPatch, small_chunks: None
) -> None:
    monkeypatch.setattr("cloud.work.imports.schemas.ERRORS_LISTED_MAX", 3)
    monkeypatch.setattr("cloud.work.imports.schemas.RANGES_MAX", 1)
    rows = [device(number, device_class="x") if number != 3 else device(3) for number in (1, 2, 3, 3, 5, 6)]
    saves, save = [], LeaseStore.save

    async def count_saves(
        self: LeaseStore, tx: Transaction, leased: LeasedJob, state: str, *rest: Any, **more: Any
    ) -> None:
        saves.append(state)
        await save(self, tx, leased, state, *rest, **more)

    monkeypatch.setattr(LeaseStore, "save", count_saves)
    done = await import_now(desk, data="devices", rows=rows)
    assert len(saves) == 1 + 3, "of the examination and of each chunk, since the state has the errors"
    assert (done["error_count"], len(done["errors"]), done["created"], done["updated"]) == (4, 3, 1, 1)
    assert done["not_imported"] == [{"first_line": 1, "last_line": 6}]


async def test_profile_above_the_level_of_the_job_is_neither_added_nor_replaced(desk: JobDesk) -> None:
    secret = [profile(1, secrecy_level="secret")]
    done = await import_now(desk, data="profiles", rows=secret)
    assert [(one["field"], one["code"]) for one in done["errors"]] == [("/secrecy_level", "clearance_exceeded")]
    service = work_module.row_stores(desk.parts)[work_module.ImportData.PROFILES]
    async with desk.database.transaction() as tx:
        row = service.model.model_validate(secret[0])
        assert await service.store(tx, desk.home.operator, "org_north", row, job_id="j") is Stored.CREATED
    done = await import_now(desk, data="profiles", rows=[profile(1, names=["Replaced"])])
    assert [(one["field"], one["code"]) for one in done["errors"]] == [(None, "profile_taken")]


async def test_encounter_without_an_incident_is_an_error_since_it_could_not_be_recognised(desk: JobDesk) -> None:
    done = await import_now(desk, data="encounters", rows=[{"care_model": "prehospital_emergency"}])
    assert "cad_incident_id is required" in done["errors"][0]["message"]


async def test_row_of_an_existing_encounter_with_other_fields_is_refused(desk: JobDesk) -> None:
    crew = CrewRegister(desk.database, desk.clock, desk.parts.ids)
    for name in ("crw_1", "crw_2"):
        await crew.add(desk.home.operator, organization_id="org_north", id=name)
    first = encounter(1, crew_ids=["crw_1"])
    await import_now(desk, data="encounters", rows=[first])
    for row, code in (
        ({**first, "care_model": "interfacility_transfer"}, "encounter_differs"),
        ({**first, "crew_ids": ["crw_1", "crw_2"]}, "encounter_differs"),
        ({**first, "care_model": "interfacility_transfer", "crew_ids": ["crw_unknown"]}, "crew_member_unknown"),
    ):
        done = await import_now(desk, data="encounters", rows=[row])
        assert (done["refused"], [one["code"] for one in done["errors"]]) == (1, [code])
    without_crew = encounter(1)
    assert (await import_now(desk, data="encounters", rows=[first, without_crew]))["unchanged"] == 2


async def test_sanctions_list_becomes_current_as_a_whole(desk: JobDesk) -> None:
    file = ofac_xml([listed("SYN-1", "Examplo Testovich"), listed("SYN-2", "Another Subjectov")])
    uploads = [await desk.upload(file[:200], "lists"), await desk.upload(file[200:], "lists")]
    done = await import_now(desk, "lists", data="sanctions", format="ofac-xml", uploads=uploads)
    assert (done["rows"], done["created"], done["list"]["name"], done["list"]["names"]) == (2, 2, "ofac-sdn", 2)
    broken = ofac_xml([listed("SYN-1", "Examplo Testovich"), listed("SYN-3", "")])
    payload = {"format": "ofac-xml", "uploads": [await desk.upload(broken, "lists")]}
    done = await import_now(desk, "lists", data="sanctions", **payload)
    assert (done["created"], done["refused"], done["left_out"], done["list"]) == (0, 1, 1, None)
    assert [(one["line"], one["code"]) for one in done["errors"]] == [(4, "list_record_malformed")]
    async with desk.database.read() as tx:
        chosen = select(screening_lists.c.state).order_by(screening_lists.c.id)
        assert [row[0] for row in await tx.execute(chosen)] == ["current", "refused"]


async def test_unusable_sanctions_list_fails_the_job_and_changes_nothing(desk: JobDesk) -> None:
    async def send(file: bytes) -> dict[str, Any]:
        uploads = [await desk.upload(file, "lists")]
        job_id = await start_import(desk, "lists", data="sanctions", format="ofac-xml", uploads=uploads)
        await desk.parts.shared(worker_of).step()
        shown: dict[str, Any] = (await desk.get(f"/v1/jobs/{job_id}", "lists")).json()
        return shown

    three = [listed(f"SYN-{number}", f"Name{number}") for number in range(3)]
    assert (await send(ofac_xml(three)))["status"] == "succeeded"
    for file, code in (
        (b"<not>a list</not>", "list_unreadable"),
        (ofac_xml([]), "list_empty"),
        (ofac_xml(three[:1]), "list_shrunk"),
    ):
        assert (await send(file))["error"]["code"] == code
        await desk.parts.shared(worker_of).step()  # the clean-up
    async with desk.database.read() as tx:
        states = (await tx.execute(select(screening_lists.c.state).order_by(screening_lists.c.id))).rows
        assert [row[0] for row in states] == ["current", "refused", "refused", "refused"]
        chosen = select(screening_lists.c.entries).where(screening_lists.c.state == "current")
        assert [row[0] for row in await tx.execute(chosen)] == [3]
    assert await pieces(desk) == []


async def test_rows_of_a_request_are_not_kept_with_the_record_of_the_job(desk: JobDesk) -> None:
    await import_now(desk, data="profiles", rows=[profile(1, names=["Hidden Person"])])
    async with desk.database.read() as tx:
        stored = (await tx.execute(select(jobs.c.payload, jobs.c.state))).first()
    assert stored is not None
    assert "Hidden Person" not in f"{stored.payload}{stored.state}"
