"""Handler of NEMSIS reports."""

from cloud.clinical.epcr import ENCOUNTER_EVIDENCE
from cloud.clinical.nemsis.export import ReportExport
from cloud.foundation.http import Parts, Request, Response


class ReportHandlers:
    """Handler of `GET /api/v1/identified/encounters/{encounterId}/nemsis`."""

    def __init__(self, parts: Parts) -> None:
        self._export = ReportExport(parts.database, parts.clock, parts.supplies[ENCOUNTER_EVIDENCE](parts))

    async def read(self, request: Request) -> Response:
        """Return the report of an encounter as a document, or 422 with the elements to correct."""
        report = await self._export.read_for_registry(request.actor, request.path["encounterId"])
        if (incomplete := report.incomplete) is not None:
            raise incomplete
        exported = report.exported
        headers = {"X-Argus-Omissions": str(exported.omitted)}
        return Response(200, exported.document, "application/xml", headers=headers)
