"""`argus-cloud events`: list what happened in the vehicles, and the domain events of the cloud."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from cloud.clinical.devices import Devices, DeviceUnknown, EventSearch, VehicleEvent
from cloud.foundation.command import AsJson, TenantOption, Workplace, or_exit, print_json, print_rows, run
from cloud.foundation.db import Transaction
from cloud.foundation.events import DomainEvent, DomainSearch, Outbox
from cloud.foundation.moments import read_moment, write_moment
from cloud.foundation.viewer import Actor
from cloud.vehicles.ingest.event_reading import EventReader

events = typer.Typer(help="Events in the vehicles, and domain events of the cloud.", no_args_is_help=True)

EVENTS_MAX = 10_000
"""Rows of one listing, some megabytes. An export of more selects a time range at a time."""


class Source(StrEnum):
    """The place where an event happened."""

    VEHICLE = "vehicle"
    CLOUD = "cloud"


@events.command("list")
def list_events(
    context: typer.Context,
    tenant: TenantOption,
    source: Annotated[
        Source | None, typer.Option("--source", help="Limit to events in vehicles, or of the cloud.")
    ] = None,
    gateway: Annotated[str | None, typer.Option("--gateway", help="Limit to this gateway, gw_….")] = None,
    vehicle: Annotated[
        str | None, typer.Option("--vehicle", help="Limit to this vehicle, veh_…. Only events in vehicles.")
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="Limit to this device: dev_… or its system id.")
    ] = None,
    type_: Annotated[
        list[str] | None,
        typer.Option("--type", help="Limit to this type, device.connected, or to its family, device. Repeatable."),
    ] = None,
    since: Annotated[str | None, typer.Option("--since", help="Start, such as 2026-03-24T10:00:00Z.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="End, not included.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=EVENTS_MAX, help="Maximum rows.")] = 50,
    as_json: AsJson = False,
    as_lines: Annotated[bool, typer.Option("--ndjson", help="Print one JSON document a line.")] = False,
) -> None:
    """List the newest events of a tenant, oldest first. Events in vehicles have the time of the gateway's clock."""
    since_us = None if since is None else or_exit(lambda: read_moment(since))
    until_us = None if until is None else or_exit(lambda: read_moment(until))
    names = tuple(type_ or ())

    async def work(place: Workplace) -> list[dict[str, Any]]:
        viewer, found = place.operator(tenant), list[tuple[int, dict[str, Any]]]()
        async with place.database.read() as tx:
            device_id, system_id = await _device(tx, viewer, Devices(place.ids), device)
            if source is not Source.CLOUD and (device is None or system_id is not None):
                wanted = EventSearch(
                    limit=limit,
                    gateway_id=gateway,
                    vehicle_id=vehicle,
                    device=system_id,
                    names=names,
                    since_us=since_us,
                    until_us=until_us,
                    newest_first=True,
                )
                newest = await EventReader().search(tx, viewer, wanted)
                found += [(each.at_us, _of_vehicle(each)) for each in reversed(newest)]
            if source is not Source.VEHICLE and vehicle is None:
                search = DomainSearch(
                    limit=limit,
                    keys=tuple(key for key in (gateway, device_id) if key is not None),
                    types=names,
                    since_us=since_us,
                    until_us=until_us,
                )
                found += [(each.at_us, _of_cloud(each)) for each in await Outbox(place.ids).list(tx, viewer, search)]
        found.sort(key=lambda each: each[0])
        return [document for _, document in found[-limit:]]

    _print(run(context, work), as_json=as_json, as_lines=as_lines)


async def _device(tx: Transaction, viewer: Actor, devices: Devices, named: str | None) -> tuple[str | None, str | None]:
    """Return the id and the system id of the device that an option names. Raises `DeviceUnknown`."""
    if named is None:
        return None, None
    found = await devices.find_named(tx, viewer, named)
    if found is None:
        raise DeviceUnknown
    return found.id, found.system_id


def _of_vehicle(event: VehicleEvent) -> dict[str, Any]:
    return {
        "id": f"{event.epoch}/{event.lane}/{event.sequence}",
        "at": write_moment(event.at_us),
        "type": event.name,
        "source": Source.VEHICLE,
        "organization_id": event.organization_id,
        "gateway_id": event.gateway_id,
        "vehicle_id": event.vehicle_id,
        "device": event.device,
        "key": event.gateway_id,
        "payload": dict(event.fields),
    }


def _of_cloud(event: DomainEvent) -> dict[str, Any]:
    return {
        "id": event.id,
        "at": write_moment(event.at_us),
        "type": event.type,
        "source": Source.CLOUD,
        "organization_id": event.organization_id,
        "gateway_id": event.payload.get("gateway_id"),
        "vehicle_id": event.payload.get("vehicle_id"),
        "device": event.payload.get("device_id"),
        "key": event.key,
        "payload": event.payload,
    }


def _print(rows: Sequence[dict[str, Any]], *, as_json: bool, as_lines: bool) -> None:
    if as_lines:
        for row in rows:
            print_json(row)
        return
    shown = ("at", "type", "gateway_id", "vehicle_id", "device", "payload")
    short = ({name: row[name] for name in shown} for row in rows)
    print_rows("Events", rows if as_json else short, as_json=as_json)
