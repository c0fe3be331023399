"""`argus-cloud encounters`: create, change and finish encounters, for installations without a dispatch system."""

from typing import Annotated, Any

import typer

from cloud.clinical.epcr.model import CareModel, Encounter
from cloud.clinical.epcr.service import Epcr
from cloud.foundation.command import AsJson, TenantOption, Workplace, print_one, print_rows, run
from cloud.foundation.moments import write_moment
from protocols.epcr.encounter import FINAL_STATUSES, EncounterStatus

EncounterArgument = Annotated[str, typer.Argument(help="The encounter's id, enc_….")]
VehicleOption = Annotated[str | None, typer.Option("--vehicle", help="The vehicle's id, veh_….")]
ENDS = tuple(status.value for status in FINAL_STATUSES)

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
    vehicle: VehicleOption = None,
    care_model: Annotated[
        CareModel, typer.Option("--care-model", help="Care model of the mission.")
    ] = CareModel.PREHOSPITAL_EMERGENCY,
    id: Annotated[str | None, typer.Option("--id", help="Id. Default: a generated one.")] = None,
    as_json: AsJson = False,
) -> None:
    """Create an encounter."""
    made = run(
        context,
        lambda place: _service(place).begin(
            place.operator(tenant),
            organization_id=organization,
            vehicle_id=vehicle,
            care_model=care_model,
            id=id,
        ),
    )
    print_one(f"Encounter {made.id} created.", _shown(made), as_json=as_json)


@encounters.command("list")
def list_encounters(context: typer.Context, tenant: TenantOption, as_json: AsJson = False) -> None:
    """List the encounters of a tenant."""
    found = run(context, lambda place: _service(place).list(place.operator(tenant)))
    print_rows("Encounters", map(_shown, found), as_json=as_json)


@encounters.command("change")
def change_encounter(
    context: typer.Context,
    encounter: EncounterArgument,
    tenant: TenantOption,
    vehicle: VehicleOption = None,
    care_model: Annotated[CareModel | None, typer.Option("--care-model", help="Care model of the mission.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change the vehicle or the care model of an encounter."""
    changed = run(
        context,
        lambda place: _service(place).change(
            place.operator(tenant),
            encounter,
            vehicle_id=vehicle,
            care_model=care_model,
        ),
    )
    print_one(f"Encounter {encounter} changed.", _shown(changed), as_json=as_json)


@encounters.command("finish")
def finish_encounter(
    context: typer.Context,
    encounter: EncounterArgument,
    tenant: TenantOption,
    how: Annotated[str, typer.Option("--as", help=", ".join(ENDS) + ".")] = EncounterStatus.COMPLETED.value,
    as_json: AsJson = False,
) -> None:
    """Finish an encounter. The last one of an incident closes the incident."""
    if how not in ENDS:
        raise typer.BadParameter(f"{how!r} is not one of {', '.join(ENDS)}")
    ended = run(
        context,
        lambda place: _service(place).finish(place.operator(tenant), encounter, EncounterStatus(how)),
    )
    print_one(f"Encounter {encounter} is {ended.status}.", _shown(ended), as_json=as_json)
