"""A registry of an entitled tenant reads reports; for all others the route is absent, and each reading is audited."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from cloud.access.apps import Apps
from cloud.access.audit import Audit
from cloud.clinical.nemsis import REGISTRY
from cloud.clinical.nemsis.agency import Agencies
from cloud.clinical.nemsis.importing import Destination, ReportImport
from cloud.clinical.nemsis.routes import routes
from cloud.foundation.db import Database
from cloud.foundation.ids import UlidIds
from cloud.foundation.viewer import Actor
from tests.builders.api_surface import alike
from tests.builders.cloud_people import HandClock, household
from tests.builders.evidence import operations_on
from tests.builders.http_surface import BASES, KnownTokens, caller, surface
from tests.builders.nemsis_reports import NAME, UUID_TEXT, WITH_VEHICLE, document
from tests.builders.parts import make_parts
from tests.harness.eventually import WITHIN_S
from tests.harness.plain_http import PLAIN

PATH = "/api/v1/identified/encounters/{}/nemsis"
ENCOUNTER = f"enc_{UUID_TEXT.replace('-', '')}"
OPERATOR = Actor.operator("tnt_north")
CALLERS = {
    "registry": caller(scopes=(REGISTRY,)),
    "partner": caller(scopes=("argus:epcr:write",)),
    "elsewhere": caller(organization="org_elsewhere", scopes=(REGISTRY,)),
    "south": caller(tenant="tnt_south", organization="org_south", client="app_south", scopes=(REGISTRY,)),
}


@dataclass
class Registry:
    """A client of the route, and the operator's side of the cloud."""

    client: httpx.AsyncClient
    database: Database
    clock: HandClock

    async def read(self, encounter: str = ENCOUNTER, who: str = "registry") -> httpx.Response:
        return await self.client.get(PATH.format(encounter), headers={"Authorization": f"Bearer {who}"})

    async def entitle(self, *scopes: str, tenant: str = "tnt_north") -> None:
        await Apps(self.database, self.clock, UlidIds(self.clock)).entitle(Actor.operator(tenant), scopes)

    async def take(self, *lines: str) -> None:
        service = ReportImport(self.database, self.clock, UlidIds(self.clock))
        await service.take(OPERATOR, document(*lines), Destination(organization_id="org_north"))

    async def set_agency(self) -> None:
        await Agencies(self.database, self.clock).set(
            OPERATOR, "org_north", state_id="C034", number="351-C034", state="09", unit_capability="2207015"
        )


@pytest.fixture
async def registry(database: Database) -> AsyncIterator[Registry]:
    clock = HandClock()
    await household(database, clock)
    await household(database, clock, name="south")
    async with (
        surface(*routes(make_parts(database, clock, bases=BASES)), tokens=KnownTokens(CALLERS)) as served,
        httpx.AsyncClient(
            base_url=served.url(""), headers={"Connection": "close"}, verify=PLAIN, timeout=WITHIN_S
        ) as client,
    ):
        yield Registry(client, database, clock)


@pytest.mark.contract("A-097", "C-212", "A-123")
async def test_app_of_an_entitled_tenant_reads_the_report_and_each_reading_is_audited(registry: Registry) -> None:
    await registry.set_agency()
    await registry.take(*WITH_VEHICLE, NAME.format("Nowak"))
    await registry.entitle(REGISTRY)
    response = await registry.read()
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/xml")
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Argus-Omissions"] == "0"
    assert b"<ePatient.02>Nowak</ePatient.02>" in response.content
    async with registry.database.read() as tx:
        (entry,) = await Audit(registry.clock).list(tx, OPERATOR, action="epcr.identified_read")
    purpose = {"purpose_of_use": "PUBHLTH", "form": "nemsis"}
    assert (entry.object, entry.metadata) == (ENCOUNTER, purpose)
    assert (await operations_on(registry.database, "tnt_north", ENCOUNTER))[-1] == ("evidence.export", purpose)


@pytest.mark.contract("A-097", "A-006")
async def test_route_is_absent_without_the_scope_and_without_the_entitlement(registry: Registry) -> None:
    await registry.set_agency()
    await registry.take(*WITH_VEHICLE)
    absent = await registry.client.get("/api/v1/absent", headers={"Authorization": "Bearer partner"})
    assert alike(await registry.read(who="partner"), absent)
    assert (await registry.read()).json()["code"] == absent.json()["code"]  # a token from before the end
    await registry.entitle(REGISTRY)
    assert (await registry.read()).status_code == 200
    await registry.entitle()
    assert (await registry.read()).json()["code"] == absent.json()["code"]


async def test_report_of_another_organisation_or_tenant_is_not_found(registry: Registry) -> None:
    await registry.set_agency()
    await registry.take(*WITH_VEHICLE)
    await registry.entitle(REGISTRY)
    await registry.entitle(REGISTRY, tenant="tnt_south")
    missing = await registry.read("enc_missing")
    assert (missing.status_code, missing.json()["code"]) == (404, "encounter_unknown")
    for who in ("elsewhere", "south"):
        assert alike(await registry.read(who=who), missing)


async def test_record_that_nemsis_does_not_permit_is_a_problem_that_names_the_elements(registry: Registry) -> None:
    await registry.take(NAME.format("Canary"))
    await registry.entitle(REGISTRY)
    missing = await registry.read()
    assert (missing.status_code, missing.json()["code"]) == (422, "nemsis_agency_missing")
    await registry.set_agency()
    refused = await registry.read()
    assert (refused.status_code, refused.json()["code"]) == (422, "nemsis_report_incomplete")
    details = [each["detail"] for each in refused.json()["errors"]]
    assert "eTimes.13 (Times: Back in service)" in " ".join(details)
    assert "Canary" not in refused.text
