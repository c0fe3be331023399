"""`argus-cloud events`: list the domain events of a tenant."""

from typing import Annotated, Any

import typer

from cloud.foundation.command import AsJson, TenantOption, Workplace, print_rows, run
from cloud.foundation.events.model import DomainEvent
from cloud.foundation.events.store import Outbox
from cloud.foundation.moments import write_moment

events = typer.Typer(help="Domain events.", no_args_is_help=True)

EVENTS_MAX = 1000


def _shown(event: DomainEvent) -> dict[str, Any]:
    return {
        "id": event.id,
        "at": write_moment(event.at_us),
        "type": event.type,
        "organization_id": event.organization_id,
        "key": event.key,
        "payload": event.payload,
    }


@events.command("list")
def list_events(
    context: typer.Context,
    tenant: TenantOption,
    limit: Annotated[int, typer.Option(min=1, max=EVENTS_MAX, help="Maximum rows.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the newest events of a tenant, oldest first. Processed events are kept for thirty days."""

    async def found(place: Workplace) -> list[DomainEvent]:
        async with place.database.read() as tx:
            return list(await Outbox(place.ids).list(tx, place.operator(tenant), count=limit))

    print_rows("Events", [_shown(event) for event in run(context, found)], as_json=as_json)
