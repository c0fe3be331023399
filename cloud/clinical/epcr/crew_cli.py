"""`argus-cloud crew`: the crew register, whose ids a dispatch system sends in `crew_ids`."""

from typing import Annotated, Any

import typer

from cloud.clinical.epcr.crew import CrewRegister
from cloud.clinical.epcr.model import CrewMember
from cloud.foundation.command import AsJson, TenantOption, Workplace, print_one, print_rows, run
from cloud.foundation.moments import write_moment
from protocols.epcr.crew_role import CrewRole

crew = typer.Typer(help="Crew registers: the ids that a dispatch system sends in crew_ids.", no_args_is_help=True)


def _service(place: Workplace) -> CrewRegister:
    return CrewRegister(place.database, place.clock, place.ids)


def _shown(member: CrewMember) -> dict[str, Any]:
    return {
        "id": member.id,
        "organization_id": member.organization_id,
        "role": member.role,
        "created_at": write_moment(member.created_at_us),
    }


@crew.command("add")
def add_member(
    context: typer.Context,
    tenant: TenantOption,
    organization: Annotated[str, typer.Option("--organization", help="The organisation's id, org_….")],
    role: Annotated[CrewRole, typer.Option("--role", help="Role on the crew.")] = CrewRole.OTHER,
    id: Annotated[
        str | None, typer.Option("--id", help="Id as the dispatch system sends it. Default: a generated one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a member to the crew register of an organisation."""
    made = run(
        context,
        lambda place: _service(place).add(place.operator(tenant), organization_id=organization, role=role, id=id),
    )
    print_one(f"Crew member {made.id} added.", _shown(made), as_json=as_json)


@crew.command("list")
def list_members(context: typer.Context, tenant: TenantOption, as_json: AsJson = False) -> None:
    """List the crew registers of a tenant."""
    found = run(context, lambda place: _service(place).list(place.operator(tenant)))
    print_rows("Crew", map(_shown, found), as_json=as_json)
