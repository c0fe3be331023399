"""`argus-cloud devices`: enrol, retire and list devices, also those that vehicles reported without an enrolment."""

from typing import Annotated, Any

import typer

from cloud.clinical.devices.description import shown_description
from cloud.clinical.devices.description_history import COLUMNS, DescribedPeriod, HistoryQuery
from cloud.clinical.devices.model import Device, DeviceClass
from cloud.clinical.devices.service import Enrolment
from cloud.foundation.command import AsJson, TenantOption, Workplace, or_exit, print_one, print_rows, run
from cloud.foundation.moments import read_moment, write_moment
from cloud.foundation.retention import DAY_US

devices = typer.Typer(help="Medical devices.", no_args_is_help=True)

HISTORY_MAX = 10_000
"""Rows of one listing: some per device of a large fleet, about 10 MB of JSON."""

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
        "firmware_revision": None if (described := device.described) is None else described.values.firmware_revision,
        "described_at": write_moment(device.described_at_us),
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
    found = run(
        context,
        lambda place: _service(place).list(place.operator(tenant), vehicle_id=vehicle, hidden=True),
        settled=True,
        waveforms=False,
    )
    print_rows("Devices", map(_shown, found), as_json=as_json)


@devices.command("history")
def history(
    context: typer.Context,
    tenant: TenantOption,
    device: Annotated[str | None, typer.Option("--device", help="Limit to this device, dev_….")] = None,
    on: Annotated[str | None, typer.Option("--on", help="Limit to this day (UTC), such as 2026-03-24.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Limit to this model.")] = None,
    serial_number: Annotated[
        str | None, typer.Option("--reported-serial-number", help="Limit to this serial number, as reported.")
    ] = None,
    hardware: Annotated[str | None, typer.Option("--hardware", help="Limit to this hardware revision.")] = None,
    software: Annotated[str | None, typer.Option("--software", help="Limit to this software revision.")] = None,
    firmware: Annotated[str | None, typer.Option("--firmware", help="Limit to this firmware revision.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=HISTORY_MAX, help="Maximum rows.")] = 1000,
    as_json: AsJson = False,
) -> None:
    """List when each device described itself in which way, also devices that are not enrolled. `--firmware` with `--on`
    lists the devices that ran a firmware on a day."""
    since_us = None if on is None else or_exit(lambda: read_moment(f"{on}T00:00:00Z"))
    texts = zip(COLUMNS, (model, serial_number, hardware, software, firmware), strict=True)
    wanted = HistoryQuery(
        device_id=device,
        texts=tuple((column, text) for column, text in texts if text is not None),
        since_us=since_us,
        until_us=None if since_us is None else since_us + DAY_US,
        limit=limit,
    )
    found = run(context, lambda place: _service(place).history(place.operator(tenant), wanted))
    print_rows("Device history", (_period(each, whole=as_json) for each in found), as_json=as_json)


def _period(period: DescribedPeriod, *, whole: bool) -> dict[str, Any]:
    """Return a period as JSON: with the whole description, or with what a table has room for."""
    shown = shown_description(period.description)
    short = {name: shown[name] for name in (*COLUMNS[:1], *COLUMNS[2:], "unverified_link")}
    return {
        "device_id": period.device_id,
        "system_id": period.system_id,
        "serial_number": period.serial_number,
        "from": write_moment(period.from_us),
        "until": write_moment(period.until_us),
        "vehicle_id": period.vehicle_id,
        "gateway_id": period.gateway_id,
        **({"description": shown} if whole else short),
    }
