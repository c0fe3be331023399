"""`argus-cloud users`: manage the users of a tenant. Passwords come from a file or are generated."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from cloud.access.apps import clearance_of
from cloud.access.identity.model import Role, User
from cloud.access.identity.passwords import Passwords, new_password
from cloud.access.identity.service import Users
from cloud.foundation.command import AsJson, TenantOption, Workplace, print_one, print_rows, run
from cloud.foundation.moments import write_moment
from cloud.foundation.settings import read_password

users = typer.Typer(help="Users of a tenant.", no_args_is_help=True)

Result = TypeVar("Result")
Username = Annotated[str, typer.Argument(help="User name for the sign-in.")]


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
    """Return a user's columns of the table."""
    return {**_shown(user), "roles": " ".join(user.roles)}


@users.command("add")
def add_user(
    context: typer.Context,
    username: Annotated[
        str, typer.Option("--username", help="User name for the sign-in, for instance an e-mail address.")
    ],
    tenant: TenantOption,
    role: Annotated[list[str], typer.Option("--role", help=", ".join(Role) + ". Repeatable.")],
    organization: Annotated[
        str | None, typer.Option("--organization", help="Organisation of the user, org_…. Default: the whole tenant.")
    ] = None,
    level: Annotated[str, typer.Option("--secrecy-level", help="Clearance of the user.")] = "standard",
    password_file: Annotated[
        Path | None,
        typer.Option(
            "--password-file", help="File with the password in its first line. Default: a generated password."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a user. Prints a generated password."""

    async def work(place: Workplace, service: Users) -> tuple[User, str | None]:
        made = new_password() if password_file is None else None
        user = await service.add(
            place.operator(tenant),
            username,
            made or read_password(password_file or Path()),
            roles=role,
            organization_id=organization,
            clearance=clearance_of(level),
        )
        return user, made

    user, made = _run(context, work)
    sentence = f"User {user.username} added as {user.id}."
    if made is not None:
        sentence += f" The password, which is shown only once: {made}"
    document = {**_shown(user), **({} if made is None else {"password": made})}
    print_one(sentence, document, as_json=as_json)


@users.command("list")
def list_users(context: typer.Context, tenant: TenantOption, as_json: AsJson = False) -> None:
    """List the users of a tenant."""
    found = _run(context, lambda place, service: service.list(place.operator(tenant)))
    print_rows("Users", map(_shown if as_json else _row, found), as_json=as_json)


@users.command("disable")
def disable(context: typer.Context, username: Username, tenant: TenantOption, as_json: AsJson = False) -> None:
    """Disable a user. Tokens that act for the user are revoked within a minute."""
    changed = _set_disabled(context, username, tenant, disabled=True)
    print_one(f"User {changed.username} disabled.", _shown(changed), as_json=as_json)


@users.command("enable")
def enable(context: typer.Context, username: Username, tenant: TenantOption, as_json: AsJson = False) -> None:
    """Enable a disabled user."""
    changed = _set_disabled(context, username, tenant, disabled=False)
    print_one(f"User {changed.username} enabled.", _shown(changed), as_json=as_json)


def _set_disabled(context: typer.Context, username: str, tenant: str, *, disabled: bool) -> User:
    return _run(context, lambda place, service: service.set_disabled(place.operator(tenant), username, disabled))


@users.command("set-roles")
def set_roles(
    context: typer.Context,
    username: Username,
    tenant: TenantOption,
    role: Annotated[list[str], typer.Option("--role", help=", ".join(Role) + ". Repeatable.")],
    as_json: AsJson = False,
) -> None:
    """Set the roles of a user. Tokens that act for the user lose the other rights within a minute."""
    changed = _run(context, lambda place, service: service.set_roles(place.operator(tenant), username, role))
    print_one(f"User {changed.username} is {' and '.join(changed.roles)}.", _shown(changed), as_json=as_json)


@users.command("set-password")
def set_password(
    context: typer.Context,
    username: Username,
    tenant: TenantOption,
    password_file: Annotated[
        Path | None,
        typer.Option(
            "--password-file", help="File with the password in its first line. Default: a generated password."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Replace the password of a user and end the sessions. Prints a generated password."""
    made = new_password() if password_file is None else None

    async def work(place: Workplace, service: Users) -> User:
        password = made or read_password(password_file or Path())
        return await service.set_password(place.operator(tenant), username, password)

    changed = _run(context, work)
    sentence = f"Password of {changed.username} replaced."
    if made is not None:
        sentence += f" It is shown only once: {made}"
    print_one(sentence, {**_shown(changed), **({} if made is None else {"password": made})}, as_json=as_json)


@users.command("reset-second-factor")
def reset_second_factor(
    context: typer.Context, username: Username, tenant: TenantOption, as_json: AsJson = False
) -> None:
    """Remove the second factor and recovery codes of a user, and end the sessions. Verify the person first."""
    changed = _run(context, lambda place, service: service.reset_second_factor(place.operator(tenant), username))
    sentence = f"Second factor of {changed.username} removed. A required one is set up at the next sign-in."
    print_one(sentence, _shown(changed), as_json=as_json)
