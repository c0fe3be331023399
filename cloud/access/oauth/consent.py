"""Operations of the authorization endpoint: decide whether the user must consent, and issue the code for an app.

An app acts only for users of its own tenant, with the rights that both the app and the user have. Consents are stored
for each app; a request for further scopes needs consent again.
"""

import secrets
from dataclasses import dataclass

import structlog

from cloud.access.apps import App, Apps, ScopeUnknown
from cloud.access.audit import Audit, Outcome
from cloud.access.identity import Session, actor_of
from cloud.access.oauth.authorization import (
    AuthorizationRequest,
    NoRedirect,
    Pairs,
    Redirected,
    Target,
    client_of,
    read_request,
    target_of,
)
from cloud.access.oauth.store import Code, CodeStore, ConsentStore
from cloud.access.tenancy import TenancyStore
from cloud.access.tokens import Mint
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.http import NEVER_AN_ID, QueryMalformed, read_all_pairs
from cloud.foundation.ids import SHAPE
from cloud.foundation.trace import TraceContext
from cloud.foundation.viewer import Viewer

AUTHORIZE = "/v1/oauth/authorize"
CODE_US = 60 * 1_000_000
"""Lifetime of a code (A-036)."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Question:
    """The content of the consent page. `organization`: the name of the app's organisation. If the app has no
    organisation, the name of the user's organisation; if the user has none either, the name of the tenant."""

    scopes: tuple[str, ...]
    organization: str


class Authorization:
    """Operations of the authorization endpoint."""

    def __init__(self, database: Database, clock: Clock, apps: Apps, mint: Mint, audit: Audit) -> None:
        self._database = database
        self._clock = clock
        self._apps = apps
        self._mint = mint
        self._audit = audit
        self._codes = CodeStore()
        self._consents = ConsentStore()
        self._tenancy = TenancyStore()

    async def leads_to(self, address: str) -> tuple[str, ...]:
        """Return the addresses to which the path `address` of the auth host may redirect: the app's redirect URI for an
        authorization request, none for every other path."""
        path, _, query = address.partition("?")
        if path != AUTHORIZE:
            return ()
        try:
            return ((await self.target(read_all_pairs(query))).redirect_uri,)
        except (NoRedirect, QueryMalformed):
            return ()

    async def target(self, pairs: Pairs) -> Target:
        """Return the app and redirect URI for the response to an authorization request. Raises `NoRedirect`."""
        client_id = client_of(pairs)
        app = await self._apps.find(client_id if SHAPE.fullmatch(client_id) else NEVER_AN_ID)
        return target_of(pairs, app)

    def check(self, pairs: Pairs, target: Target) -> None:
        """Check that the request can be granted at all, before the user has to sign in. Raises `Redirected`."""
        read_request(pairs, target)

    async def question(self, session: Session, pairs: Pairs, target: Target) -> Question | None:
        """Return the content of the consent page, or None if the user has consented to all requested scopes before. For
        a public client on the loopback, the user must consent each time (RFC 8252 §8.6). Otherwise any program on the
        user's device could get a code in the app's name without the user's knowledge. Raises `Redirected`."""
        wanted = read_request(pairs, target)
        scopes = self._grantable(session, target.app, wanted)
        user = session.user
        async with self._database.read() as tx:
            given = await self._consents.given(tx, user.id, target.app.client_id)
            if given.issuperset(scopes) and not target.could_be_anybody:
                return None
            viewer = Viewer(user.tenant_id, user.organization_id, user.clearance)
            organization_id = target.app.organization_id or user.organization_id
            organization = None
            if organization_id is not None:
                organization = await self._tenancy.find_organization(tx, viewer, organization_id)
            tenant = await self._tenancy.find_tenant(tx, user.tenant_id)
        name = user.tenant_id if tenant is None else tenant.name
        return Question(scopes, name if organization is None else organization.name)

    async def allow(self, session: Session, pairs: Pairs, target: Target, trace: TraceContext, *, asked: bool) -> str:
        """Issue and return an authorization code. `asked`: the user has just consented, so the consent is stored;
        otherwise the user consented earlier. Raises `Redirected`."""
        wanted = read_request(pairs, target)
        scopes = self._grantable(session, target.app, wanted)
        code, now_us, user, app = secrets.token_urlsafe(32), self._clock.now_us(), session.user, target.app
        stands_for = Code(
            client_id=app.client_id,
            user_id=user.id,
            redirect_uri=target.sent,
            scopes=" ".join(scopes),
            code_challenge=wanted.challenge,
            authenticated_at_us=session.authenticated_at_us,
            expires_at_us=now_us + CODE_US,
        )
        async with self._database.transaction() as tx:
            if asked:
                await self._consents.give(tx, user.id, app.client_id, frozenset(scopes), now_us)
                granted = {"scope": " ".join(scopes)}
                await self._audit.record(tx, actor_of(user, trace), "app.consent", app.client_id, metadata=granted)
            await self._codes.add(tx, code, stands_for)
        log.info("code.issued", client=app.client_id, tenant=app.tenant_id, user=user.id)
        return code

    async def deny(self, session: Session, target: Target, trace: TraceContext) -> None:
        """Write the audit entry of a refused consent. The caller notifies the app."""
        async with self._database.transaction() as tx:
            actor = actor_of(session.user, trace)
            await self._audit.record(tx, actor, "app.consent", target.app.client_id, Outcome.REFUSED)

    def _grantable(self, session: Session, app: App, wanted: AuthorizationRequest) -> tuple[str, ...]:
        user = session.user
        if user.tenant_id != app.tenant_id:
            raise Redirected("access_denied", "The signed-in person does not belong to the tenant of this app.")
        try:
            return self._mint.grantable(app, user, wanted.scopes)
        except ScopeUnknown:
            raise Redirected("access_denied", "The signed-in person may not grant all of these scopes.") from None
