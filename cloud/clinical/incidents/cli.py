"""`argus-cloud incidents`: list the incidents of a tenant."""

from typing import Annotated, Any

import typer

from cloud.clinical.incidents.model import Incident
from cloud.clinical.incidents.service import Incidents
from cloud.foundation.command import AsJson, TenantOption, Workplace, print_rows, run
from cloud.foundation.moments import write_moment

incidents = typer.Typer(help="Incidents of the dispatch system and their encounters.", no_args_is_help=True)

INCIDENTS_MAX = 1000


def _shown(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "organization_id": incident.organization_id,
        "cad_incident_id": incident.cad_incident_id,
        "status": incident.status,
        "encounters": incident.encounters,
        "open_encounters": incident.open_encounters,
        "opened_at": write_moment(incident.opened_at_us),
        "closed_at": write_moment(incident.closed_at_us),
    }


@incidents.command("list")
def list_incidents(
    context: typer.Context,
    tenant: TenantOption,
    limit: Annotated[int, typer.Option(min=1, max=INCIDENTS_MAX, help="Maximum rows.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the incidents of a tenant, newest first."""

    async def found(place: Workplace) -> list[Incident]:
        service = Incidents(place.clock, place.ids)
        return list(await service.list(place.database, place.operator(tenant), count=limit))

    print_rows("Incidents", map(_shown, run(context, found)), as_json=as_json)
