"""`argus-cloud webhooks keys`: list and rotate the Ed25519 keys of `v1a` signatures."""

from typing import Annotated, Any

import typer

from cloud.foundation.command import AsJson, Workplace, print_one, print_rows, run
from cloud.foundation.master_key import load_master_key
from cloud.partners.webhooks.keys import WebhookKey, WebhookKeys

webhook_keys = typer.Typer(help="The keys that sign every delivery (v1a).", no_args_is_help=True)


def _keys(place: Workplace) -> WebhookKeys:
    return WebhookKeys(place.database, place.clock, lambda: load_master_key(place.settings))


@webhook_keys.command("list")
def list_keys(context: typer.Context, as_json: AsJson = False) -> None:
    """List the published keys, newest first. There is none before the first delivery."""

    async def work(place: Workplace) -> list[dict[str, Any]]:
        return [key.describe() for key in await _keys(place).published()]

    print_rows("Webhook keys", run(context, work), as_json=as_json)


@webhook_keys.command("rotate")
def rotate(
    context: typer.Context,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="Even if receivers may not have fetched the next key.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Sign with the next key. The previous one stays published for a day."""

    async def work(place: Workplace) -> WebhookKey:
        return await _keys(place).rotate(at_once=at_once)

    current = run(context, work)
    print_one(f"{current.kid} signs webhooks from now on.", current.describe(), as_json=as_json)
