"""The treating hospital gets the bundle with the identity of the patient, if the operator has entitled the tenant."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from cloud.access.apps import Apps
from cloud.access.audit import Audit
from cloud.clinical.epcr import IDENTIFIED, CareLog, ReceivedChanges
from cloud.clinical.fhir import service
from cloud.foundation.db import Database
from cloud.foundation.ids import UlidIds
from tests.builders.api_surface import CALLERS, Api, alike, api
from tests.builders.care_changes import change
from tests.builders.contract_canaries import CANARIES, found_in
from tests.builders.evidence import operations_on
from tests.builders.http_surface import caller

PATH = "/api/v1/identified/encounters/enc_north/fhir-bundle"
TREAT = f"{PATH}?purpose_of_use=TREAT"
PARTNER = "/api/v1/epcr/encounters/enc_north/fhir-bundle"


@pytest.fixture
async def here(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    monkeypatch.setitem(CALLERS, "hospital", caller(scopes=(IDENTIFIED,), client="app_hospital"))
    monkeypatch.setitem(CALLERS, "ward", caller(scopes=(IDENTIFIED,), organization="org_elsewhere"))
    async with api(database) as served:
        await entitle(served, IDENTIFIED)
        log = [
            change("patient.last_name", CANARIES["name"], encounter="enc_north"),
            change("patient.birth_date", "1931-02-27", encounter="enc_north"),
            change("narrative.text", CANARIES["narrative"], encounter="enc_north"),
            change("vitals.spo2", "97", encounter="enc_north"),
        ]
        received = ReceivedChanges(
            lane_id=1,
            sequence=1,
            tenant_id="tnt_north",
            organization_id="org_north",
            vehicle_id="veh_north",
            gateway_id="gw_north",
            received_at_us=served.clock.now_us(),
            changes=log,
        )
        async with database.transaction() as tx:
            await CareLog().append(tx, [received])
        yield served


async def entitle(here: Api, *scopes: str) -> None:
    await Apps(here.database, here.clock, UlidIds(here.clock)).entitle(here.home.operator, scopes)


async def audited(here: Api) -> list[tuple[str, str | None, str, dict[str, Any]]]:
    async with here.database.read() as tx:
        found = await Audit(here.clock).list(tx, here.home.operator, action="epcr.identified_read")
    return [(entry.actor, entry.client_id, entry.object, dict(entry.metadata)) for entry in found]


def patient(bundle: dict[str, Any]) -> dict[str, Any]:
    (found,) = [each["resource"] for each in bundle["entry"] if each["resource"]["resourceType"] == "Patient"]
    return dict(found)


@pytest.mark.contract("A-097")
async def test_entitled_app_reads_the_identity_that_the_partner_bundle_lacks(here: Api) -> None:
    answer = await here.get(TREAT, who="hospital")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    identified = answer.json()
    assert patient(identified)["name"] == [{"family": CANARIES["name"]}]
    assert patient(identified)["birthDate"] == "1931-02-27"
    assert CANARIES["narrative"] in answer.text
    partner = await here.get(PARTNER)
    assert found_in(partner.text) == []
    assert "1931-02-27" not in partner.text
    assert patient(partner.json())["identifier"] == patient(identified)["identifier"]


@pytest.mark.contract("A-097", "C-017", "C-212", "A-123")
async def test_each_reading_is_audited_with_its_purpose_and_a_refused_one_is_not(here: Api) -> None:
    for path in (PATH, f"{PATH}?purpose_of_use=HMARKT", f"{PATH}?purpose_of_use=PUBHLTH", f"{PATH}?purpose_of_use="):
        assert (await here.get(path, who="hospital")).status_code == 400
    assert await audited(here) == []
    for _ in range(2):
        await here.get(TREAT, who="hospital")
    entry = ("app_hospital", "app_hospital", "enc_north", {"purpose_of_use": "TREAT", "form": "fhir"})
    assert await audited(here) == [entry] * 2
    exported = ("evidence.export", {"purpose_of_use": "TREAT", "form": "fhir"})
    assert (await operations_on(here.database, "tnt_north", "enc_north"))[1:] == [exported] * 2


@pytest.mark.contract("A-097")
async def test_later_part_is_audited_too_and_keeps_the_purpose(here: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ENTRIES_MAX", 10)
    device = await here.enrol()
    body = {"mdc_code": "MDC_PULS_OXIM_SAT_O2", "value": 97.0, "unit_code": "%", "encounter_id": "enc_north"}
    for _ in range(9):
        await here.post(f"/api/v1/devices/{device['id']}/observations", body)
        here.clock.advance(us=1_000_000)
    first = await here.get(TREAT, who="hospital")
    address = first.links["next"]["url"].removeprefix("https://api.example.org")
    assert "purpose_of_use=TREAT" in address
    later = await here.get(address, who="hospital")
    assert later.status_code == 200, later.text
    assert patient(later.json())["name"] == [{"family": CANARIES["name"]}]
    assert len(await audited(here)) == 2
    cursor = address.rpartition("cursor=")[2]
    assert (await here.get(f"{PARTNER}?cursor={cursor}", who="hospital")).status_code in (400, 403)


@pytest.mark.contract("A-097", "A-006")
async def test_address_does_not_exist_for_an_app_without_the_scope_or_a_tenant_without_entitlement(here: Api) -> None:
    absent = await here.get(f"{PATH}-absent", who="north")
    assert absent.json()["code"] == "not_found"
    assert alike(await here.get(TREAT, who="north"), absent)
    await entitle(here)
    refused = await here.get(TREAT, who="hospital")  # with a token from before
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    assert await audited(here) == []


@pytest.mark.contract("A-013", "A-006")
async def test_encounter_of_another_organisation_is_not_handed_over(here: Api) -> None:
    absent = await here.get(TREAT.replace("enc_north", "enc_absent"), who="hospital")
    assert (absent.status_code, absent.json()["code"]) == (404, "encounter_unknown")
    assert alike(await here.get(TREAT, who="ward"), absent)
    assert await audited(here) == []
