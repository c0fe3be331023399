"""Reports are imported into care records and exported from them, for the organisation only, and in the audit trail."""

import hashlib
from dataclasses import replace

import pytest
from sqlalchemy import delete

from cloud.access.audit.tables import audit_entries
from cloud.clinical.epcr import EncounterUnknown
from cloud.clinical.epcr.records import CareRecords
from cloud.clinical.epcr.service import Epcr
from cloud.clinical.epcr.tables import care_changes, encounters
from cloud.clinical.nemsis.agency import Agencies
from cloud.clinical.nemsis.errors import (
    AgencyMalformed,
    AgencyMissing,
    DocumentUnreadable,
    OrganizationDiffers,
    ReportsTooMany,
)
from cloud.clinical.nemsis.export import ReportExport
from cloud.clinical.nemsis.importing import Destination, ImportedReport, ReportImport
from cloud.foundation.db import Database
from cloud.foundation.viewer import Actor
from protocols.epcr.record import CareRecord
from protocols.nemsis.reading import read_reports
from tests.builders.care_changes import ANNA, change
from tests.builders.evidence import EvidenceRoom, operations_on
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, TENANT, VEHICLE, CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.nemsis_reports import MANDATORY, NAME, UUID_TEXT, document

HERE = Destination(organization_id=ORGANIZATION, vehicle_id=VEHICLE)
ENCOUNTER = f"enc_{UUID_TEXT.replace('-', '')}"


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle) -> CloudUnderTest:
    cloud = await CloudUnderTest(database).register(gateway)
    await Agencies(database, cloud.clock).set(
        OPERATOR, ORGANIZATION, state_id="C034", number="351-C034", state="09", unit_capability="2207015"
    )
    return cloud


async def imported(cloud: CloudUnderTest, data: bytes, to: Destination = HERE) -> ImportedReport:
    cloud.clock.at_us += 1_000_000
    (found,) = await ReportImport(cloud.database, cloud.clock, cloud.ids).take(OPERATOR, data, to)
    return found


async def record(cloud: CloudUnderTest, encounter: str = ENCOUNTER) -> CareRecord:
    return (await CareRecords(cloud.database, cloud.clock).read(OPERATOR, encounter)).record


async def values(cloud: CloudUnderTest, encounter: str = ENCOUNTER) -> dict[str, list[str | None]]:
    return {each.name.key: [one.value for one in each.shown] for each in (await record(cloud, encounter)).fields}


async def export(cloud: CloudUnderTest, encounter: str = ENCOUNTER, actor: Actor = OPERATOR) -> ReportExport:
    return await ReportExport(cloud.database, cloud.clock).read(actor, encounter)  # type: ignore[return-value]


async def test_imported_report_is_an_ended_encounter_whose_export_is_the_same_report(cloud: CloudUnderTest):
    found = await imported(cloud, document(*MANDATORY, NAME.format("Żółć &amp; Söhne")))
    assert (found.encounter.id, found.encounter.status, found.changes) == (ENCOUNTER, "completed", 7)
    (again,) = read_reports(
        (await ReportExport(cloud.database, cloud.clock).read(OPERATOR, ENCOUNTER)).exported.document
    )
    stated = {each.key: each.value for each in again.statements if each.value is not None}
    assert str(again.id) == UUID_TEXT
    assert stated["patient.last_name"] == "Żółć & Söhne"
    assert stated["call.vehicle"] == "Synthetic 1"


async def test_same_document_changes_nothing_and_a_corrected_one_replaces_what_the_agency_stated(cloud: CloudUnderTest):
    phones = "<ePatient><ePatient.18>212-555-0123</ePatient.18><ePatient.18>212-555-0124</ePatient.18></ePatient>"
    await imported(cloud, document(NAME.format("Nowak"), phones))
    assert (await imported(cloud, document(NAME.format("Nowak"), phones))).changes == 0
    corrected = document(phones.replace("0124", "0125"), "<eScene><eScene.01>9923001</eScene.01></eScene>")
    assert (await imported(cloud, corrected)).changes == 4
    assert await values(cloud) == {"patient.phone": ["212-555-0123", "212-555-0125"], "scene.first_unit": ["9923001"]}
    await imported(cloud, document(NAME.format("Nowak")))
    assert await values(cloud) == {"patient.last_name": ["Nowak"]}


async def test_statements_of_a_crew_stand_beside_those_of_an_import(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    encounter = await Epcr(cloud.database, cloud.clock, cloud.ids).begin(OPERATOR, organization_id=ORGANIZATION)
    await cloud.take(gateway.send_changes(change("patient.last_name", "Kowalska", encounter=encounter.id)))
    found = await imported(cloud, document(NAME.format("Nowak")), Destination(encounter_id=encounter.id))
    assert (found.encounter.status, found.changes) == ("in_progress", 1)
    (field,) = (await record(cloud, encounter.id)).fields
    assert {each.value for each in (*field.shown, *field.contradicting)} == {"Kowalska", "Nowak"}
    await imported(cloud, document(), Destination(encounter_id=encounter.id))
    (field,) = (await record(cloud, encounter.id)).fields
    assert {(each.author, each.value) for each in (*field.shown, *field.contradicting)} == {
        (ANNA, "Kowalska"),
        ("nemsis:351-C034P2", None),  # it withdrew what it had stated
    }


async def test_imported_changes_have_author_device_time_and_source(cloud: CloudUnderTest):
    vitals = (
        "<eVitals><eVitals.VitalGroup><eVitals.01>2026-03-01T01:02:03+01:00</eVitals.01><eVitals.12>97</eVitals.12>"
        "</eVitals.VitalGroup></eVitals>"
    )
    await imported(cloud, document(vitals))
    rows = await cloud.rows(care_changes)
    assert {(row.author, row.device_time_us, row.lane_id, row.gateway_id) for row in rows} == {
        ("nemsis:351-C034P2", 1_772_323_323_000_000, 0, "")
    }
    (entry,) = [row for row in await cloud.rows(audit_entries) if row.action == "epcr.nemsis_import"]
    assert UUID_TEXT in entry.metadata
    assert '"agency":"351-C034P2"' in entry.metadata


@pytest.mark.contract("A-123")
async def test_import_is_recorded_in_the_evidence_with_the_hash_of_its_document(cloud: CloudUnderTest):
    room, data = EvidenceRoom(cloud.database, cloud.clock, cloud.ids), document(NAME.format("Nowak"))
    await ReportImport(cloud.database, cloud.clock, cloud.ids, room.of_encounters).take(OPERATOR, data, HERE)
    operations = await operations_on(cloud.database, TENANT, ENCOUNTER)
    details = [found for _, found in operations if isinstance(found, dict) and "document_sha256" in found]
    assert [one["document_sha256"] for one in details] == [hashlib.sha256(data).hexdigest()]


async def test_import_that_stopped_after_the_encounter_began_is_completed_by_the_next_one(cloud: CloudUnderTest):
    await Epcr(cloud.database, cloud.clock, cloud.ids).begin(OPERATOR, organization_id=ORGANIZATION, id=ENCOUNTER)
    assert (await imported(cloud, document(NAME.format("Nowak")))).encounter.status == "completed"


async def test_document_that_cannot_be_imported_changes_nothing(cloud: CloudUnderTest):
    two = document().replace(
        b"</Header>", document(uuid=UUID_TEXT[::-1]).split(b"</DemographicGroup>")[1].split(b"</H")[0] + b"</Header>"
    )
    with pytest.raises(DocumentUnreadable, match="DTD"):
        await imported(cloud, b"<!DOCTYPE x><x/>")
    with pytest.raises(EncounterUnknown):
        await imported(cloud, document(), Destination(encounter_id="enc_other"))
    with pytest.raises((ReportsTooMany, DocumentUnreadable)):
        await imported(cloud, two, Destination(encounter_id="enc_other"))
    assert await cloud.rows(encounters) == []
    assert await cloud.rows(care_changes) == []


async def test_report_that_another_organisation_has_is_not_imported_again(cloud: CloudUnderTest):
    await imported(cloud, document())
    with pytest.raises(OrganizationDiffers):
        await imported(cloud, document(), Destination(organization_id="org_other"))


async def test_report_is_not_found_in_another_tenant_or_organisation(cloud: CloudUnderTest):
    await imported(cloud, document(*MANDATORY))
    for actor in (Actor.operator("ten_other"), replace(OPERATOR, organization_id="org_other")):
        with pytest.raises(EncounterUnknown):
            await export(cloud, actor=actor)


async def test_export_is_in_the_audit_trail_without_its_content(cloud: CloudUnderTest):
    await imported(cloud, document(*MANDATORY, NAME.format("Canary")))
    await export(cloud)
    entries = [row for row in await cloud.rows(audit_entries) if row.action.startswith("epcr.nemsis")]
    assert [(row.action, row.object) for row in entries] == [
        ("epcr.nemsis_import", ENCOUNTER),
        ("epcr.nemsis_export", ENCOUNTER),
    ]
    assert "Canary" not in str(entries)


async def test_record_without_the_mandatory_elements_has_problems_and_no_document(cloud: CloudUnderTest):
    await imported(cloud, document(NAME.format("Nowak")))
    found = (await ReportExport(cloud.database, cloud.clock).read(OPERATOR, ENCOUNTER)).exported
    assert found.document == b""
    assert [each.name for each in found.problems] == [
        "eResponse.23", "eDispatch.01", "eTimes.03", "eTimes.13", "eDisposition.27",
    ]  # fmt: skip


async def test_export_needs_the_agency_of_the_organisation(cloud: CloudUnderTest):
    from cloud.clinical.nemsis.tables import nemsis_agencies

    await imported(cloud, document(*MANDATORY))
    async with cloud.database.transaction() as tx:
        await tx.execute(delete(nemsis_agencies))
    with pytest.raises(AgencyMissing):
        await export(cloud)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"state": "9"}, "--state"),
        ({"number": "x" * 16}, "--number"),
        ({"state_id": " "}, "--state-id"),
        ({"unit_capability": "1"}, "--unit-capability"),
        ({"not_reporting": ["patient.postcod"]}, "no element"),
        ({"not_reporting": ["times.in_service"]}, "mandatory"),
    ],
)
async def test_malformed_agency_is_refused_with_the_reason(cloud: CloudUnderTest, changed: dict[str, str], reason: str):
    given = {"state_id": "C034", "number": "351", "state": "09", **changed}
    with pytest.raises(AgencyMalformed, match=reason):
        await Agencies(cloud.database, cloud.clock).set(OPERATOR, ORGANIZATION, **given)  # type: ignore[arg-type]


async def test_agency_is_replaced_and_audited(cloud: CloudUnderTest):
    agencies = Agencies(cloud.database, cloud.clock)
    changed = await agencies.set(
        OPERATOR, ORGANIZATION, state_id="C1", number="7", state="72", not_reporting=["patient.race", "patient.city"]
    )
    assert await agencies.read(OPERATOR, ORGANIZATION) == changed
    assert changed.not_reporting == ("patient.city", "patient.race")
    assert changed.unit_capability is None
    assert [row.tenant_id for row in await cloud.rows(audit_entries) if row.action == "nemsis.set"] == [TENANT, TENANT]
