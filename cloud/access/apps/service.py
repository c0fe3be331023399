"""Register, authenticate, change and delete apps. Each change writes its audit entry in the same transaction. A
deletion, or a change of scopes or governance flags, can end tokens early, so it also writes an entry in the change log.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cloud.access.apps.errors import (
    AppPublic,
    AppUnknown,
    ClearanceExceeded,
    GovernanceMalformed,
    GraceTooLong,
    GrantTypeUnknown,
)
from cloud.access.apps.model import App, Governance, GrantType, LiveSecret
from cloud.access.apps.redirects import checked_redirects
from cloud.access.apps.scopes import (
    ENTITLED,
    NAMES,
    PLATFORM_ADMIN,
    ScopeUnknown,
    check_allowed,
    in_order,
    withheld_with,
)
from cloud.access.apps.secrets import digest_of, matches, new_secret
from cloud.access.apps.store import AppStore
from cloud.access.audit import Audit
from cloud.access.standing import ChangeKind, ChangeLog
from cloud.access.tenancy import IdentifierTaken, OrganizationUnknown, TenancyStore, TenantUnknown, checked_name
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.errors import Mistake
from cloud.foundation.ids import Ids, checked_id
from cloud.foundation.suggestions import closest, mention
from cloud.foundation.viewer import Actor, SecrecyLevel, Viewer

HOUR_US = 3_600_000_000
GRACE_HOURS = 24
GRACE_HOURS_MAX = 168


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The requested registration of an app. `client_id` None: generate a client id. `organization_id` None: the app
    belongs to the actor's organisation."""

    name: str
    scopes: Collection[str]
    grant_types: Sequence[str] = (GrantType.CLIENT_CREDENTIALS,)
    redirect_uris: Sequence[str] = ()
    organization_id: str | None = None
    client_id: str | None = None
    governance: Governance = field(default_factory=Governance)
    clearance: SecrecyLevel = SecrecyLevel.STANDARD
    confidential: bool = True


@dataclass(frozen=True, slots=True)
class Registered:
    """A new app and its client secret, which no later call returns. `secret` None: a public client has no secret."""

    app: App
    secret: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Rotated:
    """An app and its new secret. `previous_expires_at_us` None: the previous secret stopped working at once."""

    app: App
    secret: str = field(repr=False)
    previous_expires_at_us: int | None


Precondition = Callable[[App, Sequence[LiveSecret]], None]
"""Examines the locked app and its working secrets before a change; raises when the client saw another version."""


class Apps:
    """Operations on apps. Several operations call the function `precondition` with the app before they change the app.
    The function raises an error to refuse the change."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._store = AppStore()
        self._changes = ChangeLog()
        self._audit = Audit(clock)
        self._tenancy = TenancyStore()

    async def register(
        self, actor: Actor, wanted: Wanted, *, by_operator: bool = False, callback_kid: str | None = None
    ) -> Registered:
        """Add an app and approve the scopes that it requests; only an operator may approve `argus:platform:admin`
        (contract A-022) and entitled scopes. An actor who is bound to one organisation registers apps of that
        organisation. The call-back secret derives from the master key `callback_kid` (None: the first one).

        Raises `ScopeUnknown`, `ClearanceExceeded` (above the actor's clearance), `GrantTypeUnknown`,
        `RedirectUriRefused`, `TenantUnknown`, `OrganizationUnknown`, `IdentifierTaken`, and the errors for a malformed
        id or name.
        """
        scopes = in_order(wanted.scopes, field="requested_scopes", entitled=ENTITLED if by_operator else ())
        if not scopes:
            raise ScopeUnknown("An app needs at least one scope.")
        if PLATFORM_ADMIN in scopes and not by_operator:
            raise ScopeUnknown(f"Only an operator grants {PLATFORM_ADMIN}.")
        if wanted.clearance > actor.clearance:
            raise ClearanceExceeded
        now_us = self._clock.now_us()
        grants = _grant_types(wanted.grant_types)
        app = App(
            client_id=self._ids.new("app") if wanted.client_id is None else checked_id(wanted.client_id),
            tenant_id=actor.tenant_id,
            organization_id=wanted.organization_id or actor.organization_id,
            name=checked_name(wanted.name),
            grant_types=grants,
            redirect_uris=checked_redirects(wanted.redirect_uris, grants, confidential=wanted.confidential),
            requested_scopes=scopes,
            approved_scopes=scopes,
            governance=wanted.governance,
            clearance=wanted.clearance,
            callback_kid=callback_kid,
            confidential=wanted.confidential,
            created_at_us=now_us,
        )
        secret = new_secret() if app.confidential else None
        async with self._database.transaction() as tx:
            if not await self._tenancy.lock_tenant(tx, actor.tenant_id):
                raise TenantUnknown
            organization = app.organization_id
            if organization is not None and await self._tenancy.find_organization(tx, actor, organization) is None:
                raise OrganizationUnknown
            await self._check_available(tx, actor, scopes)
            if not await self._store.add(tx, app):
                raise IdentifierTaken(f"(app {app.client_id})")
            if secret is not None:
                await self._store.add_secret(tx, app.client_id, self._kept(app.client_id, secret, now_us))
            # A verifier may have looked for this app before it existed.
            await self._changes.record(tx, ChangeKind.APP, app.client_id, now_us)
            await self._audit.record(tx, actor, "app.create", app.client_id)
        return Registered(app, secret)

    async def list(self, viewer: Viewer, *, after: str | None = None, count: int | None = None) -> Sequence[App]:
        """Return apps in the order of their ids. `after`: only apps with a greater id. `count`: at most this number."""
        async with self._database.read() as tx:
            return await self._store.list(tx, viewer, after=after, count=count)

    async def page(
        self, viewer: Viewer, *, after: str | None, count: int
    ) -> Sequence[tuple[App, Sequence[LiveSecret]]]:
        """Return at most `count` apps in the order of their ids, each with its working secrets. `after`: only apps with
        a greater id."""
        async with self._database.read() as tx:
            apps = await self._store.list(tx, viewer, after=after, count=count)
            ids = [app.client_id for app in apps]
            live = await self._store.live_secrets_of(tx, ids, self._clock.now_us())
        return [(app, live[app.client_id]) for app in apps]

    async def withheld(self, viewer: Viewer) -> frozenset[str]:
        """Return the scopes that are withheld from this tenant: none of its apps can have them (contract C-023)."""
        async with self._database.read() as tx:
            return await self._store.withheld(tx, viewer.tenant_id)

    async def withhold(self, actor: Actor, scopes: Collection[str]) -> tuple[Sequence[str], Sequence[App]]:
        """Set the scopes that no app of the actor's tenant may have; existing apps and their tokens lose these scopes.
        A write scope that implies a withheld read scope is withheld too, since a write scope also allows reading.
        Return all withheld scopes and the changed apps. Raises `ScopeUnknown`, `TenantUnknown`."""
        withheld = in_order(withheld_with(in_order(scopes)))
        async with self._database.transaction() as tx:
            if not await self._tenancy.lock_tenant(tx, actor.tenant_id):
                raise TenantUnknown
            await self._store.withhold(tx, actor.tenant_id, withheld)
            changed = await self._take_scopes(tx, actor, withheld)
            metadata = {"scopes": list(scopes)}
            await self._audit.record(tx, actor, "tenant.withhold", actor.tenant_id, metadata=metadata)
        return withheld, changed

    async def entitle(self, actor: Actor, scopes: Collection[str]) -> tuple[Sequence[str], Sequence[App]]:
        """Set the scopes outside of the catalogue to which the actor's tenant is entitled; its apps and their tokens
        lose the other ones. An app gets such a scope when the operator approves it. Return the scopes in order, and the
        apps that lost some. Raises `ScopeUnknown`, `TenantUnknown`."""
        check_allowed(list(scopes), ENTITLED, "is not one that a tenant can be entitled to")
        entitled = in_order(scopes, entitled=ENTITLED)
        async with self._database.transaction() as tx:
            if not await self._tenancy.lock_tenant(tx, actor.tenant_id):
                raise TenantUnknown
            await self._store.entitle(tx, actor.tenant_id, entitled)
            changed = await self._take_scopes(tx, actor, ENTITLED.difference(entitled))
            metadata = {"scopes": entitled}
            await self._audit.record(tx, actor, "tenant.entitle", actor.tenant_id, metadata=metadata)
        return entitled, changed

    async def _take_scopes(self, tx: Transaction, actor: Actor, lost: Collection[str]) -> Sequence[App]:
        """Remove scopes from all apps of the actor's tenant; return the changed apps. Every app is locked."""
        changed = []
        for app in await self._store.list(tx, actor, lock=True):
            kept = tuple(name for name in app.approved_scopes if name not in lost)
            if kept != app.approved_scopes:
                changed.append(replace(app, approved_scopes=kept))
                await self._store.replace(tx, actor, changed[-1])
                await self._changes.record(tx, ChangeKind.APP, app.client_id, self._clock.now_us())
        return changed

    async def inspect(self, viewer: Viewer, client_id: str) -> tuple[App, Sequence[LiveSecret]]:
        """Return an app and its working secrets. Raises `AppUnknown`."""
        async with self._database.read() as tx:
            app = await self._store.find_for(tx, viewer, client_id)
            if app is None:
                raise AppUnknown
            return app, await self._store.live_secrets(tx, client_id, self._clock.now_us())

    async def authenticate(self, client_id: str, secret: str) -> App | None:
        """Return the app if `secret` is one of its working secrets, otherwise None. The steps are the same for an
        unknown client id (security requirement S-024)."""
        async with self._database.read() as tx:
            app = await self._store.find(tx, client_id)
            live = await self._store.live_secrets(tx, client_id, self._clock.now_us())
        proved = matches(client_id, secret, [one.digest for one in live])
        return app if proved else None

    async def find(self, client_id: str) -> App | None:
        """Return the app with this client id, without authenticating the client, or None."""
        async with self._database.read() as tx:
            return await self._store.find(tx, client_id)

    async def rotate_secret(
        self,
        actor: Actor,
        client_id: str,
        *,
        grace_hours: int = GRACE_HOURS,
        precondition: Precondition | None = None,
        callback_kid: str | None = None,
    ) -> Rotated:
        """Make a new client secret and call-back secret of an app. The previous client secret and call-back secret work
        for `grace_hours` more hours; older client secrets stop at once (contract A-031). The new call-back secret
        derives from the master key `callback_kid`; None, for a caller without the master key: from that of the previous
        one. Raises `AppUnknown`, `AppPublic`, `GraceTooLong`."""
        if not 0 <= grace_hours <= GRACE_HOURS_MAX:
            raise GraceTooLong
        now_us = self._clock.now_us()
        secret, ends_us = new_secret(), now_us + grace_hours * HOUR_US
        async with self._database.transaction() as tx:
            app = await self._locked(tx, actor, client_id)
            if not app.confidential:
                raise AppPublic
            live = await self._store.live_secrets(tx, client_id, now_us)
            if precondition is not None:
                precondition(app, live)
            kept = [one.id for one in live[:1]] if grace_hours else []
            await self._store.keep_secrets(tx, client_id, kept, ends_us)
            await self._store.add_secret(tx, client_id, self._kept(client_id, secret, now_us))
            app = replace(
                app,
                callback_generation=app.callback_generation + 1,
                callback_kid=callback_kid or app.callback_kid,
                callback_previous_until_us=ends_us,
                callback_previous_kid=app.callback_kid,
            )
            await self._store.replace(tx, actor, app)
            metadata = {"grace_hours": grace_hours}
            await self._audit.record(tx, actor, "app.rotate_secret", client_id, metadata=metadata)
        return Rotated(app, secret, ends_us if kept else None)

    async def approve(
        self,
        actor: Actor,
        client_id: str,
        scopes: Collection[str],
        *,
        by_operator: bool = False,
        precondition: Precondition | None = None,
    ) -> App:
        """Set the approved scopes of an app; its tokens lose all other scopes. Only an operator may add
        `argus:platform:admin` (contract A-022), and add or remove entitled scopes. Raises `AppUnknown`, `ScopeUnknown`.
        """
        approved = in_order(scopes, entitled=ENTITLED if by_operator else ())

        def approve(app: App) -> App:
            if by_operator:
                return replace(app, approved_scopes=approved)
            if PLATFORM_ADMIN in approved and PLATFORM_ADMIN not in app.approved_scopes:
                raise ScopeUnknown(f"Only an operator grants {PLATFORM_ADMIN}.")
            kept = tuple(name for name in app.approved_scopes if name in ENTITLED)
            return replace(app, approved_scopes=in_order((*approved, *kept), entitled=kept))

        return (await self._change(actor, client_id, "app.approve", approve, {}, precondition))[0]

    async def govern(
        self, actor: Actor, client_id: str, patch: Mapping[str, Any], *, precondition: Precondition | None = None
    ) -> tuple[App, Sequence[LiveSecret]]:
        """Merge a patch into an app's governance flags (RFC 7396; None resets a flag to its default). Return the app
        and its working secrets. Raises `AppUnknown`, `ScopeUnknown`, `GovernanceMalformed`."""

        # Invalid values are refused before the app and its version are looked up (contract A-005).
        _merged(Governance(), patch)

        def govern(app: App) -> App:
            return replace(app, governance=_merged(app.governance, patch))

        return await self._change(actor, client_id, "app.govern", govern, {"changed": sorted(patch)}, precondition)

    async def remove(self, actor: Actor, client_id: str, *, precondition: Precondition | None = None) -> None:
        """Delete an app; its tokens become invalid. Raises `AppUnknown`."""
        now_us = self._clock.now_us()
        async with self._database.transaction() as tx:
            app = await self._locked(tx, actor, client_id)
            if precondition is not None:
                precondition(app, await self._store.live_secrets(tx, client_id, now_us))
            await self._store.remove(tx, actor, client_id, now_us)
            await self._changes.record(tx, ChangeKind.APP, client_id, now_us)
            await self._audit.record(tx, actor, "app.remove", client_id)

    async def _change(
        self,
        actor: Actor,
        client_id: str,
        action: str,
        change: Callable[[App], App],
        metadata: Mapping[str, Any],
        precondition: Precondition | None,
    ) -> tuple[App, Sequence[LiveSecret]]:
        now_us = self._clock.now_us()
        async with self._database.transaction() as tx:
            before = await self._locked(tx, actor, client_id)
            live = await self._store.live_secrets(tx, client_id, now_us)
            if precondition is not None:
                precondition(before, live)
            app = change(before)
            if app.approved_scopes != before.approved_scopes:
                # `withhold` and `entitle` lock every app of the tenant, so its scopes cannot change before the commit.
                await self._check_available(tx, actor, app.approved_scopes)
            await self._store.replace(tx, actor, app)
            await self._changes.record(tx, ChangeKind.APP, client_id, now_us)
            await self._audit.record(tx, actor, action, client_id, metadata=metadata)
        return app, live

    async def _check_available(self, tx: Transaction, viewer: Viewer, scopes: Sequence[str]) -> None:
        withheld = await self._store.withheld(tx, viewer.tenant_id)
        entitled = frozenset[str]()
        if not ENTITLED.isdisjoint(scopes):
            entitled = await self._store.entitled(tx, viewer.tenant_id)
        check_allowed(scopes, (NAMES - withheld) | entitled, "is not available to this tenant")

    async def _locked(self, tx: Transaction, viewer: Viewer, client_id: str) -> App:
        app = await self._store.find_for(tx, viewer, client_id, lock=True)
        if app is None:
            raise AppUnknown
        return app

    def _kept(self, client_id: str, secret: str, now_us: int) -> LiveSecret:
        return LiveSecret(self._ids.new("sec"), digest_of(client_id, secret), now_us, None)


def _merged(before: Governance, patch: Mapping[str, Any]) -> Governance:
    document = before.document()
    for name, value in patch.items():
        document[name] = getattr(Governance(), name) if value is None else value
    if document["allowed_scopes"] is not None:
        document["allowed_scopes"] = in_order(document["allowed_scopes"], field="allowed_scopes")
    for name in ("allowed_redirect_hosts", "allowed_webhook_hosts"):
        if document[name] is not None and len(set(document[name])) != len(document[name]):
            raise GovernanceMalformed(f"({name} names a host twice.)")
    return Governance.of(document)


def _grant_types(names: Sequence[str]) -> tuple[GrantType, ...]:
    if not names:
        raise GrantTypeUnknown
    for place, name in enumerate(names):
        if name not in set(GrantType):
            near = closest(name, list(GrantType))
            text = f"The grant type{mention(name, near)} is unknown."
            raise GrantTypeUnknown(text, mistakes=[Mistake(text, f"/grant_types/{place}", did_you_mean=near)])
    return tuple(grant for grant in GrantType if grant in names)
