"""`argus-cloud nemsis`: the agency as which an organisation reports to NEMSIS."""

from typing import Annotated, Any

import typer

from cloud.clinical.nemsis.agency import Agencies, Agency
from cloud.foundation.command import AsJson, TenantOption, print_one, print_rows, run
from cloud.foundation.moments import write_moment

OrganizationOption = Annotated[str, typer.Option("--organization", help="The organisation's id, org_….")]

nemsis = typer.Typer(help="Agencies as which organisations report to NEMSIS.", no_args_is_help=True)


def _shown(agency: Agency) -> dict[str, Any]:
    return {
        "organization_id": agency.organization_id,
        "state_id": agency.state_id,
        "number": agency.number,
        "state": agency.state,
        "unit_capability": agency.unit_capability,
        "not_reporting": agency.not_reporting,
        "changed_at": write_moment(agency.changed_at_us),
    }


@nemsis.command("set")
def set_agency(
    context: typer.Context,
    tenant: TenantOption,
    organization: OrganizationOption,
    state_id: Annotated[str, typer.Option("--state-id", help="Id of the agency in its state (dAgency.01).")],
    number: Annotated[str, typer.Option("--number", help="Number of the agency (dAgency.02).")],
    state: Annotated[str, typer.Option("--state", help="ANSI code of the state, two digits (dAgency.04).")],
    unit_capability: Annotated[
        str | None,
        typer.Option("--unit-capability", help="Code of eResponse.07 for records that lack it. Default: none."),
    ] = None,
    not_reporting: Annotated[
        list[str] | None,
        typer.Option("--not-reporting", help="Key of an element to leave out of reports; repeat for more."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Set the agency of an organisation. Options that are not given are removed."""
    agency = run(
        context,
        lambda place: Agencies(place.database, place.clock).set(
            place.operator(tenant),
            organization,
            state_id=state_id,
            number=number,
            state=state,
            unit_capability=unit_capability,
            not_reporting=not_reporting or (),
        ),
    )
    print_one(f"{organization} reports to NEMSIS as agency {agency.number}.", _shown(agency), as_json=as_json)


@nemsis.command("show")
def show_agency(
    context: typer.Context, tenant: TenantOption, organization: OrganizationOption, as_json: AsJson = False
) -> None:
    """Show the agency of an organisation."""
    agency = run(
        context, lambda place: Agencies(place.database, place.clock).read(place.operator(tenant), organization)
    )
    print_rows("Agency", [_shown(agency)], as_json=as_json)
