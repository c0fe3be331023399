"""A registry gets the reports of many encounters in one archive, with the same rights as for each of them."""

import io
import json
import zipfile
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from cloud.access.audit.tables import audit_entries
from cloud.clinical.nemsis import REGISTRY
from cloud.clinical.nemsis.export import ReportExport
from cloud.foundation.http import BodyMalformed
from cloud.foundation.viewer import Actor, SecrecyLevel
from cloud.work.exports import nemsis_archive, work
from cloud.work.exports.schemas import ExportPayload
from cloud.work.jobs import Advance, JobFailure, job_kinds
from cloud.work.jobs.service import read_wanted
from protocols.nemsis.export import export_record
from protocols.nemsis.reading import read_reports
from tests.builders.exports import ExportDesk, digest
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, TENANT
from tests.builders.nemsis_judges import rule_findings, schema_faults
from tests.builders.nemsis_records import SUPPLIED, RecordGenerator
from tests.builders.nemsis_reports import MANDATORY, NAME, document
from tests.builders.registry_reports import OTHER_ORGANIZATION, begin_registry, entitle, report_uuid, take_report

PAYLOAD = {"data": "encounters", "format": "nemsis"}
APP = Actor(TENANT, ORGANIZATION, SecrecyLevel.STANDARD, subject="app_registry", client_id="app_registry")


@pytest.fixture
async def registry(desk: ExportDesk) -> ExportDesk:
    await begin_registry(desk.cloud)
    return desk


async def five_encounters(desk: ExportDesk) -> list[str]:
    """Store three records that can be reported, one that lacks mandatory elements, and one of an organisation without
    an agency; return the encounters in the order of creation."""
    reported = [
        document(*MANDATORY, NAME.format(f"Name{number}"), uuid=str(report_uuid(number))) for number in range(3)
    ]
    incomplete = document(NAME.format("Canary"), uuid=str(report_uuid(3)))
    elsewhere = document(*MANDATORY, NAME.format("Canary"), uuid=str(report_uuid(4)))
    found = [await take_report(desk.cloud, each) for each in (reported[0], incomplete, *reported[1:])]
    return [*found, await take_report(desk.cloud, elsewhere, organization_id=OTHER_ORGANIZATION)]


def files(archive: bytes, kind: str) -> dict[str, bytes]:
    """Return the files of an archive whose names begin with `kind`."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.testzip() is None
        return {name: opened.read(name) for name in opened.namelist() if name.startswith(kind)}


def index(archive: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for text in files(archive, "index/").values() for line in text.splitlines()]


async def test_archive_has_the_report_of_each_encounter_or_the_reason_why_there_is_none(registry: ExportDesk) -> None:
    encounters = await five_encounters(registry)
    archive = await registry.run(PAYLOAD)
    lines = index(archive)
    assert [line["encounter_id"] for line in lines] == encounters
    ((name, text),) = files(archive, "reports/").items()
    assert name.startswith(f"reports/{ORGANIZATION}/2")
    assert name.endswith(f"Z-{encounters[0]}.xml")
    reported = [line for line in lines if line["document"] is not None]
    assert [line["document"] for line in reported] == [name] * 3
    assert [line["report_id"] for line in reported] == [str(report.id) for report in read_reports(text)]
    refused = [line for line in lines if line["document"] is None]
    assert [line["code"] for line in refused] == ["nemsis_report_incomplete", "nemsis_agency_missing"]
    assert "eTimes.13 (Times: Back in service)" in " ".join(refused[0]["errors"])
    assert "Canary" not in json.dumps(lines)
    totals = {"encounters": 5, "reports": 3, "not_reported": 2, "documents": 1}
    assert json.loads(files(archive, "summary.json")["summary.json"]) == totals
    download = registry.results[-1].download
    assert (download.media_type, download.file_name) == ("application/zip", "encounters.nemsis.zip")


async def test_document_of_one_report_is_that_of_the_route(registry: ExportDesk) -> None:
    encounter_id = await take_report(registry.cloud, document(*MANDATORY, NAME.format("Żółć &amp;\nSöhne")))
    (text,) = files(await registry.run(PAYLOAD), "reports/").values()
    database, clock = registry.cloud.database, registry.cloud.clock
    assert text == (await ReportExport(database, clock).read(OPERATOR, encounter_id)).exported.document


async def test_document_of_several_reports_meets_the_published_schema_and_rules(registry: ExportDesk) -> None:
    for number in range(3):
        supplied = replace(SUPPLIED, report_id=report_uuid(number))
        await take_report(registry.cloud, export_record(RecordGenerator(number).record(), supplied).document)
    (text,) = files(await registry.run(PAYLOAD), "reports/").values()
    assert text.count(b"<PatientCareReport ") == 3
    assert schema_faults(text) == []
    assert [each.rule for each in rule_findings(text) if each.is_error] == []


@pytest.mark.contract("S-138")
async def test_archive_whose_workers_are_killed_has_the_same_bytes_and_each_reading_is_audited_once(
    registry: ExportDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nemsis_archive, "ENCOUNTERS_MAX", 2)
    encounters = await five_encounters(registry)
    whole = await registry.run(PAYLOAD)
    steps = registry.steps
    assert len(files(whole, "index/")) == 3
    assert digest(await registry.run(PAYLOAD, killed_before=frozenset(range(steps)))) == digest(whole)
    assert await registry.unfinished() == []
    read = [row for row in await registry.cloud.rows(audit_entries) if row.action == "epcr.identified_read"]
    jobs = [json.loads(row.metadata)["job"] for row in read]
    assert [row.object for row in read] == encounters[:4] * 2  # nothing was read of the record without an agency
    assert [jobs.count(job) for job in dict.fromkeys(jobs)] == [4, 4]
    assert {json.loads(row.metadata)["purpose_of_use"] for row in read} == {"PUBHLTH"}


async def test_step_ends_after_a_number_of_values_in_the_care_records(
    registry: ExportDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await five_encounters(registry)
    monkeypatch.setattr(work, "PART_WORK_MAX", 8)
    await registry.run(PAYLOAD)
    done = [state.encounters_done for state in registry.states]
    assert done[-1] == 5
    assert max(after - before for before, after in pairwise(done)) == 2


async def test_archive_of_nothing_has_a_summary(registry: ExportDesk) -> None:
    archive = await registry.run(PAYLOAD)
    assert json.loads(files(archive, "")["summary.json"])["encounters"] == 0


async def test_export_ends_when_the_entitlement_does(registry: ExportDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nemsis_archive, "ENCOUNTERS_MAX", 2)
    await five_encounters(registry)
    registry.cloud.clock.at_us += 1
    job = registry.job(PAYLOAD, actor=APP)
    for _ in range(2):
        outcome = await registry.work().step(job)
        assert isinstance(outcome, Advance)
        job = replace(job, state=outcome.state)
    await entitle(registry.cloud)
    with pytest.raises(JobFailure, match="not entitled"):
        await registry.work().step(job)
    await registry.work().discard(job)
    assert await registry.unfinished() == []


async def test_archive_has_the_encounters_of_the_callers_organisation_alone(registry: ExportDesk) -> None:
    encounters = await five_encounters(registry)
    assert [line["encounter_id"] for line in index(await registry.run(PAYLOAD, actor=APP))] == encounters[:4]
    with pytest.raises(JobFailure, match="needs an organisation"):
        await registry.run(PAYLOAD, actor=replace(APP, organization_id=None))


def test_format_is_concealed_from_callers_without_its_scope_and_needs_that_scope_alone() -> None:
    of = job_kinds()["export.bulk"].scopes.of
    with pytest.raises(BodyMalformed) as concealed:
        read_wanted("export.bulk", PAYLOAD, scopes=("argus:epcr:read",))
    with pytest.raises(BodyMalformed) as absent:
        read_wanted("export.bulk", {**PAYLOAD, "format": "absent"}, scopes=("argus:epcr:read",))
    assert (str(concealed.value), concealed.value.mistakes) == (str(absent.value), absent.value.mistakes)
    assert of(read_wanted("export.bulk", PAYLOAD, scopes=(REGISTRY,)).payload) == (REGISTRY,)
    assert of(ExportPayload.model_validate({**PAYLOAD, "format": "csv"})) == ("argus:epcr:read",)
