"""The pages about integration apps. Secrets and tokens are on the page that answers the form that makes them, once.

Each form carries the tag of the app as it was shown; a change of something that has changed meanwhile is refused within
its transaction, also a change that the same form has made already.
"""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from cloud.access.apps import (
    CATALOGUE,
    PLATFORM_ADMIN,
    App,
    Apps,
    Governance,
    GovernanceMalformed,
    GovernancePatch,
    GrantType,
    LiveSecret,
    Wanted,
    Witness,
    callback_secret,
    etag_of,
    merged,
)
from cloud.access.oauth import TokenSurface
from cloud.access.tenancy import Tenancy
from cloud.foundation.db import Transaction
from cloud.foundation.errors import DomainError
from cloud.foundation.http import Answer, PreconditionFailed, mistakes_of, summary
from cloud.foundation.ids import IdentifierMalformed
from cloud.partners.administration.desk import Area, Desk, Visit, done
from cloud.partners.administration.schemas import CHOSEN, AppForm, GovernanceForm, RotationForm, ServiceTokenForm, lines

GRACES_H = (1, 24, 72, 168)
LIVES_S = (3600, 86_400, 7 * 86_400, 30 * 86_400, 90 * 86_400)
_CLIENT_ID = re.compile(r"app_[0-9A-Z]{26}")


class AppPages:
    """Lists, shows and changes apps of the administrator's tenant and organisation."""

    def __init__(self, desk: Desk, tokens: TokenSurface) -> None:
        parts = desk.parts
        self._desk = desk
        self._parts = parts
        self._tokens = tokens
        self._apps = Apps(parts.database, parts.clock, parts.ids)
        self._tenancy = Tenancy(parts.database, parts.clock, parts.ids)

    async def list(self, visit: Visit) -> Answer:
        """`GET /admin/apps`."""
        rows, onward = await self._desk.rows(
            visit,
            lambda after, count: self._apps.page(visit.viewer, after=after, count=count),
            lambda row: row[0].client_id,
        )
        return self._desk.page(visit, "apps.html", apps=rows, onward=onward)

    async def new(self, visit: Visit) -> Answer:
        """`GET /admin/apps/new`."""
        return await self._form(visit, AppForm(client_id=self._parts.ids.new("app")))

    async def create(self, visit: Visit) -> Answer:
        """`POST /admin/apps`."""
        form: AppForm = visit.request.body
        try:
            if _CLIENT_ID.fullmatch(form.client_id) is None:
                raise IdentifierMalformed
            master = self._parts.master()  # before anything is made: what cannot be told must not exist
            wanted = Wanted(
                name=form.name,
                scopes=form.chosen("scope"),
                grant_types=form.chosen("grant"),
                redirect_uris=lines(form.redirect_uris),
                organization_id=form.organization_id or None,
                client_id=form.client_id,
                confidential=not form.public,
            )
            made = await self._apps.register(visit.viewer, wanted, witness=self._witness(visit, "app.create"))
        except DomainError as error:
            return await self._form(visit, form, error)
        told = [("app.client_id", made.app.client_id), ("app.callback_secret", callback_secret(master, made.app))]
        if made.secret is not None:
            told.insert(1, ("app.secret", made.secret))
        return self._told(visit, made.app, "told.created", told)

    async def show(self, visit: Visit) -> Answer:
        """`GET /admin/apps/{client_id}`."""
        return await self._one(visit)

    async def approve(self, visit: Visit) -> Answer:
        """`POST /admin/apps/{client_id}/scopes`."""
        try:
            await self._apps.approve(
                visit.viewer,
                _client_id(visit),
                visit.request.body.chosen("scope"),
                expected=_as_shown(visit),
                witness=self._witness(visit, "app.approve"),
            )
        except DomainError as error:
            return await self._one(visit, error)
        return done(_path(visit), "approved")

    async def govern(self, visit: Visit) -> Answer:
        """`POST /admin/apps/{client_id}/governance`."""
        form: GovernanceForm = visit.request.body
        expected = _as_shown(visit)

        def governed(app: App, live: Sequence[LiveSecret]) -> Governance:
            expected(app, live)
            return merged(app.governance, _patch(form))

        try:
            witness = self._witness(visit, "app.govern")
            await self._apps.govern(visit.viewer, _client_id(visit), governed, witness=witness)
        except GovernanceMalformed as error:
            return await self._one(visit, error, form)
        except DomainError as error:
            return await self._one(visit, error)
        return done(_path(visit), "governed")

    async def rotate(self, visit: Visit) -> Answer:
        """`POST /admin/apps/{client_id}/secret`."""
        form: RotationForm = visit.request.body
        try:
            master = self._parts.master()
            rotated = await self._apps.rotate_secret(
                visit.viewer,
                _client_id(visit),
                grace_hours=form.grace_hours,
                expected=_as_shown(visit),
                witness=self._witness(visit, "app.rotate_secret", grace_hours=form.grace_hours),
            )
        except DomainError as error:
            return await self._one(visit, error)
        told = [("app.secret", rotated.secret), ("app.callback_secret", callback_secret(master, rotated.app))]
        return self._told(visit, rotated.app, "told.rotated", told, until_us=rotated.previous_expires_at_us)

    async def mint(self, visit: Visit) -> Answer:
        """`POST /admin/apps/{client_id}/service-token`."""
        form: ServiceTokenForm = visit.request.body
        try:
            app, live = await self._apps.inspect(visit.viewer, _client_id(visit))
            _as_shown(visit)(app, live)

            async def witness(tx: Transaction, jti: str) -> None:
                await self._witness(visit, "app.service_token", jti=jti)(tx, app)

            token, jti, expires_us = await self._tokens.service_token(
                app, form.chosen("scope"), form.ttl_seconds, witness
            )
        except DomainError as error:
            return await self._one(visit, error)
        return self._told(
            visit, app, "told.token", [("app.token.itself", token), ("app.jti", jti)], until_us=expires_us
        )

    async def confirm(self, visit: Visit) -> Answer:
        """`GET /admin/apps/{client_id}/delete`."""
        app, live = await self._apps.inspect(visit.viewer, _client_id(visit))
        return self._desk.page(visit, "app_delete.html", app=app, version=etag_of(app, live))

    async def delete(self, visit: Visit) -> Answer:
        """`POST /admin/apps/{client_id}/delete`."""
        witness = self._witness(visit, "app.remove")
        await self._apps.remove(visit.viewer, _client_id(visit), expected=_as_shown(visit), witness=witness)
        return done(Area.APPS.path, "app_deleted")

    async def _one(self, visit: Visit, error: DomainError | None = None, typed: GovernanceForm | None = None) -> Answer:
        """`typed`: rules that have a mistake, to be mended where they stand."""
        app, live = await self._apps.inspect(visit.viewer, _client_id(visit))
        withheld = await self._apps.withheld(visit.viewer)
        choosable = [
            one
            for one in CATALOGUE
            if one.name in app.approved_scopes or (one.name not in withheld and one.name != PLATFORM_ADMIN)
        ]
        return self._desk.page(
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
        names = {one.id: one.name for one in await self._tenancy.list_organizations(visit.viewer)}
        return None if app.organization_id is None else names.get(app.organization_id, app.organization_id)

    async def _form(self, visit: Visit, form: AppForm, error: DomainError | None = None) -> Answer:
        withheld = await self._apps.withheld(visit.viewer)
        return self._desk.page(
            visit,
            "app_new.html",
            error=error,
            form=form,
            scopes=form.chosen("scope"),
            grants=form.chosen("grant") if error else [GrantType.CLIENT_CREDENTIALS],
            choosable=[one for one in CATALOGUE if one.name not in withheld and one.name != PLATFORM_ADMIN],
            grant_types=list(GrantType),
            organizations=await self._tenancy.list_organizations(visit.viewer),
            whole_tenant=visit.viewer.organization_id is None,
        )

    def _told(
        self, visit: Visit, app: App, key: str, told: Sequence[tuple[str, str]], *, until_us: int | None = None
    ) -> Answer:
        """What is shown this once."""
        return self._desk.page(
            visit, "told.html", key=key, told=told, name=app.name, back=_path_of(app.client_id), until_us=until_us
        )

    def _witness(self, visit: Visit, action: str, **metadata: Any) -> Witness:
        return self._desk.witness(visit, action, lambda app: app.client_id, **metadata)


def _client_id(visit: Visit) -> str:
    return visit.request.path["client_id"]


def _path_of(client_id: str) -> str:
    return f"{Area.APPS.path}/{client_id}"


def _path(visit: Visit) -> str:
    return _path_of(_client_id(visit))


class _as_shown:  # noqa: N801  read as words: expected=_as_shown(visit)
    """Refuses an app that is not the one that the form's page showed. Raises `PreconditionFailed`."""

    def __init__(self, visit: Visit) -> None:
        self._version = visit.request.body.version

    def __call__(self, app: App, live: Sequence[LiveSecret]) -> None:
        if etag_of(app, live) != self._version:
            raise PreconditionFailed


def _rules_of(app: App) -> GovernanceForm:
    """The rules as the form would send them."""
    rules = app.governance
    return GovernanceForm(
        allow_service_tokens=CHOSEN if rules.allow_service_tokens else "",
        enforce_pkce=CHOSEN if rules.enforce_pkce else "",
        allowed_redirect_hosts="\n".join(rules.allowed_redirect_hosts or ()),
        allowed_webhook_hosts="\n".join(rules.allowed_webhook_hosts or ()),
        max_token_ttl_seconds="" if rules.max_token_ttl_seconds is None else str(rules.max_token_ttl_seconds),
        limit_scopes="" if rules.allowed_scopes is None else CHOSEN,
    )


def _patch(form: GovernanceForm) -> GovernancePatch:
    """Every flag, as the form has it. Raises `GovernanceMalformed`."""
    life = form.max_token_ttl_seconds.strip()
    if life and not life.isdecimal():
        raise GovernanceMalformed("(max_token_ttl_seconds is a whole number of seconds.)")
    try:
        return GovernancePatch(
            allow_service_tokens=bool(form.allow_service_tokens),
            enforce_pkce=bool(form.enforce_pkce),
            allowed_redirect_hosts=lines(form.allowed_redirect_hosts) or None,
            allowed_webhook_hosts=lines(form.allowed_webhook_hosts) or None,
            allowed_scopes=form.chosen("allowed") if form.limit_scopes else None,
            max_token_ttl_seconds=int(life) if life else None,
        )
    except ValidationError as error:
        raise GovernanceMalformed(summary(error, mistakes_of(error, GovernancePatch))) from None
