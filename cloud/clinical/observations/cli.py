"""`argus-cloud observations`: export observations."""

import sys
from typing import Annotated

import orjson
import typer

from cloud.access.tenancy import Tenancy
from cloud.clinical.devices import Devices
from cloud.clinical.observations.export import export_observations
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
    as_json: AsJson = False,
) -> None:
    """Print observations, one a line: JSON Lines with --json, else time, device, type and value."""
    since_us = None if since is None else or_exit(lambda: read_moment(since))

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
            )
            async for document in found:
                _print(document, as_json=as_json)

    run(context, work)


def _print(document: dict[str, Json], *, as_json: bool) -> None:
    # Written to the stream directly: typer.echo examines the terminal for every line, and there may be millions.
    if as_json:
        sys.stdout.write(orjson.dumps(document).decode() + "\n")
        return
    named = document["device"]
    model = named["model"] or named["system_id"] if isinstance(named, dict) else named
    samples = document["samples"]
    value = f"{len(samples)} samples" if isinstance(samples, list) else orjson.dumps(document["value"]).decode()
    sys.stdout.write(f"{document['observed_at']}  {model}  {document['type']}  {value}\n")
