"""`argus-cloud webhooks`: inspect subscriptions and deliveries, replay, disable and delete.

Apps create subscriptions themselves, over HTTP.
"""

from typing import Annotated, Any

import typer

from cloud.foundation.command import AsJson, TenantOption, Workplace, or_exit, print_one, print_rows, run
from cloud.foundation.master_key import load_master_key
from cloud.foundation.moments import read_moment
from cloud.partners.webhooks.key_cli import webhook_keys
from cloud.partners.webhooks.log import DeliveryLog
from cloud.partners.webhooks.log_store import Filter, Logged
from cloud.partners.webhooks.model import DeliveryStatus
from cloud.partners.webhooks.running import make_judge
from cloud.partners.webhooks.service import Webhooks
from cloud.partners.webhooks.showing import shown, shown_delivery, shown_replay

webhooks = typer.Typer(help="Webhooks and their deliveries.", no_args_is_help=True)
webhooks.add_typer(webhook_keys, name="keys")

WebhookArgument = Annotated[str, typer.Argument(help="The webhook's id, wh_….")]
ROWS_MAX = 1000


def _service(place: Workplace) -> Webhooks:
    return Webhooks(
        place.database, place.clock, place.ids, lambda: load_master_key(place.settings), make_judge(place.settings)
    )


def _log(place: Workplace) -> DeliveryLog:
    return DeliveryLog(place.database, place.clock, place.ids)


@webhooks.command("list")
def list_webhooks(context: typer.Context, tenant: TenantOption, as_json: AsJson = False) -> None:
    """List the webhooks of a tenant, oldest first."""

    async def found(place: Workplace) -> list[dict[str, Any]]:
        service, rows, after = _service(place), [], None
        while page := await service.page(place.operator(tenant), after=after, count=ROWS_MAX):
            rows += [shown(one, place.clock.now_us()) for one in page]
            after = page[-1].id
        return rows

    rows = run(context, found)
    if not as_json:
        rows = [
            {**{name: row[name] for name in ("id", "client_id", "url", "status")}, "events": " ".join(row["events"])}
            for row in rows
        ]
    print_rows("Webhooks", rows, as_json=as_json)


@webhooks.command("show")
def show_webhook(
    context: typer.Context, webhook: WebhookArgument, tenant: TenantOption, as_json: AsJson = False
) -> None:
    """Show a webhook: URL, events and delivery status."""

    async def found(place: Workplace) -> dict[str, Any]:
        return shown(await _service(place).find(place.operator(tenant), webhook), place.clock.now_us())

    document = run(context, found)
    sentence = "\n".join(f"{name:>28}  {_words(value)}" for name, value in document.items() if value is not None)
    print_one(sentence, document, as_json=as_json)


@webhooks.command("deliveries")
def list_deliveries(
    context: typer.Context,
    webhook: WebhookArgument,
    tenant: TenantOption,
    status: Annotated[DeliveryStatus | None, typer.Option("--status", help="Filter by status.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=ROWS_MAX, help="Maximum rows.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the deliveries of a webhook, newest first."""

    async def found(place: Workplace) -> list[Logged]:
        wanted = Filter(status=status)
        return list(await _log(place).page(place.operator(tenant), webhook, wanted, before=None, count=limit))

    rows = [shown_delivery(one) for one in run(context, found)]
    if not as_json:
        names = ("id", "event", "status", "attempt", "attempted_at", "response_status", "error_code", "next_attempt_at")
        rows = [{name: row[name] for name in names} for row in rows]
    print_rows("Deliveries", rows, as_json=as_json)


@webhooks.command("test")
def send_test(context: typer.Context, webhook: WebhookArgument, tenant: TenantOption, as_json: AsJson = False) -> None:
    """Send a test, also to a disabled webhook. Its status is in the deliveries."""
    id = run(context, lambda place: _log(place).test(place.operator(tenant), webhook))
    print_one(f"Test {id} is queued.", {"delivery_id": id, "status": DeliveryStatus.QUEUED.value}, as_json=as_json)


@webhooks.command("replay")
def replay(
    context: typer.Context,
    webhook: WebhookArgument,
    tenant: TenantOption,
    delivery: Annotated[str | None, typer.Option("--delivery", help="Replay this delivery, dlv_….")] = None,
    failed_since: Annotated[
        str | None, typer.Option("--failed-since", help="Replay all that failed since this time.")
    ] = None,
    since: Annotated[str | None, typer.Option("--since", help="Replay all from this time.")] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="With --since: until before this time. Default: now.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Replay deliveries with their original ids."""
    times = {"failed_since_us": _moment(failed_since), "since_us": _moment(since), "until_us": _moment(until)}
    done = run(
        context,
        lambda place: _log(place).begin_replay(place.operator(tenant), webhook, delivery_id=delivery, **times),
    )
    sentence = f"Replay {done.id}: {done.queued} queued" + (
        "." if done.done_at_us is not None else ", more are being queued."
    )
    print_one(sentence, shown_replay(done), as_json=as_json)


def _moment(text: str | None) -> int | None:
    return None if text is None else or_exit(lambda: read_moment(text))


@webhooks.command("disable")
def disable(context: typer.Context, webhook: WebhookArgument, tenant: TenantOption, as_json: AsJson = False) -> None:
    """Disable a webhook. Pending deliveries are discarded and can be replayed."""
    _switch(context, webhook, tenant, enabled=False, as_json=as_json)


@webhooks.command("enable")
def enable(context: typer.Context, webhook: WebhookArgument, tenant: TenantOption, as_json: AsJson = False) -> None:
    """Enable a webhook, from the next event on."""
    _switch(context, webhook, tenant, enabled=True, as_json=as_json)


def _switch(context: typer.Context, webhook: str, tenant: str, *, enabled: bool, as_json: bool) -> None:
    async def work(place: Workplace) -> dict[str, Any]:
        changed = await _service(place).set_enabled(place.operator(tenant), webhook, enabled)
        return shown(changed, place.clock.now_us())

    document = run(context, work)
    print_one(f"Webhook {webhook} is {document['status']}.", document, as_json=as_json)


@webhooks.command("remove")
def remove(context: typer.Context, webhook: WebhookArgument, tenant: TenantOption, as_json: AsJson = False) -> None:
    """Delete a webhook. Pending deliveries are discarded."""
    run(context, lambda place: _service(place).remove(place.operator(tenant), webhook))
    print_one(f"Webhook {webhook} removed.", {"id": webhook, "removed": True}, as_json=as_json)


def _words(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)
