"""Route of the list of encounters."""

from cloud.clinical.epcr.list_handlers import EncounterListHandlers
from cloud.clinical.epcr.list_schemas import EncounterQuery, ListedEncounter
from cloud.foundation.http import Host, Parts, Route, Scopes


def routes(parts: Parts) -> tuple[Route, ...]:
    return (
        Route(
            method="GET",
            path="/api/v1/epcr/encounters",
            handler=EncounterListHandlers(parts).list,
            host=Host.API,
            scopes=Scopes.any_of("argus:epcr:read", "argus:epcr:write"),
            needs_organization=True,
            query=EncounterQuery,
            response=list[ListedEncounter],
            responses={
                200: "A page of encounters, earliest created first. The Link header leads to the next page.",
                304: "Not modified.",
            },
            operation_id="listEncounters",
            summary="List ePCR encounters",
            description="The encounters of the organisation of the caller: mission data only, no patient data. Filters "
            "select those of a vehicle, of an incident of the dispatch system, with a status, or created since a time.",
            tag="ePCR",
            response_example=[
                {
                    "id": "enc_123",
                    "organization_id": "org_1",
                    "care_model": "prehospital_emergency",
                    "status": "in_progress",
                    "vehicle_id": "AMB-42",
                    "created_at": "2026-03-24T10:00:00.000000Z",
                }
            ],
        ),
    )
