"""An export is started, and its file fetched, with the rights of the routes that return the same data."""

from pathlib import Path

import pytest

from cloud.access.apps import effective
from cloud.clinical.encounter_data.routes import routes as encounter_data_routes
from cloud.clinical.epcr.list_routes import routes as list_routes
from cloud.clinical.fhir.routes import routes as fhir_routes
from cloud.clinical.nemsis import REGISTRY
from cloud.clinical.nemsis.routes import routes as nemsis_routes
from cloud.foundation.db import Database
from cloud.work.exports.schemas import ExportData, ExportFormat, ExportPayload
from cloud.work.jobs import job_kinds
from tests.builders.http_surface import caller
from tests.builders.job_desk import CALLERS, job_desk
from tests.builders.parts import make_parts

ENCOUNTERS = "/api/v1/epcr/encounters"
PATHS = {
    ExportData.ENCOUNTERS: ENCOUNTERS,
    ExportData.OBSERVATIONS: f"{ENCOUNTERS}/{{encounterId}}/observations",
    ExportData.WAVEFORMS: f"{ENCOUNTERS}/{{encounterId}}/waveforms",
}
FORMAT_PATHS = {
    ExportFormat.FHIR_NDJSON: f"{ENCOUNTERS}/{{encounterId}}/fhir-bundle",
    ExportFormat.NEMSIS: "/api/v1/identified/encounters/{encounterId}/nemsis",
}
SCOPES = ("argus:epcr:read", "argus:epcr:write", "argus:epcr:identified", REGISTRY, "argus:devices:read")
REPORTS = {"data": "encounters", "format": "nemsis"}


@pytest.mark.parametrize("form", ExportFormat)
def test_export_needs_the_scopes_of_the_routes_with_the_same_data(form: ExportFormat) -> None:
    parts = make_parts()
    made = [each(parts) for each in (encounter_data_routes, list_routes, fhir_routes, nemsis_routes)]
    rows = {row.path: row for one in made for row in one}
    for data in ExportData if form is not ExportFormat.NEMSIS else (ExportData.ENCOUNTERS,):
        needed = job_kinds()["export.bulk"].scopes.of(ExportPayload(data=data, format=form))
        permitted = rows[FORMAT_PATHS.get(form, PATHS[data])].scopes.names
        for scope in SCOPES:
            assert effective((scope,)).issuperset(needed) is (scope in permitted), (data, scope)


async def test_reports_are_concealed_over_http_and_fetched_with_their_scope_alone(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CALLERS, "registry", caller(scopes=("argus:jobs:write", REGISTRY)))
    async with job_desk(database, tmp_path / "objects") as desk:
        concealed, absent = [
            await desk.post(kind="export.bulk", payload={**REPORTS, "format": form}) for form in ("nemsis", "absent")
        ]
        assert (concealed.status_code, absent.status_code) == (400, 400)
        for member in ("code", "detail", "errors"):
            assert concealed.json()[member] == absent.json()[member]
        job_id = await desk.start("registry", kind="export.bulk", payload=REPORTS)
        await desk.succeed(await desk.run())
        refused = await desk.get(f"/v1/jobs/{job_id}/result", "north")
        assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
        assert (await desk.get(f"/v1/jobs/{job_id}/result", "registry")).status_code == 200
