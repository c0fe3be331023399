"""Handlers of scopes and apps. A secret or token is returned only once, when it is made (requirement S-026)."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from cloud.access.apps.callbacks import callback_secret
from cloud.access.apps.model import App, LiveSecret
from cloud.access.apps.schemas import AppQuery, AppWanted, GovernancePatch, RotationWanted, ServiceTokenWanted
from cloud.access.apps.scopes import CATALOGUE
from cloud.access.apps.service import Apps, Wanted
from cloud.access.audit import Audit
from cloud.foundation.http import Created, Json, Listing, Parts, Request, Response, strong_etag
from cloud.foundation.moments import write_moment
from cloud.foundation.supplies import Need
from cloud.foundation.viewer import Actor

ServiceTokens = Callable[[Actor, App, Sequence[str] | None, int | None], Awaitable[tuple[str, str, int]]]
"""Mints a service token of an app with the requested scopes and seconds; returns token, jti and expiry."""
SERVICE_TOKENS: Need[Callable[[Parts], ServiceTokens]] = Need("mint service tokens of apps, which tokens know")

PUBLIC_CLIENT = "none"
NEVER_KEPT = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class AppHandlers:
    """Handlers of the routes `/v1/platform/…` on the auth host: scopes, apps and service tokens."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._audit = Audit(parts.clock)
        self._apps = Apps(parts.database, parts.clock, parts.ids)
        self._service_tokens = parts.supplies[SERVICE_TOKENS](parts)

    async def scopes(self, request: Request) -> Response:
        """List the scopes that apps of the tenant can have."""
        withheld = await self._apps.withheld(request.viewer)
        offered = [one for one in CATALOGUE if one.name not in withheld]
        response = Json({"scopes": [{"name": one.name, "description": one.description} for one in offered]})
        response.etag = strong_etag(response.body)
        return response

    async def list(self, request: Request) -> Response:
        query, viewer = request.query, request.viewer
        assert isinstance(query, AppQuery)
        page = await Listing(cursors=self._parts.cursors, viewer=viewer, route=request.route.name).read_page(
            query.cursor,
            query.limit,
            lambda after, count: self._apps.page(viewer, after=after, count=count),
            lambda row: row[0].client_id,
        )
        return Json({"apps": [shown(app, live) for app, live in page.rows], "next_cursor": page.next_cursor})

    async def create(self, request: Request) -> Response:
        body = request.body
        assert isinstance(body, AppWanted)
        master = self._parts.master()  # first: an app whose secrets cannot be returned must not be registered
        wanted = Wanted(
            name=body.name,
            scopes=body.requested_scopes,
            grant_types=body.grant_types,
            redirect_uris=body.redirect_uris,
            organization_id=body.organization_id,
            confidential=body.token_endpoint_auth_method != PUBLIC_CLIENT,
        )
        made = await self._apps.register(request.actor, wanted, callback_kid=master.kid)
        app, live = await self._apps.inspect(request.viewer, made.app.client_id)
        document = {**shown(app, live), "callback_signing_secret": callback_secret(master, app)}
        if made.secret is not None:
            document["client_secret"] = made.secret
        location = f"{self._parts.bases[request.host]}{request.route.path}/{app.client_id}"
        return Created(document, location=location, headers=NEVER_KEPT)

    async def inspect(self, request: Request) -> Response:
        app, live = await self._apps.inspect(request.viewer, request.path["client_id"])
        return Json(shown(app, live), etag=etag_of(app, live))

    async def govern(self, request: Request) -> Response:
        patch = request.body
        assert isinstance(patch, GovernancePatch)
        app, live = await self._apps.govern(
            request.actor,
            request.path["client_id"],
            flags_of(patch),
            precondition=lambda app, live: request.require_match(etag_of(app, live)),
        )
        document = {"client_id": app.client_id, "governance": app.governance.document()}
        return Json(document, etag=etag_of(app, live))

    async def mint_service_token(self, request: Request) -> Response:
        wanted = request.body or ServiceTokenWanted()
        assert isinstance(wanted, ServiceTokenWanted)
        app, _ = await self._apps.inspect(request.viewer, request.path["client_id"])
        token, _, expires_at_us = await self._service_tokens(request.actor, app, wanted.scopes, wanted.ttl_seconds)
        return Json({"token": token, "expires_at": write_moment(expires_at_us)}, status=201, headers=NEVER_KEPT)

    async def rotate_secret(self, request: Request) -> Response:
        wanted = request.body or RotationWanted()
        assert isinstance(wanted, RotationWanted)
        master = self._parts.master()
        grace_hours = 0 if wanted.revoke_previous else wanted.grace_hours
        client_id = request.path["client_id"]
        rotated = await self._apps.rotate_secret(
            request.actor, client_id, grace_hours=grace_hours, callback_kid=master.kid
        )
        document = {
            "client_id": rotated.app.client_id,
            "client_secret": rotated.secret,
            "previous_secret_expires_at": write_moment(rotated.previous_expires_at_us),
            "callback_signing_secret": callback_secret(master, rotated.app),
        }
        return Json(document, headers=NEVER_KEPT)


def shown(app: App, live: Sequence[LiveSecret]) -> dict[str, Any]:
    """Return the JSON fields of an app that its administrators see. `live`: the app's working secrets."""
    return {
        "client_id": app.client_id,
        "name": app.name,
        "grant_types": list(app.grant_types),
        "redirect_uris": list(app.redirect_uris),
        "requested_scopes": list(app.requested_scopes),
        "approved_scopes": list(app.approved_scopes),
        "token_endpoint_auth_method": "client_secret_basic" if app.confidential else PUBLIC_CLIENT,
        "tenant_id": app.tenant_id,
        "organization_id": app.organization_id,
        "governance": app.governance.document(),
        "secrets": [
            {"created_at": write_moment(one.created_at_us), "expires_at": write_moment(one.expires_at_us)}
            for one in live
        ],
        "created_at": write_moment(app.created_at_us),
    }


def etag_of(app: App, live: Sequence[LiveSecret]) -> str:
    """Return the strong entity tag of an app's JSON representation. `live`: the app's working secrets."""
    return strong_etag(Json(shown(app, live)).body)


def flags_of(patch: GovernancePatch) -> dict[str, Any]:
    """Return a dict that maps the name of each governance flag in the patch to its value. The value None resets a flag
    to its default."""
    return {name: getattr(patch, name) for name in patch.model_fields_set}
