"""`argus-cloud init-secrets|keys|tokens`: manage the master key, the signing keys and service tokens."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cloud.access.apps import AppStore, AppUnknown
from cloud.access.audit import Audit
from cloud.access.identity import UserStore, UserUnknown, folded
from cloud.access.tokens.auth_state import AuthStateCache
from cloud.access.tokens.claims import SERVICE_TTL_S
from cloud.access.tokens.keys import SigningKeys
from cloud.access.tokens.master_keys import described
from cloud.access.tokens.minting import Mint, Minted
from cloud.access.tokens.place import first_master_key, names_of
from cloud.access.tokens.revocation import Revocation
from cloud.access.tokens.signing_key import SECOND_US, SigningKey
from cloud.foundation.command import AsJson, TenantOption, Workplace, or_exit, print_one, print_rows, run, settings_of
from cloud.foundation.ids import checked_id
from cloud.foundation.master_key import MasterKey, load_master_key, master_key_path
from cloud.foundation.master_key_rotation import prepare
from cloud.foundation.master_key_rotation import rotate as rotate_file
from cloud.foundation.moments import write_moment
from cloud.foundation.resealing import count_by_key
from cloud.foundation.settings import SettingsUnusable

keys = typer.Typer(help="The keys that sign access tokens, and the master key.", no_args_is_help=True)
tokens = typer.Typer(help="Access tokens for automation.", no_args_is_help=True)


def init_secrets(context: typer.Context, *, as_json: bool) -> None:
    """Create the master key file and print its path."""
    settings = settings_of(context)
    path = or_exit(lambda: master_key_path(settings))
    or_exit(lambda: MasterKey.create(path))
    print_one(f"{path} created. Keep a copy elsewhere.", {"master_key_file": str(path)}, as_json=as_json)


async def make_first_master_key(place: Workplace) -> str | None:
    """Create the master key file if `migrate` needs one. Return its path, None if none was created."""
    try:
        return await first_master_key(place.settings, place.database)
    except SettingsUnusable:
        return None


def _signing_keys(place: Workplace) -> SigningKeys:
    return SigningKeys(place.database, place.clock, lambda: load_master_key(place.settings))


@keys.command("list")
def list_keys(context: typer.Context, as_json: AsJson = False) -> None:
    """List all signing keys, including former ones."""

    async def work(place: Workplace) -> list[dict[str, Any]]:
        return [key.describe() for key in await _signing_keys(place).list()]

    print_rows("Signing keys", run(context, work), as_json=as_json)


@keys.command("rotate")
def rotate(
    context: typer.Context,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="Even if verifiers may not have fetched the next key.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Sign with the next key. The current one stays published until its last token has expired."""

    async def work(place: Workplace) -> SigningKey:
        return await _signing_keys(place).rotate(at_once=at_once)

    current = run(context, work)
    print_one(f"{current.kid} signs from now on.", current.describe(), as_json=as_json)


@keys.command("withdraw")
def withdraw(
    context: typer.Context, kid: Annotated[str, typer.Argument(help="The key id.")], as_json: AsJson = False
) -> None:
    """Withdraw a leaked key. Every token that it signed is revoked within a minute."""

    async def work(place: Workplace) -> None:
        await _signing_keys(place).withdraw(kid)

    run(context, work)
    print_one(f"{kid} is withdrawn and all its tokens are revoked.", {"kid": kid}, as_json=as_json)


@keys.command("master")
def list_master_keys(context: typer.Context, as_json: AsJson = False) -> None:
    """List the keys of the master key file, and the number of values in the database that each of them sealed."""

    async def work(place: Workplace) -> list[dict[str, Any]]:
        async with place.database.read() as tx:
            return described(load_master_key(place.settings), await count_by_key(tx))

    print_rows("Master keys", run(context, work), as_json=as_json)


@keys.command("prepare-master")
def prepare_master(context: typer.Context, as_json: AsJson = False) -> None:
    """Add the next master key to the key file. It seals nothing yet: first copy the file to every machine and to the
    backup."""
    path = or_exit(lambda: master_key_path(settings_of(context)))
    made = or_exit(lambda: prepare(path))
    sentence = f"{made.successor} is in {path}. Copy the file to every machine and to the backup, then rotate-master."
    print_one(sentence, {"kid": made.successor, "master_key_file": str(path)}, as_json=as_json)


@keys.command("rotate-master")
def rotate_master(context: typer.Context, as_json: AsJson = False) -> None:
    """Seal new values with the next master key. The worker seals the existing ones again. The former key stays in the
    file: records of provenance need it for ever."""

    async def work(place: Workplace) -> tuple[MasterKey, Path]:
        path = master_key_path(place.settings)
        made = rotate_file(path)
        async with place.database.transaction() as tx:
            await Audit(place.clock).record_for_every_tenant(tx, "master_key.rotate", made.kid)
        return made, path

    made, path = run(context, work)
    sentence = f"{made.kid} seals from now on. Copy {path} to every machine and to the backup."
    print_one(sentence, {"kid": made.kid, "master_key_file": str(path)}, as_json=as_json)


@tokens.command("mint")
def mint(
    context: typer.Context,
    tenant: TenantOption,
    app: Annotated[str, typer.Option("--app", help="Client id of an app that allows service tokens.")],
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help="A scope. Repeatable. Default: all approved scopes.")
    ] = None,
    user: Annotated[str | None, typer.Option("--user", help="User name of the person to act for.")] = None,
    ttl_s: Annotated[int, typer.Option("--ttl-seconds", help="Lifetime, at most 90 days.")] = SERVICE_TTL_S,
    as_json: AsJson = False,
) -> None:
    """Mint a service token for an app and print it."""

    async def work(place: Workplace) -> Minted:
        viewer = place.operator(tenant)
        async with place.database.read() as tx:
            known = await AppStore().find_for(tx, viewer, app)
            person = None if user is None else await UserStore().find(tx, viewer, folded(user))
        if known is None:
            raise AppUnknown
        if user is not None and (person is None or person.disabled_at_us is not None):
            raise UserUnknown
        made = await _mint(place)
        return await made.service_token(viewer, known, tuple(scope or ()), user=person, ttl_s=ttl_s)

    minted = run(context, work)
    expires = write_moment(minted.claims.expires_at_s * SECOND_US)
    document = {
        "token": minted.token,
        "expires_at": expires,
        "jti": minted.claims.jti,
        "scope": " ".join(minted.claims.scopes),
    }
    print_one(minted.token, document, as_json=as_json)


async def _mint(place: Workplace) -> Mint:
    await _signing_keys(place).ensure()
    state = AuthStateCache(place.database, place.clock)

    def master() -> MasterKey:
        return load_master_key(place.settings)

    return Mint(place.database, place.clock, place.ids, state, master, names_of(place.settings))


@tokens.command("revoke")
def revoke(
    context: typer.Context,
    jti: Annotated[str, typer.Argument(help="The token's jti, tok_….")],
    tenant: TenantOption,
    as_json: AsJson = False,
) -> None:
    """Revoke a token. Every process rejects it within a minute. The audit trail records it."""

    async def work(place: Workplace) -> bool:
        return await Revocation(place.database, place.clock).revoke(place.operator(tenant), checked_id(jti), "")

    revoked = run(context, work)
    sentence = f"{jti} is revoked." if revoked else f"{jti} was already revoked."
    print_one(sentence, {"jti": jti, "revoked": revoked}, as_json=as_json)
