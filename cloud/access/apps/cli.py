"""`argus-cloud apps`: register and govern integration apps. A secret is printed only once."""

from typing import Annotated, Any

import typer

from cloud.access.apps.model import App, Governance, GrantType
from cloud.access.apps.scopes import CATALOGUE, PLATFORM_ADMIN
from cloud.access.apps.service import GRACE_HOURS, Apps, Wanted
from cloud.foundation.command import AsJson, TenantOption, Workplace, print_one, print_rows, run
from cloud.foundation.moments import write_moment
from cloud.foundation.viewer import SecrecyLevel

apps = typer.Typer(help="Integration apps: OAuth clients, their scopes and secrets.", no_args_is_help=True)

AppArgument = Annotated[str, typer.Argument(help="The app's client id, app_….")]
ScopeOption = Annotated[
    list[str], typer.Option("--scope", help="A scope of the catalogue, or of the tenant. Repeatable.")
]
AllowServiceTokens = Annotated[
    bool, typer.Option("--allow-service-tokens", help="Allow service tokens (up to 90 days).")
]

ALL = "all"
"""Value of `--scope` for every scope except `argus:platform:admin`, which must always be named."""


def _service(place: Workplace) -> Apps:
    return Apps(place.database, place.clock, place.ids)


def _shown(app: App) -> dict[str, Any]:
    return {
        "client_id": app.client_id,
        "name": app.name,
        "tenant_id": app.tenant_id,
        "organization_id": app.organization_id,
        "grant_types": list(app.grant_types),
        "redirect_uris": list(app.redirect_uris),
        "requested_scopes": list(app.requested_scopes),
        "approved_scopes": list(app.approved_scopes),
        "governance": app.governance.document(),
        "secrecy_level": app.clearance.word,
        "confidential": app.confidential,
        "created_at": write_moment(app.created_at_us),
    }


def _row(app: App) -> dict[str, Any]:
    """Return an app's columns of the table."""
    return {
        "client_id": app.client_id,
        "name": app.name,
        "organization_id": app.organization_id,
        "grants": " ".join(app.grant_types),
        "scopes": " ".join(app.approved_scopes),
        "service tokens": "allowed" if app.governance.allow_service_tokens else "no",
    }


def _scopes(given: list[str]) -> set[str]:
    chosen = set(given)
    if ALL in chosen:
        chosen = chosen - {ALL} | {scope.name for scope in CATALOGUE if scope.name != PLATFORM_ADMIN}
    return chosen


def clearance_of(word: str) -> SecrecyLevel:
    """Return the secrecy level with this name. Raises BadParameter, which ends the command, if there is none."""
    for level in SecrecyLevel:
        if level.word == word:
            return level
    raise typer.BadParameter(f"{word!r} is not one of {', '.join(level.word for level in SecrecyLevel)}")


@apps.command("add")
def add_app(
    context: typer.Context,
    tenant: TenantOption,
    name: Annotated[str, typer.Option("--name", help="Display name.")],
    scope: ScopeOption,
    organization: Annotated[
        str | None,
        typer.Option("--organization", help="The organisation of the app, org_…. Default: the whole tenant."),
    ] = None,
    id: Annotated[str | None, typer.Option("--id", help="Client id. Default: a generated one.")] = None,
    grant: Annotated[list[str] | None, typer.Option("--grant", help=", ".join(GrantType) + ".")] = None,
    redirect_uri: Annotated[
        list[str] | None, typer.Option("--redirect-uri", help="A redirect URI. Repeatable.")
    ] = None,
    level: Annotated[str, typer.Option("--secrecy-level", help="Clearance of the app.")] = "standard",
    public: Annotated[
        bool, typer.Option("--public", help="A public client without a secret (a web page, a phone).")
    ] = False,
    allow_service_tokens: AllowServiceTokens = False,
    as_json: AsJson = False,
) -> None:
    """Register an app and print its secret. Its scopes are approved (`--scope all`: all but argus:platform:admin)."""
    wanted = Wanted(
        name=name,
        scopes=_scopes(scope),
        grant_types=tuple(grant or [GrantType.CLIENT_CREDENTIALS]),
        redirect_uris=tuple(redirect_uri or ()),
        organization_id=organization,
        client_id=id,
        governance=Governance(allow_service_tokens=allow_service_tokens),
        clearance=clearance_of(level),
        confidential=not public,
    )
    made = run(context, lambda place: _service(place).register(place.operator(tenant), wanted, by_operator=True))
    document = {**_shown(made.app), "client_secret": made.secret}
    sentence = f"App {made.app.client_id} added."
    if made.secret is not None:
        sentence += f" Its secret, which is shown only once: {made.secret}"
    print_one(sentence, document, as_json=as_json)


@apps.command("list")
def list_apps(context: typer.Context, tenant: TenantOption, as_json: AsJson = False) -> None:
    """List the apps of a tenant."""
    found = run(context, lambda place: _service(place).list(place.operator(tenant)))
    print_rows("Apps", (_shown(app) if as_json else _row(app) for app in found), as_json=as_json)


@apps.command("rotate-secret")
def rotate_secret(
    context: typer.Context,
    app: AppArgument,
    tenant: TenantOption,
    grace_hours: Annotated[
        int, typer.Option("--grace-hours", help="Hours for which the previous secret remains valid. 0 revokes it now.")
    ] = GRACE_HOURS,
    as_json: AsJson = False,
) -> None:
    """Create a new secret for an app and print it."""
    rotated = run(
        context, lambda place: _service(place).rotate_secret(place.operator(tenant), app, grace_hours=grace_hours)
    )
    ends = write_moment(rotated.previous_expires_at_us)
    previous = "The previous one is revoked." if ends is None else f"The previous one is valid until {ends}."
    document = {"client_id": app, "client_secret": rotated.secret, "previous_secret_expires_at": ends}
    sentence = f"The new secret of {app}, which is shown only once: {rotated.secret}\n{previous}"
    print_one(sentence, document, as_json=as_json)


@apps.command("approve")
def approve(
    context: typer.Context, app: AppArgument, tenant: TenantOption, scope: ScopeOption, as_json: AsJson = False
) -> None:
    """Set the approved scopes of an app. Its tokens lose the other scopes within a minute."""
    changed = run(
        context, lambda place: _service(place).approve(place.operator(tenant), app, _scopes(scope), by_operator=True)
    )
    print_one(f"Approved for {app}: {' '.join(changed.approved_scopes)}.", _shown(changed), as_json=as_json)


@apps.command("govern")
def govern(
    context: typer.Context,
    app: AppArgument,
    tenant: TenantOption,
    service_tokens: Annotated[
        bool, typer.Option("--service-tokens/--no-service-tokens", help="Allow service tokens, or revoke them.")
    ],
    as_json: AsJson = False,
) -> None:
    """Allow service tokens for an app, or revoke them."""
    patch = {"allow_service_tokens": service_tokens}
    changed, _ = run(context, lambda place: _service(place).govern(place.operator(tenant), app, patch))
    print_one(f"Governance of {app} changed.", _shown(changed), as_json=as_json)


@apps.command("remove")
def remove(context: typer.Context, app: AppArgument, tenant: TenantOption, as_json: AsJson = False) -> None:
    """Delete an app. Its tokens are revoked within a minute."""
    run(context, lambda place: _service(place).remove(place.operator(tenant), app))
    print_one(f"App {app} removed.", {"client_id": app, "removed": True}, as_json=as_json)


@apps.command("withhold")
def withhold(
    context: typer.Context,
    tenant: TenantOption,
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help="A scope to block. Repeatable. Default: none is blocked.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Block scopes for a tenant. Its apps lose them within a minute."""
    withheld, changed = run(context, lambda place: _service(place).withhold(place.operator(tenant), scope or ()))
    sentence = f"Blocked for {tenant}: {' '.join(withheld) or 'none'}. {len(changed)} apps lost scopes."
    print_one(sentence, {"tenant_id": tenant, "withheld": list(withheld)}, as_json=as_json)


@apps.command("entitle")
def entitle(
    context: typer.Context,
    tenant: TenantOption,
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="A scope outside of the catalogue. Repeatable. Default: none."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Set the scopes outside of the catalogue that apps of a tenant may have. Its apps lose the others in a minute."""
    entitled, changed = run(context, lambda place: _service(place).entitle(place.operator(tenant), scope or ()))
    sentence = f"{tenant} is entitled to: {' '.join(entitled) or 'none'}. {len(changed)} apps lost scopes."
    print_one(sentence, {"tenant_id": tenant, "entitled": list(entitled)}, as_json=as_json)
