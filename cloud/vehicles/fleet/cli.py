"""`argus-cloud gateways`: register, list, suspend and revoke the gateways of vehicles."""

import base64
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography import x509

from cloud.foundation.command import AsJson, TenantOption, Workplace, or_exit, print_json, print_one, print_rows, run
from cloud.foundation.moments import write_moment
from cloud.vehicles.fleet.access import END_CONNECTION, GatewayAccessDesk
from cloud.vehicles.fleet.fleet_list import read_list
from cloud.vehicles.fleet.model import RegisteredGateway
from cloud.vehicles.fleet.service import Fleet

gateways = typer.Typer(help="Gateways in the vehicles.", no_args_is_help=True)


GatewayOption = Annotated[str, typer.Argument(metavar="GATEWAY", help="The gateway's id, gw_….")]
ReasonOption = Annotated[str, typer.Option("--reason", help="The reason, for the audit trail and the event.")]


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
        "access": gateway.access,
        "access_reason": gateway.access_reason,
        "access_at": None if gateway.access_at_us is None else write_moment(gateway.access_at_us),
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
    id: Annotated[str | None, typer.Option("--id", help="Id. Default: a generated one.")] = None,
    as_json: AsJson = True,
) -> None:
    """Register a gateway. Prints JSON, for scripts."""
    made = run(
        context,
        lambda place: _service(place).register(
            place.operator(tenant), organization_id=organization, vehicle_id=vehicle, public_key=public_key, id=id
        ),
    )
    or_exit(lambda: _refresh(context))
    print_json(_shown(made))


@gateways.command("import")
def import_gateways(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with the columns vehicle,name,gateway,public_key.")],
    tenant: TenantOption,
    organization: Annotated[str, typer.Option("--organization", help="The organisation's id, org_….")],
    as_json: AsJson = False,
) -> None:
    """Register the vehicles and gateways of a list: all of them, or none after an error."""
    listed = or_exit(lambda: read_list(file))
    done = run(
        context,
        lambda place: _service(place).import_list(place.operator(tenant), organization_id=organization, listed=listed),
    )
    or_exit(lambda: _refresh(context))
    print_one(
        f"{done.vehicles_added} vehicles and {done.gateways_added} gateways were registered, "
        f"{done.gateways_unchanged} gateways were registered already.",
        asdict(done),
        as_json=as_json,
    )


@gateways.command("list")
def list_gateways(context: typer.Context, tenant: TenantOption, as_json: AsJson = False) -> None:
    """List the gateways of a tenant."""
    found = run(context, lambda place: _service(place).list(place.operator(tenant)))
    rows = [_shown(gateway) for gateway in found]
    if not as_json:
        for row in rows:
            del row["public_key"]  # too wide for a terminal
    print_rows("Gateways", rows, as_json=as_json)


@gateways.command("show")
def show_gateway(context: typer.Context, gateway: GatewayOption, tenant: TenantOption, as_json: AsJson = True) -> None:
    """Show one gateway: its state, its keys and its certificates, as JSON."""

    async def work(place: Workplace) -> dict[str, Any]:
        shown = await _service(place).show(place.operator(tenant), gateway)
        return {
            **_shown(shown.gateway),
            "former_keys": [
                {
                    "public_key": base64.b64encode(former.public_key).decode(),
                    "replaced_at": write_moment(former.replaced_at_us),
                }
                for former in shown.former_keys
            ],
            "certificates": [
                {
                    "serial": f"{one.serial:x}",
                    "expires_at": write_moment(one.expires_at_us),
                    "revoked_at": None if one.revoked_at_us is None else write_moment(one.revoked_at_us),
                }
                for one in shown.certificates
            ],
        }

    print_json(run(context, work))


@gateways.command("suspend")
def suspend_gateway(
    context: typer.Context,
    gateway: GatewayOption,
    tenant: TenantOption,
    reason: ReasonOption,
    as_json: AsJson = True,
) -> None:
    """Suspend a gateway until it is resumed. Its measurements stay in the vehicle and arrive afterwards."""
    _shut_out(context, gateway, lambda place, desk: desk.suspend(place.operator(tenant), gateway, reason))


@gateways.command("revoke")
def revoke_gateway(
    context: typer.Context,
    gateway: GatewayOption,
    tenant: TenantOption,
    reason: ReasonOption,
    certificate: Annotated[
        list[Path] | None,
        typer.Option(
            "--certificate", help="A certificate of the gateway that the cloud did not issue, PEM. Repeatable."
        ),
    ] = None,
    as_json: AsJson = True,
) -> None:
    """Revoke a gateway and its certificates: it was stolen, sold or taken out of service."""
    certificates = or_exit(lambda: [_read_certificate(path) for path in certificate or ()])
    _shut_out(context, gateway, lambda place, desk: desk.revoke(place.operator(tenant), gateway, reason, certificates))


@gateways.command("resume")
def resume_gateway(
    context: typer.Context, gateway: GatewayOption, tenant: TenantOption, as_json: AsJson = True
) -> None:
    """Accept a suspended gateway again."""
    changed = _change(context, lambda place, desk: desk.resume(place.operator(tenant), gateway))
    or_exit(lambda: _refresh(context))
    print_json(_shown(changed))


@gateways.command("replace-key")
def replace_key(
    context: typer.Context,
    gateway: GatewayOption,
    tenant: TenantOption,
    public_key: Annotated[str, typer.Option("--public-key", help="Base64, from `argus-gateway provision --new-key`.")],
    reason: ReasonOption,
    as_json: AsJson = True,
) -> None:
    """Replace the signing key of a gateway. Earlier batches remain verifiable with the previous key.

    Also admits a revoked gateway again, which then needs a new certificate.
    """
    changed = _change(
        context, lambda place, desk: desk.replace_key(place.operator(tenant), gateway, public_key, reason)
    )
    or_exit(lambda: _refresh(context))
    print_json(_shown(changed))


Act = Callable[[Workplace, GatewayAccessDesk], Awaitable[RegisteredGateway]]


def _change(context: typer.Context, act: Act) -> RegisteredGateway:
    return run(context, lambda place: act(place, GatewayAccessDesk(place.database, place.clock, place.ids)))


def _shut_out(context: typer.Context, gateway: str, act: Act) -> None:
    """Change the gateway's state, then the broker's lists, then end the gateway's open connection. If a later step
    fails, the error is reported and the new state stays, so the cloud accepts nothing more from this gateway."""
    changed = _change(context, act)
    _refresh(context)
    ended = run(context, lambda place: place.supplies[END_CONNECTION](place.settings, gateway))
    print_json({**_shown(changed), "connection_ended": ended})


def _refresh(context: typer.Context) -> None:
    from cloud.vehicles.fleet.broker_cli import directory_of  # loads X.509, which most commands do not need

    async def work(place: Workplace) -> None:
        directory = directory_of(place)
        if directory is not None:
            await directory.refresh()

    run(context, work)


def _read_certificate(path: Path) -> x509.Certificate:
    from cloud.vehicles.fleet.broker_files import read_file
    from cloud.vehicles.fleet.errors import CertificateForeign

    try:
        return x509.load_pem_x509_certificate(read_file(path))
    except ValueError:
        raise CertificateForeign(f"({path} is not a certificate in PEM.)") from None
