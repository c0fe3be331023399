"""Route of NEMSIS reports, which have the identity of the patient."""

from cloud.clinical.nemsis import REGISTRY
from cloud.clinical.nemsis.handlers import ReportHandlers
from cloud.foundation.http import Host, Parts, Route, Scopes


def routes(parts: Parts) -> tuple[Route, ...]:
    h = ReportHandlers(parts)
    return (
        Route(
            method="GET",
            path="/api/v1/identified/encounters/{encounterId}/nemsis",
            handler=h.read,
            host=Host.API,
            scopes=Scopes.any_of(REGISTRY),
            needs_organization=True,
            concealed=True,
            in_contract=False,
            response_media_type="application/xml",
            responses={
                200: "The document. X-Argus-Omissions is the number of statements that it cannot contain.",
                404: "Encounter not found.",
                422: "The organisation has no agency, or NEMSIS does not permit the record; `errors` names what.",
            },
            operation_id="readNemsisReport",
            summary="Read the care record of an encounter as a NEMSIS report",
            description="The care record with the identity of the patient as an EMSDataSet document of NEMSIS 3.5.1, "
            "for registries. The audit trail records each reading.",
            tag="ePCR",
        ),
    )
