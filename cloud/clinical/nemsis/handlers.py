"""Handler of NEMSIS reports."""

from cloud.clinical.nemsis.errors import ReportIncomplete
from cloud.clinical.nemsis.export import ReportExport
from cloud.foundation.errors import Mistake
from cloud.foundation.http import Parts, Request, Response

PROBLEMS_MAX = 100
"""Problems that a response names. A record with more was entered for another standard."""


class ReportHandlers:
    """Handler of `GET /api/v1/identified/encounters/{encounterId}/nemsis`."""

    def __init__(self, parts: Parts) -> None:
        self._export = ReportExport(parts.database, parts.clock)

    async def read(self, request: Request) -> Response:
        """Return the report of an encounter as a document, or 422 with the elements to correct."""
        exported = (await self._export.read_for_registry(request.actor, request.path["encounterId"])).exported
        if exported.problems:
            raise ReportIncomplete(mistakes=[Mistake(problem.text) for problem in exported.problems[:PROBLEMS_MAX]])
        omissions = sum(each.count for each in exported.omissions)
        return Response(200, exported.document, "application/xml", headers={"X-Argus-Omissions": str(omissions)})
