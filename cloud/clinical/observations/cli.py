"""`argus-cloud observations`: export observations."""

import sys
from typing import Annotated, Any

import orjson
import typer

from cloud.access.tenancy import Tenancy
from cloud.clinical.devices import Devices
from cloud.clinical.observations.export import device_of, export_observations
from cloud.clinical.observations.received_batches import RECEIVED_BATCHES
from cloud.foundation.command import AsJson, Workplace, or_exit, run
from cloud.foundation.moments import read_moment
from cloud.foundation.objects import object_store_of
from protocols.observation_record import Json

observations = typer.Typer(help="Observations of the devices.", no_args_is_help=True)


@observations.command("export")
def export_command(
    context: typer.Context,
    device: Annotated[
        str | None, typer.Option("--device", help="Limit to this device: dev_… or its system id.")
    ] = None,
    since: Annotated[str | None, typer.Option("--since", help="Start, such as 2026-03-24T10:00:00Z.")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Limit to this tenant. Default: all tenants.")] = None,
    with_commit_time: Annotated[
        bool,
        typer.Option(
            "--with-commit-time", help="Add committed_at: the time at which the cloud stored the observation."
        ),
    ] = False,
    with_device_attributes: Annotated[
        bool,
        typer.Option(
            "--with-device-attributes",
            help="Add to device: id, class, manufacturer, serial number, and how it then described itself.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print observations, one a line: JSON Lines with --json, else time, device, type and value."""
    since_us = None if since is None else or_exit(lambda: read_moment(since))
    show = _JsonLines(attributes=with_device_attributes).print if as_json else _print_text

    async def work(place: Workplace) -> None:
        objects = object_store_of(place.settings)
        if tenant is not None:
            tenants = [tenant]
        else:
            known = await Tenancy(place.database, place.clock, place.ids).list_tenants()
            tenants = [one.id for one in known]
        for tenant_id in tenants:
            found = export_observations(
                place.database,
                place.operator(tenant_id),
                Devices(place.ids),
                place.supplies[RECEIVED_BATCHES],
                objects=objects,
                device=device,
                since_us=since_us,
                hidden=True,
                commit_time=with_commit_time,
                attributes=with_device_attributes,
            )
            async for document in found:
                show(document)

    run(context, work, settled=True)


class _JsonLines:
    """Printer of observations as JSON Lines. `attributes`: consecutive observations share the object of their device,
    which is encoded once."""

    def __init__(self, *, attributes: bool) -> None:
        self._attributes = attributes
        self._device: Json = None
        self._encoded = orjson.Fragment(b"null")

    def print(self, document: dict[str, Any]) -> None:
        # Written to the stream directly: typer.echo examines the terminal for every line, and there may be millions.
        if self._attributes:
            if document["device"] is not self._device:
                self._device = document["device"]
                self._encoded = orjson.Fragment(orjson.dumps(self._device))
            document["device"] = self._encoded
        sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))


def _print_text(document: dict[str, Json]) -> None:
    samples = document["samples"]
    value = f"{len(samples)} samples" if isinstance(samples, list) else orjson.dumps(document["value"]).decode()
    sys.stdout.write(f"{document['observed_at']}  {_device_text(device_of(document))}  {document['type']}  {value}\n")


def _device_text(device: dict[str, Json]) -> str:
    """Return the name of a device for people: its model or system id and, if the export has them, its manufacturer,
    serial number and firmware."""
    own = device.get("description")
    described = own if isinstance(own, dict) else {}
    name = str(device["model"] or device["system_id"])
    serial = device.get("serial_number") or described.get("serial_number")
    firmware = described.get("firmware_revision")
    words = [
        device.get("manufacturer") or described.get("manufacturer"),
        name,
        serial and f"serial number {serial}",
        firmware and f"firmware {firmware}",
    ]
    return ", ".join(str(word) for word in words if word)
