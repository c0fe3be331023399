"""`argus-cloud audit`: search the audit trail of a tenant."""

from typing import Annotated, Any

import typer

from cloud.access.audit.model import AuditEntry, AuditFilter
from cloud.access.audit.store import ENTRIES_MAX, Audit
from cloud.foundation.command import AsJson, TenantOption, Workplace, print_rows, run
from cloud.foundation.moments import MomentMalformed, read_moment, write_moment

audit = typer.Typer(help="The audit trail.", no_args_is_help=True)

LimitOption = Annotated[int, typer.Option("--limit", min=1, max=ENTRIES_MAX, help="Maximum rows.")]


def _shown(entry: AuditEntry) -> dict[str, Any]:
    return {
        "at": write_moment(entry.at_us),
        "actor": entry.actor,
        "client_id": entry.client_id or None,
        "action": entry.action,
        "object": entry.object,
        "outcome": entry.outcome.value,
        "organization_id": entry.organization_id,
        "trace_id": entry.trace_id,
        "metadata": dict(entry.metadata),
    }


def _row(entry: AuditEntry) -> dict[str, Any]:
    """Return an entry's columns of the table."""
    names = ("at", "actor", "action", "object", "outcome", "trace_id")
    shown = _shown(entry)
    return {name: shown[name] for name in names}


def _print(context: typer.Context, tenant: str, wanted: AuditFilter, limit: int, *, as_json: bool) -> None:
    async def work(place: Workplace) -> list[AuditEntry]:
        async with place.database.read() as tx:
            return list(await Audit(place.clock).search(tx, place.operator(tenant), wanted, count=limit))

    print_rows("Audit", map(_shown if as_json else _row, run(context, work)), as_json=as_json)


@audit.command("list")
def list_entries(
    context: typer.Context,
    tenant: TenantOption,
    actor: Annotated[str | None, typer.Option("--actor", help="Actor: usr_…, app_…, or operator.")] = None,
    action: Annotated[str | None, typer.Option("--action", help="Action, for instance app.rotate_secret.")] = None,
    object: Annotated[str | None, typer.Option("--object", help="Id of the changed object.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="Start, such as 2026-03-24T10:00:00Z.")] = None,
    limit: LimitOption = 50,
    as_json: AsJson = False,
) -> None:
    """List the audit trail of a tenant, newest first."""
    try:
        since_us = None if since is None else read_moment(since)
    except MomentMalformed as error:
        raise typer.BadParameter(f"{since!r} is not a time. {error.sentence}") from None
    wanted = AuditFilter(actor=actor, action=action, object=object, since_us=since_us)
    _print(context, tenant, wanted, limit, as_json=as_json)


@audit.command("search")
def search(
    context: typer.Context,
    trace: Annotated[str, typer.Argument(help="The trace id of a response or an error, 32 hexadecimal digits.")],
    tenant: TenantOption,
    limit: LimitOption = ENTRIES_MAX,
    as_json: AsJson = False,
) -> None:
    """List the changes of one request, also older ones."""
    _print(context, tenant, AuditFilter(trace_id=trace.strip().lower()), limit, as_json=as_json)
