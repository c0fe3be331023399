"""Requests about scopes and apps. Secrets and tokens are in the answer that makes them and in no other (S-026)."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from cloud.access.apps.callbacks import callback_secret
from cloud.access.apps.errors import GovernanceMalformed
from cloud.access.apps.model import App, Governance, LiveSecret
from cloud.access.apps.schemas import AppQuery, AppWanted, GovernancePatch, RotationWanted, ServiceTokenWanted
from cloud.access.apps.scopes import CATALOGUE, in_order
from cloud.access.apps.service import Apps, Wanted, Witness
from cloud.access.audit import Audit
from cloud.foundation.db import Transaction
from cloud.foundation.http import Answer, Created, Json, Listing, Parts, Request, strong_etag
from cloud.foundation.moments import write_moment
from cloud.foundation.supplies import Need

TokenWitness = Callable[[Transaction, str], Awaitable[None]]
"""Told of the jti, in the transaction that is durable before the token is told."""
ServiceTokens = Callable[[App, Sequence[str] | None, int | None, TokenWitness], Awaitable[tuple[str, str, int]]]
"""Mints: from the app, the scopes and the seconds that were asked for, to the token, its jti and when it expires."""
SERVICE_TOKENS: Need[Callable[[Parts], ServiceTokens]] = Need("mint service tokens of apps, which tokens know")

PUBLIC_CLIENT = "none"
NEVER_KEPT = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class AppHandlers:
    """The platform's routes on the auth host."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._audit = Audit(parts.clock)
        self._apps = Apps(parts.database, parts.clock, parts.ids)
        self._service_tokens = parts.supplies[SERVICE_TOKENS](parts)

    async def scopes(self, request: Request) -> Answer:
        """`GET /v1/platform/scopes`."""
        withheld = await self._apps.withheld(request.viewer)
        offered = [one for one in CATALOGUE if one.name not in withheld]
        answer = Json({"scopes": [{"name": one.name, "description": one.description} for one in offered]})
        answer.etag = strong_etag(answer.body)
        return answer

    async def list(self, request: Request) -> Answer:
        """`GET /v1/platform/apps`."""
        query, viewer = request.query, request.viewer
        assert isinstance(query, AppQuery)
        page = await Listing(cursors=self._parts.cursors, viewer=viewer, route=request.route.name).read_page(
            query.cursor,
            query.limit,
            lambda after, count: self._apps.page(viewer, after=after, count=count),
            lambda row: row[0].client_id,
        )
        return Json({"apps": [shown(app, live) for app, live in page.rows], "next_cursor": page.next_cursor})

    async def create(self, request: Request) -> Answer:
        """`POST /v1/platform/apps`."""
        body = request.body
        assert isinstance(body, AppWanted)
        master = self._parts.master()  # before anything is made: what cannot be told must not exist
        wanted = Wanted(
            name=body.name,
            scopes=body.requested_scopes,
            grant_types=body.grant_types,
            redirect_uris=body.redirect_uris,
            organization_id=body.organization_id,
            confidential=body.token_endpoint_auth_method != PUBLIC_CLIENT,
        )
        made = await self._apps.register(request.viewer, wanted, witness=self._witness(request, "app.create"))
        app, live = await self._apps.inspect(request.viewer, made.app.client_id)
        document = {**shown(app, live), "callback_signing_secret": callback_secret(master, app)}
        if made.secret is not None:
            document["client_secret"] = made.secret
        location = f"{self._parts.bases[request.host]}{request.route.path}/{app.client_id}"
        return Created(document, location=location, headers=NEVER_KEPT)

    async def inspect(self, request: Request) -> Answer:
        """`GET /v1/platform/apps/{client_id}`."""
        app, live = await self._apps.inspect(request.viewer, request.path["client_id"])
        return Json(shown(app, live), etag=etag_of(app, live))

    async def govern(self, request: Request) -> Answer:
        """`PATCH /v1/platform/apps/{client_id}/governance`."""
        patch = request.body
        assert isinstance(patch, GovernancePatch)

        def governed(app: App, live: Sequence[LiveSecret]) -> Governance:
            request.require_match(etag_of(app, live))
            return merged(app.governance, patch)

        witness = self._witness(request, "app.govern", changed=sorted(patch.model_fields_set))
        app, live = await self._apps.govern(request.viewer, request.path["client_id"], governed, witness=witness)
        document = {"client_id": app.client_id, "governance": app.governance.document()}
        return Json(document, etag=etag_of(app, live))

    async def mint_service_token(self, request: Request) -> Answer:
        """`POST /v1/platform/apps/{client_id}/service-token`."""
        wanted = request.body or ServiceTokenWanted()
        assert isinstance(wanted, ServiceTokenWanted)
        app, _ = await self._apps.inspect(request.viewer, request.path["client_id"])

        async def witness(tx: Transaction, jti: str) -> None:
            await self._witness(request, "app.service_token", jti=jti)(tx, app)

        token, _, expires_at_us = await self._service_tokens(app, wanted.scopes, wanted.ttl_seconds, witness)
        return Json({"token": token, "expires_at": write_moment(expires_at_us)}, status=201, headers=NEVER_KEPT)

    async def rotate_secret(self, request: Request) -> Answer:
        """`POST /v1/platform/apps/{client_id}/rotate-secret`."""
        wanted = request.body or RotationWanted()
        assert isinstance(wanted, RotationWanted)
        master = self._parts.master()
        grace_hours = 0 if wanted.revoke_previous else wanted.grace_hours
        rotated = await self._apps.rotate_secret(
            request.viewer,
            request.path["client_id"],
            grace_hours=grace_hours,
            witness=self._witness(request, "app.rotate_secret", grace_hours=grace_hours),
        )
        document = {
            "client_id": rotated.app.client_id,
            "client_secret": rotated.secret,
            "previous_secret_expires_at": write_moment(rotated.previous_expires_at_us),
            "callback_signing_secret": callback_secret(master, rotated.app),
        }
        return Json(document, headers=NEVER_KEPT)

    def _witness(self, request: Request, action: str, **metadata: Any) -> Witness:
        async def witness(tx: Transaction, app: App) -> None:
            await self._audit.record(
                tx, request.verified, action, app.client_id, trace=request.trace, metadata=metadata
            )

        return witness


def shown(app: App, live: Sequence[LiveSecret]) -> dict[str, Any]:
    """An app as whoever administers it sees it."""
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
    """The tag of what `inspect` answers."""
    return strong_etag(Json(shown(app, live)).body)


def merged(before: Governance, patch: GovernancePatch) -> Governance:
    """JSON merge (RFC 7396). Raises `ScopeUnknown`, `GovernanceMalformed`."""
    document = before.document()
    for name in patch.model_fields_set:
        value = getattr(patch, name)
        document[name] = getattr(Governance(), name) if value is None else value
    if document["allowed_scopes"] is not None:
        document["allowed_scopes"] = in_order(document["allowed_scopes"], field="allowed_scopes")
    for name in ("allowed_redirect_hosts", "allowed_webhook_hosts"):
        if document[name] is not None and len(set(document[name])) != len(document[name]):
            raise GovernanceMalformed(f"({name} names a host twice.)")
    return Governance.of(document)
