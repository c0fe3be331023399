"""`argus-cloud users`: the people of a tenant. Passwords are read from a file or made, never typed as an argument."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from cloud.access.apps.cli import clearance_of
from cloud.access.audit import Audit
from cloud.access.identity.model import Role, User
from cloud.access.identity.passwords import Passwords, new_password
from cloud.access.identity.service import Users, Witness
from cloud.command import AsJson, TenantOption, Workplace, print_one, print_rows, run
from cloud.foundation.db import Transaction
from cloud.foundation.moments import write_moment
from cloud.settings import read_password

users = typer.Typer(help="People of a tenant.", no_args_is_help=True)

Result = TypeVar("Result")
Username = Annotated[str, typer.Argument(help="As they sign in.")]


def _run(context: typer.Context, work: Callable[[Workplace, Users], Awaitable[Result]]) -> Result:
    async def at_work(place: Workplace) -> Result:
        passwords = Passwords()
        try:
            return await work(place, Users(place.database, place.clock, place.ids, passwords))
        finally:
            passwords.close()

    return run(context, at_work)


def _shown(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "username": user.username,
        "tenant_id": user.tenant_id,
        "organization_id": user.organization_id,
        "roles": list(user.roles),
        "secrecy_level": user.clearance.word,
        "second_factor": user.has_second_factor,
        "created_at": write_moment(user.created_at_us),
        "disabled_at": write_moment(user.disabled_at_us),
    }


def _row(user: User) -> dict[str, Any]:
    """For people: what they look for in a list."""
    return {**_shown(user), "roles": " ".join(user.roles)}


def _witness(place: Workplace, tenant: str, action: str) -> Witness:
    """The operator's entry in the audit trail."""

    async def witness(tx: Transaction, user: User) -> None:
        changed = {"roles": list(user.roles)} if action in ("user.add", "user.set_roles") else None
        await Audit(place.clock).record(tx, place.operator(tenant), action, user.id, metadata=changed)

    return witness


@users.command("add")
def add_user(
    context: typer.Context,
    username: Annotated[str, typer.Option("--username", help="As they will sign in, for instance an address.")],
    tenant: TenantOption,
    role: Annotated[list[str], typer.Option("--role", help=", ".join(Role) + "; repeat it for both.")],
    organization: Annotated[
        str | None, typer.Option("--organization", help="Their organisation, org_…. Without: the whole tenant.")
    ] = None,
    level: Annotated[str, typer.Option("--secrecy-level", help="The most that they may see.")] = "standard",
    password_file: Annotated[
        Path | None, typer.Option("--password-file", help="File whose first line it is; without it one is made.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a user; prints the password if it was made here."""

    async def work(place: Workplace, service: Users) -> tuple[User, str | None]:
        made = new_password() if password_file is None else None
        user = await service.add(
            place.operator(tenant),
            username,
            made or read_password(password_file or Path()),
            roles=role,
            organization_id=organization,
            clearance=clearance_of(level),
            witness=_witness(place, tenant, "user.add"),
        )
        return user, made

    user, made = _run(context, work)
    said = f"User {user.username} added as {user.id}."
    if made is not None:
        said += f" The password, which is shown only now: {made}"
    document = {**_shown(user), **({} if made is None else {"password": made})}
    print_one(said, document, as_json=as_json)


@users.command("list")
def list_users(context: typer.Context, tenant: TenantOption, as_json: AsJson = False) -> None:
    """The users of a tenant."""
    found = _run(context, lambda place, service: service.list(place.operator(tenant)))
    print_rows("Users", map(_shown if as_json else _row, found), as_json=as_json)


@users.command("disable")
def disable(context: typer.Context, username: Username, tenant: TenantOption, as_json: AsJson = False) -> None:
    """No sign-in any more; tokens that act for them stop within a minute."""
    changed = _set_disabled(context, username, tenant, disabled=True)
    print_one(f"User {changed.username} disabled.", _shown(changed), as_json=as_json)


@users.command("enable")
def enable(context: typer.Context, username: Username, tenant: TenantOption, as_json: AsJson = False) -> None:
    """Let a disabled user act again."""
    changed = _set_disabled(context, username, tenant, disabled=False)
    print_one(f"User {changed.username} enabled.", _shown(changed), as_json=as_json)


def _set_disabled(context: typer.Context, username: str, tenant: str, *, disabled: bool) -> User:
    action = "user.disable" if disabled else "user.enable"
    return _run(
        context,
        lambda place, service: service.set_disabled(
            place.operator(tenant), username, disabled, witness=_witness(place, tenant, action)
        ),
    )


@users.command("set-roles")
def set_roles(
    context: typer.Context,
    username: Username,
    tenant: TenantOption,
    role: Annotated[list[str], typer.Option("--role", help=", ".join(Role) + "; repeat it for both.")],
    as_json: AsJson = False,
) -> None:
    """Set what somebody is, all of it; tokens that act for them lose the rest within a minute."""
    changed = _run(
        context,
        lambda place, service: service.set_roles(
            place.operator(tenant), username, role, witness=_witness(place, tenant, "user.set_roles")
        ),
    )
    print_one(f"User {changed.username} is {' and '.join(changed.roles)}.", _shown(changed), as_json=as_json)


@users.command("set-password")
def set_password(
    context: typer.Context,
    username: Username,
    tenant: TenantOption,
    password_file: Annotated[
        Path | None, typer.Option("--password-file", help="File whose first line it is; without it one is made.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Replace a lost password and end their sessions; prints the password if it was made here."""
    made = new_password() if password_file is None else None

    async def work(place: Workplace, service: Users) -> User:
        password = made or read_password(password_file or Path())
        witness = _witness(place, tenant, "user.set_password")
        return await service.set_password(place.operator(tenant), username, password, witness=witness)

    changed = _run(context, work)
    said = f"User {changed.username} has another password."
    if made is not None:
        said += f" It is shown only now: {made}"
    print_one(said, {**_shown(changed), **({} if made is None else {"password": made})}, as_json=as_json)


@users.command("reset-second-factor")
def reset_second_factor(
    context: typer.Context, username: Username, tenant: TenantOption, as_json: AsJson = False
) -> None:
    """For somebody who has lost their telephone; make sure who asks. Their sessions end."""
    changed = _run(
        context,
        lambda place, service: service.reset_second_factor(
            place.operator(tenant), username, witness=_witness(place, tenant, "user.reset_second_factor")
        ),
    )
    said = f"User {changed.username} sets a second factor up anew where they must have one."
    print_one(said, _shown(changed), as_json=as_json)
