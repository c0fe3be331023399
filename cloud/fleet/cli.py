"""`argus-cloud gateways`: let the box in a vehicle send, and see what it last said."""

import base64
from typing import Annotated, Any

import typer

from cloud.command import AsJson, TenantOption, Workplace, print_json, print_rows, run
from cloud.fleet.model import RegisteredGateway
from cloud.fleet.service import Fleet
from cloud.moments import write_moment

gateways = typer.Typer(help="Gateways in the vehicles.", no_args_is_help=True)


def _service(place: Workplace) -> Fleet:
    return Fleet(place.database, place.clock, place.ids)


def _shown(gateway: RegisteredGateway) -> dict[str, Any]:
    status = gateway.status
    return {
        "id": gateway.id,
        "tenant_id": gateway.tenant_id,
        "organization_id": gateway.organization_id,
        "vehicle_id": gateway.vehicle_id,
        "public_key": base64.b64encode(gateway.public_key).decode(),
        "registered_at": write_moment(gateway.registered_at_us),
        "online": None if status is None else status.online,
        "heard_at": None if status is None else write_moment(status.at_us),
        "epoch": None if status is None else status.epoch,
        "software": None if status is None else status.software,
        "store": None if status is None else status.store_state,
    }


@gateways.command("add")
def add_gateway(
    context: typer.Context,
    tenant: TenantOption,
    organization: Annotated[str, typer.Option("--organization", help="The organisation's id, org_….")],
    vehicle: Annotated[str, typer.Option("--vehicle", help="The vehicle's id, veh_….")],
    public_key: Annotated[str, typer.Option("--public-key", help="Base64, as `argus-gateway provision` prints it.")],
    id: Annotated[str | None, typer.Option("--id", help="Its id; without this one is made.")] = None,
    as_json: AsJson = True,
) -> None:
    """Register a gateway. Prints JSON, since its other half is usually a script."""
    made = run(
        context,
        lambda place: _service(place).register(
            place.operator(tenant), organization_id=organization, vehicle_id=vehicle, public_key=public_key, id=id
        ),
    )
    print_json(_shown(made))


@gateways.command("list")
def list_gateways(context: typer.Context, tenant: TenantOption, as_json: AsJson = False) -> None:
    """The gateways of a tenant."""
    found = run(context, lambda place: _service(place).list(place.operator(tenant)))
    rows = [_shown(gateway) for gateway in found]
    if not as_json:
        for row in rows:
            del row["public_key"]  # nobody reads it, and it takes the width of a terminal
    print_rows("Gateways", rows, as_json=as_json)
