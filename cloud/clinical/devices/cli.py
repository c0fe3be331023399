"""`argus-cloud devices`: enrol, retire and list devices, also those that vehicles reported without an enrolment."""

from typing import Annotated, Any

import typer

from cloud.clinical.devices.model import Device, DeviceClass
from cloud.clinical.devices.service import Enrolment
from cloud.foundation.command import AsJson, TenantOption, Workplace, print_one, print_rows, run
from cloud.foundation.moments import write_moment

devices = typer.Typer(help="Medical devices.", no_args_is_help=True)

Organization = Annotated[str, typer.Option("--organization", help="The organisation's id, org_….")]
Vehicle = Annotated[str | None, typer.Option("--vehicle", help="The vehicle's id, veh_….")]


def _service(place: Workplace) -> Enrolment:
    return Enrolment(place.database, place.clock, place.ids)


def _shown(device: Device) -> dict[str, Any]:
    return {
        "id": device.id,
        "organization_id": device.organization_id,
        "vehicle_id": device.vehicle_id,
        "gateway_id": device.gateway_id,
        "system_id": device.system_id,
        "serial_number": device.serial_number,
        "device_class": device.device_class,
        "manufacturer": device.manufacturer,
        "model": device.model,
        "status": device.status,
        "last_seen_at": write_moment(device.last_seen_us),
        "battery_percent": device.battery_percent,
    }


@devices.command("enrol")
def enrol(
    context: typer.Context,
    tenant: TenantOption,
    organization: Organization,
    serial_number: Annotated[str, typer.Option("--serial-number", help="As printed on the device.")],
    device_class: Annotated[str, typer.Option("--class", help=", ".join(DeviceClass) + ".")],
    manufacturer: Annotated[str, typer.Option("--manufacturer", help="Manufacturer.")],
    system_id: Annotated[
        str | None, typer.Option("--system-id", help="IEEE 11073 system id in hex, as in `devices list`.")
    ] = None,
    vehicle: Vehicle = None,
    as_json: AsJson = False,
) -> None:
    """Enrol a device, or enrol it again. With its system id, its earlier observations are attached."""
    outcome = run(
        context,
        lambda place: _service(place).enrol(
            place.operator(tenant),
            organization_id=organization,
            serial_number=serial_number,
            device_class=device_class,
            manufacturer=manufacturer,
            system_id=system_id,
            vehicle_id=vehicle,
        ),
    )
    outcome_text = "enrolled" if outcome.created else "enrolled again"
    document = {**_shown(outcome.device), "created": outcome.created, "absorbed": outcome.absorbed}
    print_one(f"Device {outcome.device.id} {outcome_text}.", document, as_json=as_json)


@devices.command("retire")
def retire(
    context: typer.Context,
    tenant: TenantOption,
    device: Annotated[str, typer.Option("--device", help="The device's id, dev_….")],
    as_json: AsJson = False,
) -> None:
    """Retire a device. Its observations are kept. Enrolling it again makes it active."""
    retired = run(context, lambda place: _service(place).retire(place.operator(tenant), device))
    print_one(f"Device {retired.id} retired.", _shown(retired), as_json=as_json)


@devices.command("list")
def list_devices(
    context: typer.Context, tenant: TenantOption, vehicle: Vehicle = None, as_json: AsJson = False
) -> None:
    """List the devices of a tenant, including those that are not enrolled."""
    found = run(context, lambda place: _service(place).list(place.operator(tenant), vehicle_id=vehicle, hidden=True))
    print_rows("Devices", map(_shown, found), as_json=as_json)
