"""`argus-cloud missions`: the key that vehicles verify missions with, and the missions that vehicles received."""

import typer

from cloud.foundation.command import AsJson, TenantOption, Workplace, print_one, print_rows, run
from cloud.foundation.moments import write_moment
from cloud.vehicles.missions.keys import MissionKeys
from cloud.vehicles.missions.model import VehicleMission
from cloud.vehicles.missions.store import MissionRows

missions = typer.Typer(help="Missions from the dispatch system, as vehicles receive them.", no_args_is_help=True)


@missions.command("key")
def show_key(context: typer.Context, tenant: TenantOption, as_json: AsJson = False) -> None:
    """Show the public key for `[mqtt] mission_keys` in the gateways of a tenant."""

    async def work(place: Workplace) -> str:
        return MissionKeys(place.master).public_key(tenant)

    key = run(context, work)
    print_one(key, {"public_key": key}, as_json=as_json)


@missions.command("list")
def list_missions(context: typer.Context, tenant: TenantOption, as_json: AsJson = False) -> None:
    """List the missions of the last day with the version that each vehicle has stored."""

    async def work(place: Workplace) -> list[VehicleMission]:
        async with place.database.read() as tx:
            return list(await MissionRows(place.clock).list(tx, place.operator(tenant)))

    rows = [
        {
            "encounter_id": one.encounter_id,
            "vehicle_id": one.vehicle_id,
            "version": one.version,
            "status": one.status,
            "issued_at": write_moment(one.issued_at_us),
            "sent_at": write_moment(one.sent_at_us),
            "received_version": one.received_version,
            "received_at": write_moment(one.received_at_us),
        }
        for one in run(context, work)
    ]
    print_rows("Missions", rows, as_json=as_json)
