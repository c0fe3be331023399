"""`argus-cloud encounters`: create, change and finish encounters, for installations without a dispatch system."""

from typing import Annotated, Any

import typer

from cloud.clinical.epcr.evidence import ENCOUNTER_EVIDENCE
from cloud.clinical.epcr.mission import Missions
from cloud.clinical.epcr.mission_outbox import MISSION_OUTBOX
from cloud.clinical.epcr.model import CareModel, Encounter, MissionChange
from cloud.clinical.epcr.service import Epcr
from cloud.foundation.command import AsJson, TenantOption, Workplace, or_exit, print_one, print_rows, run
from cloud.foundation.moments import read_moment, write_moment
from protocols.epcr.encounter import FINAL_STATUSES, EncounterStatus

EncounterArgument = Annotated[str, typer.Argument(help="The encounter's id, enc_….")]
VehicleOption = Annotated[str | None, typer.Option("--vehicle", help="The vehicle's id, veh_….")]
ENDS = tuple(status.value for status in FINAL_STATUSES)

encounters = typer.Typer(help="Encounters: one patient contact each.", no_args_is_help=True)


def _service(place: Workplace) -> Epcr:
    evidence, outbox = place.supplies[ENCOUNTER_EVIDENCE](place), place.supplies[MISSION_OUTBOX](place)
    return Epcr(place.database, place.clock, place.ids, evidence=evidence, outbox=outbox)


def _missions(place: Workplace) -> Missions:
    evidence, outbox = place.supplies[ENCOUNTER_EVIDENCE](place), place.supplies[MISSION_OUTBOX](place)
    return Missions(place.database, place.clock, place.ids, evidence, outbox)


def _shown(encounter: Encounter) -> dict[str, Any]:
    return {
        "id": encounter.id,
        "organization_id": encounter.organization_id,
        "vehicle_id": encounter.vehicle_id,
        "care_model": encounter.care_model,
        "status": encounter.status,
        "created_at": write_moment(encounter.created_at_us),
        "ended_at": write_moment(encounter.ended_at_us),
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
    crew: Annotated[
        list[str] | None, typer.Option("--crew", help="A member of the new crew. Repeatable. Default: no change.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change the vehicle, the care model or the crew of an encounter."""
    change = MissionChange(vehicle_id=vehicle, care_model=care_model, crew_ids=crew)
    changed = run(context, lambda place: _missions(place).change(place.operator(tenant), encounter, change))
    print_one(f"Encounter {encounter} changed.", _shown(changed.encounter), as_json=as_json)


@encounters.command("finish")
def finish_encounter(
    context: typer.Context,
    encounter: EncounterArgument,
    tenant: TenantOption,
    how: Annotated[str, typer.Option("--as", help=", ".join(ENDS) + ".")] = EncounterStatus.COMPLETED.value,
    at: Annotated[str | None, typer.Option("--at", help="End, such as 2026-03-24T10:00:00Z. Default: now.")] = None,
    as_json: AsJson = False,
) -> None:
    """Finish an encounter. The last one of an incident closes the incident. The first end stands: a different one is
    refused."""
    if how not in ENDS:
        raise typer.BadParameter(f"{how!r} is not one of {', '.join(ENDS)}")
    ended_at_us = None if at is None else or_exit(lambda: read_moment(at))
    change = MissionChange(status=EncounterStatus(how), ended_at_us=ended_at_us)
    ended = run(context, lambda place: _missions(place).change(place.operator(tenant), encounter, change))
    sentence = f"Encounter {encounter} is {ended.encounter.status}."
    if ended.vehicle_status not in (None, ended.encounter.status):
        sentence += f" The record of its vehicle states that it is {ended.vehicle_status}."
    document = {**_shown(ended.encounter), "vehicle_status": ended.vehicle_status}
    print_one(sentence, document, as_json=as_json)
