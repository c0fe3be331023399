"""`argus-cloud encounters`: begin an encounter from the console, for set-ups without a dispatch system."""

from typing import Annotated, Any

import typer

from cloud.command import AsJson, TenantOption, Workplace, print_one, print_rows, run
from cloud.epcr.model import CareModel, Encounter
from cloud.epcr.service import Epcr
from cloud.moments import write_moment

encounters = typer.Typer(help="Encounters: one patient contact each.", no_args_is_help=True)


def _service(place: Workplace) -> Epcr:
    return Epcr(place.database, place.clock, place.ids)


def _shown(encounter: Encounter) -> dict[str, Any]:
    return {
        "id": encounter.id,
        "organization_id": encounter.organization_id,
        "vehicle_id": encounter.vehicle_id,
        "care_model": encounter.care_model,
        "status": encounter.status,
        "created_at": write_moment(encounter.created_at_us),
    }


@encounters.command("add")
def add_encounter(
    context: typer.Context,
    tenant: TenantOption,
    organization: Annotated[str, typer.Option("--organization", help="The organisation's id, org_….")],
    vehicle: Annotated[str | None, typer.Option("--vehicle", help="The vehicle's id, veh_….")] = None,
    care_model: Annotated[CareModel, typer.Option("--care-model")] = CareModel.PREHOSPITAL_EMERGENCY,
    id: Annotated[str | None, typer.Option("--id", help="Its id; without this one is made.")] = None,
    as_json: AsJson = False,
) -> None:
    """Begin an encounter."""
    made = run(
        context,
        lambda place: _service(place).begin(
            place.operator(tenant), organization_id=organization, vehicle_id=vehicle, care_model=care_model, id=id
        ),
    )
    print_one(f"Encounter {made.id} begun.", _shown(made), as_json=as_json)


@encounters.command("list")
def list_encounters(context: typer.Context, tenant: TenantOption, as_json: AsJson = False) -> None:
    """The encounters of a tenant."""
    found = run(context, lambda place: _service(place).list(place.operator(tenant)))
    print_rows("Encounters", map(_shown, found), as_json=as_json)
