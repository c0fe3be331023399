"""`argus-cloud retention`: show and set the retention periods of a tenant, place and release legal holds."""

import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer

from cloud.access.retention.errors import HoldScopeUnclear, ShorteningUnconfirmed
from cloud.access.retention.model import Hold, Period, PeriodChange
from cloud.access.retention.service import Retention
from cloud.foundation.command import AsJson, TenantOption, Workplace, print_json, print_one, print_table, run
from cloud.foundation.errors import DomainError
from cloud.foundation.moments import write_moment
from cloud.foundation.retention import HoldScope

retention = typer.Typer(help="Retention periods and legal holds of a tenant.", no_args_is_help=True)


def _service(place: Workplace) -> Retention:
    return Retention(place.database, place.clock, place.ids)


def _days(days: int | None) -> str:
    return "without end" if days is None else f"{days} days"


def _shown_hold(hold: Hold) -> dict[str, Any]:
    return {
        "id": hold.id,
        "scope": hold.scope.value,
        "object_id": hold.object_id,
        "reason": hold.reason,
        "placed_at": write_moment(hold.placed_at_us),
        "placed_by": hold.placed_by,
    }


def _period_row(period: Period) -> dict[str, Any]:
    """Return the columns of the table of periods."""
    shown = f"{_days(period.days)}{' (default)' if period.is_default else ''}"
    return {"kind": period.kind, "kept": "held" if period.is_held else shown, "data": period.meaning}


@retention.command("show")
def show(context: typer.Context, tenant: TenantOption, as_json: AsJson = False) -> None:
    """Show the retention periods of a tenant and its legal holds."""

    async def work(place: Workplace) -> tuple[list[Period], list[Hold]]:
        service, viewer = _service(place), place.operator(tenant)
        return list(await service.periods(viewer)), list(await service.holds(viewer))

    periods, holds = run(context, work)
    if as_json:
        print_json({"periods": [asdict(one) for one in periods], "holds": [_shown_hold(one) for one in holds]})
        return
    print_table("Retention", [_period_row(one) for one in periods])
    print_table("Legal holds", [_shown_hold(one) for one in holds])


@retention.command("set")
def set_period(
    context: typer.Context,
    tenant: TenantOption,
    kind: Annotated[str, typer.Option("--kind", help="Kind of data, as `retention show` lists them.")],
    days: Annotated[int | None, typer.Option("--days", help="Period in days.")] = None,
    forever: Annotated[bool, typer.Option("--forever", help="Keep the data without end.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Confirm a shorter period without a prompt.")] = False,
    as_json: AsJson = False,
) -> None:
    """Set the retention period of one kind of data. A shorter period deletes data and must be confirmed."""
    if (days is None) is not forever:
        raise typer.BadParameter("give either --days or --forever")
    actor_of = Workplace.operator
    confirmed = yes
    if not yes:
        change = run(context, lambda place: _service(place).preview(actor_of(place, tenant), kind, days))
        confirmed = change.is_shortening and _is_confirmed(change)
        if change.is_shortening and not confirmed:
            _exit(ShorteningUnconfirmed(f"({_effect(change)})"))
    done = run(
        context,
        lambda place: _service(place).set_period(actor_of(place, tenant), kind, days, shortening_confirmed=confirmed),
    )
    print_one(f"{done.kind}: {_days(done.before_days)} before, {_days(done.after_days)} now.", asdict(done),
              as_json=as_json)  # fmt: skip


@retention.command("hold")
def hold(
    context: typer.Context,
    tenant: TenantOption,
    reason: Annotated[str, typer.Option("--reason", help="Reference such as a case number; no patient data.")],
    whole: Annotated[bool, typer.Option("--all", help="Hold all evidence of the tenant.")] = False,
    gateway: Annotated[str | None, typer.Option("--gateway", help="Hold the data of this gateway, gw_….")] = None,
    device: Annotated[str | None, typer.Option("--device", help="Hold the data of this device, dev_….")] = None,
    encounter: Annotated[str | None, typer.Option("--encounter", help="Hold this encounter, enc_….")] = None,
    incident: Annotated[str | None, typer.Option("--incident", help="Hold this incident, inc_….")] = None,
    as_json: AsJson = False,
) -> None:
    """Place a legal hold: the data are kept after their period until the hold is released."""
    named = {
        HoldScope.TENANT: tenant if whole else None,
        HoldScope.GATEWAY: gateway,
        HoldScope.DEVICE: device,
        HoldScope.ENCOUNTER: encounter,
        HoldScope.INCIDENT: incident,
    }
    given = [(scope, object_id) for scope, object_id in named.items() if object_id is not None]
    if len(given) != 1:
        _exit(HoldScopeUnclear())
    (scope, object_id), *_ = given
    placed = run(context, lambda place: _service(place).hold(place.operator(tenant), scope, object_id, reason))
    print_one(f"Hold {placed.id} placed on {scope} {object_id}.", _shown_hold(placed), as_json=as_json)


@retention.command("release")
def release(
    context: typer.Context,
    hold: Annotated[str, typer.Argument(help="The hold's id, hld_….")],
    tenant: TenantOption,
    as_json: AsJson = False,
) -> None:
    """Release a legal hold. Data past their period are deleted from now on."""
    released = run(context, lambda place: _service(place).release(place.operator(tenant), hold))
    print_one(f"Hold {released.id} on {released.scope} {released.object_id} released.", _shown_hold(released),
              as_json=as_json)  # fmt: skip


def _effect(change: PeriodChange) -> str:
    assert change.deleted is not None, "a shortening is shown with what it deletes"
    size = "" if change.deleted.size_bytes is None else f" ({change.deleted.size_bytes >> 20} MB)"
    return (
        f"{change.kind}: {_days(change.after_days)} instead of {_days(change.before_days)} "
        f"deletes {change.deleted.rows} stored rows{size}, except those under a legal hold."
    )


def _is_confirmed(change: PeriodChange) -> bool:
    """Prompt the operator at a terminal for confirmation. Without a terminal nothing is confirmed."""
    return sys.stdin.isatty() and typer.confirm(f"{_effect(change)} They cannot be restored. Continue?", err=True)


def _exit(error: DomainError) -> None:
    typer.echo(error.sentence, err=True)
    raise typer.Exit(1)
