"""`argus-cloud provenance-keys`: list, rotate and withdraw the keys that sign records of provenance."""

from typing import Annotated, Any

import typer

from cloud.foundation.command import AsJson, Workplace, print_one, print_rows, run
from cloud.foundation.master_key import load_master_key
from cloud.work.provenance_keys.keys import ProvenanceKeys
from cloud.work.provenance_keys.provenance_key import ProvenanceKey

provenance_keys = typer.Typer(help="The keys that sign records of provenance.", no_args_is_help=True)


def _keys(place: Workplace) -> ProvenanceKeys:
    return ProvenanceKeys(place.database, place.clock, lambda: load_master_key(place.settings))


@provenance_keys.command("list")
def list_keys(context: typer.Context, as_json: AsJson = False) -> None:
    """List all keys, newest first. There is none before the first record."""

    async def work(place: Workplace) -> list[dict[str, Any]]:
        return [_described(key) for key in reversed(await _keys(place).list())]

    print_rows("Provenance keys", run(context, work), as_json=as_json)


@provenance_keys.command("rotate")
def rotate(
    context: typer.Context,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="Even if verifiers may not have fetched the next key.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Sign with the next key. The former one stays published for ever."""

    async def work(place: Workplace) -> ProvenanceKey:
        return await _keys(place).rotate(at_once=at_once)

    current = run(context, work)
    print_one(f"{current.kid} signs records of provenance from now on.", _described(current), as_json=as_json)


@provenance_keys.command("withdraw")
def withdraw(
    context: typer.Context, kid: Annotated[str, typer.Argument(help="The key id.")], as_json: AsJson = False
) -> None:
    """Withdraw a stolen key. It stays published, with the time from which its signatures prove nothing."""

    async def work(place: Workplace) -> None:
        await _keys(place).withdraw(kid)

    run(context, work)
    print_one(f"{kid} is withdrawn.", {"kid": kid}, as_json=as_json)


def _described(key: ProvenanceKey) -> dict[str, Any]:
    """Return the published form without the public key, which has 2600 letters."""
    return {name: value for name, value in key.published_form().items() if name != "public_key"}
