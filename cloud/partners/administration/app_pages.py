"""The pages of integration apps. A new secret or token is shown only in the response to the form that created it.

Each form contains the entity tag of the app as shown on the page. A form is refused if the app has changed since then,
so a second submission of the same form is refused too.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import ValidationError

from cloud.access.apps import (
    CATALOGUE,
    PLATFORM_ADMIN,
    App,
    Apps,
    GovernanceMalformed,
    GovernancePatch,
    GrantType,
    LiveSecret,
    Wanted,
    callback_secret,
    etag_of,
    flags_of,
)
from cloud.access.oauth import TokenSurface
from cloud.access.tenancy import Tenancy
from cloud.foundation.errors import DomainError
from cloud.foundation.http import PreconditionFailed, Response, mistakes_of, summary
from cloud.foundation.ids import IdentifierMalformed
from cloud.partners.administration.admin_pages import AdminPages, Area, Visit, done
from cloud.partners.administration.schemas import CHOSEN, AppForm, GovernanceForm, RotationForm, ServiceTokenForm, lines

GRACES_H = (1, 24, 72, 168)
LIVES_S = (3600, 86_400, 7 * 86_400, 30 * 86_400, 90 * 86_400)
_CLIENT_ID = re.compile(r"app_[0-9A-Z]{26}")


class AppPages:
    """List, show and change apps of the administrator's tenant and organisation."""

    def __init__(self, pages: AdminPages, tokens: TokenSurface) -> None:
        parts = pages.parts
        self._pages = pages
        self._parts = parts
        self._tokens = tokens
        self._apps = Apps(parts.database, parts.clock, parts.ids)
        self._tenancy = Tenancy(parts.database, parts.clock, parts.ids)

    async def list(self, visit: Visit) -> Response:
        rows, next_page = await self._pages.rows(
            visit,
            lambda after, count: self._apps.page(visit.actor, after=after, count=count),
            lambda row: row[0].client_id,
        )
        return self._pages.page(visit, "apps.html", apps=rows, onward=next_page)

    async def new(self, visit: Visit) -> Response:
        return await self._form(visit, AppForm(client_id=self._parts.ids.new("app")))

    async def create(self, visit: Visit) -> Response:
        form: AppForm = visit.request.body
        try:
            if _CLIENT_ID.fullmatch(form.client_id) is None:
                raise IdentifierMalformed
            master = self._parts.master()  # first: an app whose secrets cannot be shown must not be registered
            wanted = Wanted(
                name=form.name,
                scopes=form.chosen("scope"),
                grant_types=form.chosen("grant"),
                redirect_uris=lines(form.redirect_uris),
                organization_id=form.organization_id or None,
                client_id=form.client_id,
                confidential=not form.public,
            )
            made = await self._apps.register(visit.actor, wanted, callback_kid=master.kid)
        except DomainError as error:
            return await self._form(visit, form, error)
        shown = [("app.client_id", made.app.client_id), ("app.callback_secret", callback_secret(master, made.app))]
        if made.secret is not None:
            shown.insert(1, ("app.secret", made.secret))
        return self._show_secrets(visit, made.app, "told.created", shown)

    async def show(self, visit: Visit) -> Response:
        return await self._one(visit)

    async def approve(self, visit: Visit) -> Response:
        try:
            scopes = visit.request.body.chosen("scope")
            await self._apps.approve(visit.actor, _client_id(visit), scopes, precondition=_as_shown(visit))
        except DomainError as error:
            return await self._one(visit, error)
        return done(_path(visit), "approved")

    async def govern(self, visit: Visit) -> Response:
        form: GovernanceForm = visit.request.body
        try:
            app, _ = await self._apps.inspect(visit.actor, _client_id(visit))
            before = app.governance.document()
            patch = {name: value for name, value in _patch(form).items() if value != before[name]}
            await self._apps.govern(visit.actor, app.client_id, patch, precondition=_as_shown(visit))
        except GovernanceMalformed as error:
            return await self._one(visit, error, form)
        except DomainError as error:
            return await self._one(visit, error)
        return done(_path(visit), "governed")

    async def rotate(self, visit: Visit) -> Response:
        form: RotationForm = visit.request.body
        try:
            master = self._parts.master()
            rotated = await self._apps.rotate_secret(
                visit.actor,
                _client_id(visit),
                grace_hours=form.grace_hours,
                precondition=_as_shown(visit),
                callback_kid=master.kid,
            )
        except DomainError as error:
            return await self._one(visit, error)
        shown = [("app.secret", rotated.secret), ("app.callback_secret", callback_secret(master, rotated.app))]
        return self._show_secrets(visit, rotated.app, "told.rotated", shown, until_us=rotated.previous_expires_at_us)

    async def mint(self, visit: Visit) -> Response:
        form: ServiceTokenForm = visit.request.body
        try:
            app, live = await self._apps.inspect(visit.actor, _client_id(visit))
            _as_shown(visit)(app, live)
            token, jti, expires_us = await self._tokens.service_token(
                visit.actor, app, form.chosen("scope"), form.ttl_seconds
            )
        except DomainError as error:
            return await self._one(visit, error)
        return self._show_secrets(
            visit, app, "told.token", [("app.token.itself", token), ("app.jti", jti)], until_us=expires_us
        )

    async def confirm(self, visit: Visit) -> Response:
        """Show the page on which the deletion of an app is confirmed."""
        app, live = await self._apps.inspect(visit.actor, _client_id(visit))
        return self._pages.page(visit, "app_delete.html", app=app, version=etag_of(app, live))

    async def delete(self, visit: Visit) -> Response:
        await self._apps.remove(visit.actor, _client_id(visit), precondition=_as_shown(visit))
        return done(Area.APPS.path, "app_deleted")

    async def _one(
        self, visit: Visit, error: DomainError | None = None, typed: GovernanceForm | None = None
    ) -> Response:
        """Render the page of an app. `typed`: governance rules rejected with `error`, to be shown for correction."""
        app, live = await self._apps.inspect(visit.actor, _client_id(visit))
        withheld = await self._apps.withheld(visit.actor)
        choosable = [
            one
            for one in CATALOGUE
            if one.name in app.approved_scopes or (one.name not in withheld and one.name != PLATFORM_ADMIN)
        ]
        return self._pages.page(
            visit,
            "app.html",
            error=error,
            app=app,
            live=live,
            rules=_rules_of(app) if typed is None else typed,
            allowed=app.usable_scopes if typed is None else typed.chosen("allowed"),
            organization=await self._organization(visit, app),
            version=etag_of(app, live),
            choosable=choosable,
            graces_h=GRACES_H,
            lives_s=[one for one in LIVES_S if one <= (app.governance.max_token_ttl_seconds or LIVES_S[-1])],
        )

    async def _organization(self, visit: Visit, app: App) -> str | None:
        names = {one.id: one.name for one in await self._tenancy.list_organizations(visit.actor)}
        return None if app.organization_id is None else names.get(app.organization_id, app.organization_id)

    async def _form(self, visit: Visit, form: AppForm, error: DomainError | None = None) -> Response:
        withheld = await self._apps.withheld(visit.actor)
        return self._pages.page(
            visit,
            "app_new.html",
            error=error,
            form=form,
            scopes=form.chosen("scope"),
            grants=form.chosen("grant") if error else [GrantType.CLIENT_CREDENTIALS],
            choosable=[one for one in CATALOGUE if one.name not in withheld and one.name != PLATFORM_ADMIN],
            grant_types=list(GrantType),
            organizations=await self._tenancy.list_organizations(visit.actor),
            whole_tenant=visit.actor.organization_id is None,
        )

    def _show_secrets(
        self, visit: Visit, app: App, key: str, shown: Sequence[tuple[str, str]], *, until_us: int | None = None
    ) -> Response:
        """Render the page that shows new secrets or a new token; no other page shows them. `shown`: pairs of a label
        and a secret. `key` selects the page's text. `until_us`: the time at which the previous secret or the new token
        expires; None: nothing expires."""
        return self._pages.page(
            visit,
            "told.html",
            scripted=True,
            key=key,
            told=shown,
            name=app.name,
            back=_path_of(app.client_id),
            until_us=until_us,
        )


def _client_id(visit: Visit) -> str:
    return visit.request.path["client_id"]


def _path_of(client_id: str) -> str:
    return f"{Area.APPS.path}/{client_id}"


def _path(visit: Visit) -> str:
    return _path_of(_client_id(visit))


def _as_shown(visit: Visit) -> Callable[[App, Sequence[LiveSecret]], None]:
    """Return a precondition that raises `PreconditionFailed` when the app has changed since its page was shown."""
    version = visit.request.body.version

    def check(app: App, live: Sequence[LiveSecret]) -> None:
        if etag_of(app, live) != version:
            raise PreconditionFailed

    return check


def _rules_of(app: App) -> GovernanceForm:
    rules = app.governance
    return GovernanceForm(
        allow_service_tokens=CHOSEN if rules.allow_service_tokens else "",
        enforce_pkce=CHOSEN if rules.enforce_pkce else "",
        allowed_redirect_hosts="\n".join(rules.allowed_redirect_hosts or ()),
        allowed_webhook_hosts="\n".join(rules.allowed_webhook_hosts or ()),
        max_token_ttl_seconds="" if rules.max_token_ttl_seconds is None else str(rules.max_token_ttl_seconds),
        limit_scopes="" if rules.allowed_scopes is None else CHOSEN,
    )


def _patch(form: GovernanceForm) -> dict[str, Any]:
    """Return the governance rules of a form as a patch that sets every rule. Raises `GovernanceMalformed`."""
    life = form.max_token_ttl_seconds.strip()
    if life and not life.isdecimal():
        raise GovernanceMalformed("(max_token_ttl_seconds is a whole number of seconds.)")
    try:
        patch = GovernancePatch(
            allow_service_tokens=bool(form.allow_service_tokens),
            enforce_pkce=bool(form.enforce_pkce),
            allowed_redirect_hosts=lines(form.allowed_redirect_hosts) or None,
            allowed_webhook_hosts=lines(form.allowed_webhook_hosts) or None,
            allowed_scopes=form.chosen("allowed") if form.limit_scopes else None,
            max_token_ttl_seconds=int(life) if life else None,
        )
    except ValidationError as error:
        raise GovernanceMalformed(summary(error, mistakes_of(error, GovernancePatch))) from None
    flags = flags_of(patch)
    return {name: tuple(value) if isinstance(value, list) else value for name, value in flags.items()}
