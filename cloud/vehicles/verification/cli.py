"""`argus-cloud custody`: verify the chain of custody, list quarantined batches and decode them again."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from cloud.access.tenancy import Tenancy
from cloud.clinical.devices import Devices
from cloud.foundation.command import AsJson, Workplace, print_json, print_one, print_table, run
from cloud.foundation.master_key import MasterKeyAbsent, load_master_key
from cloud.foundation.objects import ObjectStoreUnavailable, object_store_of
from cloud.foundation.settings import Settings, SettingsUnusable
from cloud.vehicles.custody import ErasureSeals
from cloud.vehicles.fleet import Fleet, GatewayUnknown
from cloud.vehicles.verification.check import CustodyCheck, QuarantineCount, count_of_unknown_senders
from cloud.vehicles.verification.lane_audit import LaneReport
from cloud.vehicles.verification.object_audit import ObjectAudit, ObjectsReport
from cloud.vehicles.verification.reprocess import Reprocessed, Reprocessing

RANGES_SHOWN_MAX = 8
"""Ranges of sequence numbers that the table shows of a lane; --json lists all."""

custody = typer.Typer(help="The chain of custody from the vehicles.", no_args_is_help=True)


@custody.command("check")
def check_command(
    context: typer.Context,
    # Not named `gateway`, which only accepts a registered gateway: a forged batch may have an unregistered one.
    only: Annotated[str | None, typer.Option("--gateway", help="Check this gateway only, gw_….")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Limit to this tenant. Default: all tenants.")] = None,
    rows: Annotated[
        bool, typer.Option("--rows", help="Also compare every stored observation with its envelope.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Verify every signature and link of the stored envelopes. Exit code 1 if a chain is broken.

    Batches that a gateway has not delivered yet, while it sends others, are awaited and no error.
    """

    async def work(place: Workplace) -> tuple[list[LaneReport], list[QuarantineCount]]:
        reports: list[LaneReport] = []
        aside: list[QuarantineCount] = []
        objects, seals = object_store_of(place.settings), _seals(place.settings)
        fleet, known = Fleet(place.database, place.clock, place.ids), only is None
        for tenant_id in await Tenancy(place.database, place.clock, place.ids).tenant_ids(only=tenant):
            actor = place.operator(tenant_id)
            check = CustodyCheck(place.database, place.clock, actor, objects=objects, seals=seals, with_rows=rows)
            reports.extend([report async for report in check.reports(only)])
            aside.extend(await check.quarantine(only))
            if only is not None:
                known |= any(one.id == only for one in await fleet.list(place.operator(tenant_id)))
        # A mistyped id must not look like an intact chain.
        if not known and not reports and not aside:
            raise GatewayUnknown(f"({only})")
        if only is None and tenant is None:
            aside.extend(await count_of_unknown_senders(place.database))
        return reports, aside

    reports, aside = run(context, work, settled=True)
    if as_json:
        quarantine = [asdict(one) for one in aside]
        print_json({"lanes": [_shown(one) for one in reports], "quarantine": quarantine, "rows_compared": rows})
    else:
        _print_for_people(reports, aside)
        if not rows:
            typer.echo("Only the signed envelopes were verified. --rows also compares the stored observations.")
    if not all(report.intact for report in reports):
        raise typer.Exit(1)


def _seals(settings: Settings) -> ErasureSeals | None:
    """Return the seals of erasures; None without the master key, for instance beside a copy of the database."""
    try:
        return ErasureSeals(load_master_key(settings))
    except (MasterKeyAbsent, SettingsUnusable):
        return None


@custody.command("objects")
def objects_command(
    context: typer.Context,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Limit to this tenant. Default: all tenants.")] = None,
    as_json: AsJson = False,
) -> None:
    """Verify packed batches from the objects alone, without the index in the database. Exit code 1 on a fault."""

    async def work(place: Workplace) -> list[ObjectsReport]:
        store = object_store_of(place.settings)
        if store is None:
            raise ObjectStoreUnavailable("(The settings name none.)")
        tenant_ids = await Tenancy(place.database, place.clock, place.ids).tenant_ids(only=tenant)
        return [await ObjectAudit(place.database, place.operator(one), store).run() for one in tenant_ids]

    reports = run(context, work)
    if as_json:
        print_json([_shown_objects(report) for report in reports])
    else:
        for report in reports:
            _print_objects(report)
    if not all(report.intact for report in reports):
        raise typer.Exit(1)


def _shown_objects(report: ObjectsReport) -> dict[str, Any]:
    lanes = [{**asdict(lane), "intact": lane.intact} for lane in report.lanes]
    return {**asdict(report), "lanes": lanes, "intact": report.intact}


def _print_objects(report: ObjectsReport) -> None:
    rows = [
        {
            "gateway": lane.gateway_id,
            "epoch": lane.epoch,
            "lane": lane.lane,
            "batches": lane.batches,
            "sequences": [f"{first}…{last}" for first, last in lane.ranges[:RANGES_SHOWN_MAX]],
            "repeated": lane.repeated,
            **({"erased": lane.erased} if any(one.erased for one in report.lanes) else {}),
            "verdict": "intact" if lane.intact else f"{len(lane.findings) + lane.findings_beyond} findings",
        }
        for lane in report.lanes
    ]
    print_table(f"Packed batches of {report.tenant_id}: {report.objects} objects, {report.size_bytes} bytes", rows)
    for name, why in report.damaged:
        typer.echo(f"{name}: {why}")
    for lane in report.lanes:
        for finding in lane.findings:
            typer.echo(f"{lane.gateway_id} {lane.epoch} {lane.lane} {finding.first}: {finding.what}")


@custody.command("reprocess")
def reprocess_command(
    context: typer.Context,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Limit to this tenant. Default: all tenants.")] = None,
    as_json: AsJson = False,
) -> None:
    """Decode the batches that an earlier version could not read. Safe to repeat."""

    async def work(place: Workplace) -> Reprocessed:
        total = Reprocessed()
        for tenant_id in await Tenancy(place.database, place.clock, place.ids).tenant_ids(only=tenant):
            done = await Reprocessing(place.database, Devices(place.ids)).run(tenant_id)
            total.unpacked += done.unpacked
            total.observations += done.observations
            total.still_unreadable += done.still_unreadable
        return total

    total = run(context, work)
    sentence = f"{total.unpacked} batches decoded, {total.observations} observations added, "
    print_one(f"{sentence}{total.still_unreadable} batches still cannot be read.", asdict(total), as_json=as_json)


def _shown(report: LaneReport) -> dict[str, Any]:
    return {**asdict(report), "intact": report.intact}


def _verdict(report: LaneReport) -> str:
    """Return the verdict on a lane."""
    if not report.intact:
        return f"{len(report.findings) + report.findings_untold} findings"
    awaited = f"; {report.awaited_batches} batches are awaited" if report.awaited_batches else ""
    return _verdict_on_held(report) + awaited


def _verdict_on_held(report: LaneReport) -> str:
    verdict = "intact"
    if report.removed and report.begins_at is None:
        verdict = (
            "intact; every other batch was removed by retention"
            if report.erased
            else ("intact; every batch was removed by retention")
        )
    elif report.removed:
        verdict = f"intact from {report.begins_at}; {report.removed} batches were removed by retention"
    return f"{verdict}; {report.erased} batches were erased" if report.erased else verdict


def _print_for_people(reports: Sequence[LaneReport], aside: Sequence[QuarantineCount]) -> None:
    rows = [
        {
            "gateway": report.gateway_id,
            "epoch": report.epoch,
            "lane": report.lane,
            "batches": report.batches,
            "through": report.through,
            "stood in for": report.stood_in,
            **({"removed by retention": report.removed} if any(one.removed for one in reports) else {}),
            **({"erased": report.erased} if any(one.erased for one in reports) else {}),
            **({} if report.observations is None else {"observations compared": report.observations}),
            "verdict": _verdict(report),
        }
        for report in reports
    ]
    print_table("Custody", rows)
    for report in reports:
        lane = f"{report.gateway_id} {report.epoch} {report.lane}"
        for finding in report.findings:
            typer.echo(f"{lane} {finding.first}…{finding.last}: {finding.what}")
        for first, last in report.awaited:
            typer.echo(f"{lane} {first}…{last}: awaited, the gateway has not delivered it yet and sends other batches")
    if aside:
        print_table("Set aside", [{**asdict(one), "gateway_id": one.gateway_id or "(unknown)"} for one in aside])
