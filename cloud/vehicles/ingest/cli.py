"""`argus-cloud ingest`: list lanes and quotas, change the quotas of a gateway, and move staged objects away."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cloud.access.tenancy import Tenancy
from cloud.foundation.command import AsJson, TenantOption, Workplace, print_one, print_rows, run
from cloud.foundation.objects import ObjectStoreUnavailable, object_store_of
from cloud.vehicles.fleet import GatewayDirectory, GatewayUnknown
from cloud.vehicles.ingest.figures import change_quota, list_lanes, list_quotas
from cloud.vehicles.ingest.settings import IngestSection
from cloud.vehicles.ingest.staged_sweeping import move_staged

ingest = typer.Typer(help="Data of the vehicles: lanes, quotas and staged objects.", no_args_is_help=True)

_Gateway = Annotated[str | None, typer.Option("--gateway", help="Limit to this gateway, gw_….")]
_Tenant = Annotated[str | None, typer.Option("--tenant", help="Limit to this tenant. Default: all tenants.")]


@ingest.command("quotas")
def quotas_command(
    context: typer.Context, tenant: _Tenant = None, gateway: _Gateway = None, as_json: AsJson = False
) -> None:
    """List the quotas that each gateway has used, and its parked batches."""

    async def work(place: Workplace) -> list[dict[str, Any]]:
        settings, now_us = place.settings.section(IngestSection), place.clock.now_us()
        found: list[dict[str, Any]] = []
        for tenant_id in await Tenancy(place.database, place.clock, place.ids).tenant_ids(only=tenant):
            async with place.database.read() as tx:
                viewer = place.operator(tenant_id)
                rows = await list_quotas(tx, viewer, settings, gateway_id=gateway, now_us=now_us)
            found.extend({"tenant": tenant_id, **row} for row in rows)
        return found

    print_rows("Quotas", run(context, work), as_json=as_json)


@ingest.command("raise")
def raise_command(
    context: typer.Context,
    tenant: TenantOption,
    gateway: Annotated[str, typer.Option("--gateway", help="The gateway, gw_….")],
    factor: Annotated[
        float, typer.Option("--factor", help="Factor on all its quotas, from 0.01 to 1000. 1: as in the settings.")
    ] = 1.0,
    refill: Annotated[
        bool, typer.Option("--refill", help="Refill its quotas now, so that parked batches are stored at once.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Raise or lower the quotas of a gateway. Takes effect within seconds, without a restart."""

    async def work(place: Workplace) -> None:
        async with place.database.transaction() as tx:
            if await GatewayDirectory().find(tx, tenant, gateway) is None:
                raise GatewayUnknown(f"({gateway})")
            await change_quota(tx, place.operator(tenant), gateway, factor=factor, refill=refill)

    run(context, work)
    sentence = f"The quotas of {gateway} are multiplied by {factor:g}{', and its buckets are full' if refill else ''}."
    print_one(sentence, {"gateway": gateway, "factor": factor, "refilled": refill}, as_json=as_json)


@ingest.command("lanes")
def lanes_command(
    context: typer.Context, tenant: _Tenant = None, gateway: _Gateway = None, as_json: AsJson = False
) -> None:
    """List the lanes with their positions, repeated stored measurements and missing batches."""

    async def work(place: Workplace) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for tenant_id in await Tenancy(place.database, place.clock, place.ids).tenant_ids(only=tenant):
            async with place.database.read() as tx:
                rows = await list_lanes(tx, place.operator(tenant_id), gateway_id=gateway)
            found.extend({"tenant": tenant_id, **row} for row in rows)
        return found

    print_rows("Lanes", run(context, work, settled=True), as_json=as_json)


@ingest.command("move-staged")
def move_staged_command(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The object, as doctor names it: staged/….")],
    file: Annotated[Path, typer.Argument(help="A new file. It has data of patients.")],
    as_json: AsJson = False,
) -> None:
    """Move a staged object that cannot be written to a file, so that erasures need not wait for it."""

    async def work(place: Workplace) -> int:
        objects = object_store_of(place.settings)
        if objects is None:
            raise ObjectStoreUnavailable("(The settings name none.)")
        return await move_staged(objects, name, file, place.clock.now_us())

    size_bytes = run(context, work)
    sentence = f"{name} is now in {file} ({size_bytes} bytes). Delete this copy later: it has data of patients."
    print_one(sentence, {"name": name, "file": str(file), "size_bytes": size_bytes}, as_json=as_json)
