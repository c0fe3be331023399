"""Register apps, prove who a client is, rotate its secret, change what it may do, delete it.

What ends tokens early (a scope less, a flag, the deletion) is recorded in the change log within the same transaction.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from cloud.access.apps.errors import AppPublic, AppUnknown, ClearanceExceeded, GraceTooLong, GrantTypeUnknown
from cloud.access.apps.model import App, Governance, GrantType, LiveSecret
from cloud.access.apps.redirects import checked_redirects
from cloud.access.apps.scopes import NAMES, PLATFORM_ADMIN, ScopeUnknown, check_allowed, in_order, withheld_with
from cloud.access.apps.secrets import digest_of, matches, new_secret
from cloud.access.apps.store import AppStore
from cloud.access.standing import ChangeKind, ChangeLog
from cloud.access.tenancy import IdentifierTaken, OrganizationUnknown, TenancyStore, TenantUnknown, checked_name
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.errors import Mistake
from cloud.foundation.ids import Ids, checked_id
from cloud.foundation.suggestions import closest, quoted
from cloud.foundation.viewer import SecrecyLevel, Viewer

HOUR_US = 3_600_000_000
GRACE_HOURS = 24
GRACE_HOURS_MAX = 168


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What whoever registers an app asks for. `client_id` None: one is made."""

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
    """A new app and, once only, its secret; None for a public client."""

    app: App
    secret: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Rotated:
    """The new secret, once only, and until when the previous one works; None when it stopped at once."""

    app: App
    secret: str = field(repr=False)
    previous_expires_at_us: int | None


Governed = Callable[[App, Sequence[LiveSecret]], Governance]
"""The governance that an app shall have, from what it is and the secrets that work."""

Witness = Callable[[Transaction, App], Awaitable[None]]
"""Writes the audit entry of a change, in the change's transaction."""


Expected = Callable[[App, Sequence[LiveSecret]], None]
"""Looks at the app as it is, locked, before a change; raises when it is not the one that somebody saw."""


def whatever(app: App, live: Sequence[LiveSecret]) -> None:
    """Expects nothing."""


Witnessed = Callable[[Transaction], Awaitable[None]]
"""As `Witness`, of a change that concerns no single app."""


async def unseen(tx: Transaction) -> None:
    """As `nobody`."""


async def nobody(tx: Transaction, app: App) -> None:
    """A witness for tests and for changes that need none."""


class Apps:
    """The use cases. Each change takes a `witness`; `expected` may refuse it by what the app is before it."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._store = AppStore()
        self._changes = ChangeLog()
        self._tenancy = TenancyStore()

    async def register(
        self, viewer: Viewer, wanted: Wanted, *, by_operator: bool = False, witness: Witness = nobody
    ) -> Registered:
        """Add an app whose requested scopes are approved. Only an operator may approve `argus:platform:admin` (A-022).

        An app of whoever is bound to one organisation is of that organisation too, and may see no more than they do.
        Raises `ScopeUnknown`, `ClearanceExceeded`, `GrantTypeUnknown`, `RedirectUriRefused`, `TenantUnknown`,
        `OrganizationUnknown`, `IdentifierTaken` and the malformed kinds.
        """
        scopes = in_order(wanted.scopes, field="requested_scopes")
        if not scopes:
            raise ScopeUnknown("An app needs at least one scope.")
        if PLATFORM_ADMIN in scopes and not by_operator:
            raise ScopeUnknown(f"Only an operator grants {PLATFORM_ADMIN}.")
        if wanted.clearance > viewer.clearance:
            raise ClearanceExceeded
        now_us = self._clock.now_us()
        grants = _grant_types(wanted.grant_types)
        app = App(
            client_id=self._ids.new("app") if wanted.client_id is None else checked_id(wanted.client_id),
            tenant_id=viewer.tenant_id,
            organization_id=wanted.organization_id or viewer.organization_id,
            name=checked_name(wanted.name),
            grant_types=grants,
            redirect_uris=checked_redirects(wanted.redirect_uris, grants, confidential=wanted.confidential),
            requested_scopes=scopes,
            approved_scopes=scopes,
            governance=wanted.governance,
            clearance=wanted.clearance,
            confidential=wanted.confidential,
            created_at_us=now_us,
        )
        secret = new_secret() if app.confidential else None
        async with self._database.transaction() as tx:
            if not await self._tenancy.lock_tenant(tx, viewer.tenant_id):
                raise TenantUnknown
            organization = app.organization_id
            if organization is not None and await self._tenancy.find_organization(tx, viewer, organization) is None:
                raise OrganizationUnknown
            await self._refuse_withheld(tx, viewer, scopes)
            if not await self._store.add(tx, app):
                raise IdentifierTaken(f"(app {app.client_id})")
            if secret is not None:
                await self._store.add_secret(tx, app.client_id, self._kept(app.client_id, secret, now_us))
            # A verifier may have looked for this app before it was there.
            await self._changes.record(tx, ChangeKind.APP, app.client_id, now_us)
            await witness(tx, app)
        return Registered(app, secret)

    async def list(self, viewer: Viewer, *, after: str | None = None, count: int | None = None) -> Sequence[App]:
        """In the order of their ids; all of them, or `count` of those behind `after`."""
        async with self._database.read() as tx:
            return await self._store.list(tx, viewer, after=after, count=count)

    async def page(
        self, viewer: Viewer, *, after: str | None, count: int
    ) -> Sequence[tuple[App, Sequence[LiveSecret]]]:
        """As `list`, with the secrets that work now."""
        async with self._database.read() as tx:
            apps = await self._store.list(tx, viewer, after=after, count=count)
            ids = [app.client_id for app in apps]
            live = await self._store.live_secrets_of(tx, ids, self._clock.now_us())
        return [(app, live[app.client_id]) for app in apps]

    async def withheld(self, viewer: Viewer) -> frozenset[str]:
        """The scopes that nobody of this tenant can have (C-023)."""
        async with self._database.read() as tx:
            return await self._store.withheld(tx, viewer.tenant_id)

    async def withhold(
        self, viewer: Viewer, scopes: Collection[str], *, witness: Witnessed = unseen
    ) -> tuple[Sequence[str], Sequence[App]]:
        """Set what a tenant does not have; apps that had it lose it, and their tokens with them.

        A scope whose writing implies a reading that is withheld is withheld too, or it would give it. What is withheld
        now, and the apps concerned. Raises `ScopeUnknown`, `TenantUnknown`.
        """
        withheld = in_order(withheld_with(in_order(scopes)))
        changed = []
        async with self._database.transaction() as tx:
            if not await self._tenancy.lock_tenant(tx, viewer.tenant_id):
                raise TenantUnknown
            await self._store.withhold(tx, viewer.tenant_id, withheld)
            for app in await self._store.list(tx, viewer, lock=True):
                kept = tuple(name for name in app.approved_scopes if name not in withheld)
                if kept != app.approved_scopes:
                    changed.append(replace(app, approved_scopes=kept))
                    await self._store.replace(tx, viewer, changed[-1])
                    await self._changes.record(tx, ChangeKind.APP, app.client_id, self._clock.now_us())
            await witness(tx)
        return withheld, changed

    async def inspect(self, viewer: Viewer, client_id: str) -> tuple[App, Sequence[LiveSecret]]:
        """One app and the secrets that work now. Raises `AppUnknown`."""
        async with self._database.read() as tx:
            app = await self._store.find_for(tx, viewer, client_id)
            if app is None:
                raise AppUnknown
            return app, await self._store.live_secrets(tx, client_id, self._clock.now_us())

    async def authenticate(self, client_id: str, secret: str) -> App | None:
        """The app when the secret is one of its live ones.

        The same two reads and the same comparisons happen for a client that does not exist (S-024).
        """
        async with self._database.read() as tx:
            app = await self._store.find(tx, client_id)
            live = await self._store.live_secrets(tx, client_id, self._clock.now_us())
        proved = matches(client_id, secret, [one.digest for one in live])
        return app if proved else None

    async def find(self, client_id: str) -> App | None:
        """The app that calls itself so, unproved."""
        async with self._database.read() as tx:
            return await self._store.find(tx, client_id)

    async def rotate_secret(
        self,
        viewer: Viewer,
        client_id: str,
        *,
        grace_hours: int = GRACE_HOURS,
        expected: Expected = whatever,
        witness: Witness = nobody,
    ) -> Rotated:
        """A new secret; the newest previous one goes on for `grace_hours`, older ones end now (A-031). The secret of
        call-backs takes its next generation, beside the one before for as long.

        Raises `AppUnknown`, `AppPublic`, `GraceTooLong`.
        """
        if not 0 <= grace_hours <= GRACE_HOURS_MAX:
            raise GraceTooLong
        now_us = self._clock.now_us()
        secret, ends_us = new_secret(), now_us + grace_hours * HOUR_US
        async with self._database.transaction() as tx:
            app = await self._locked(tx, viewer, client_id)
            if not app.confidential:
                raise AppPublic
            live = await self._store.live_secrets(tx, client_id, now_us)
            expected(app, live)
            kept = [one.id for one in live[:1]] if grace_hours else []
            await self._store.keep_secrets(tx, client_id, kept, ends_us)
            await self._store.add_secret(tx, client_id, self._kept(client_id, secret, now_us))
            app = replace(app, callback_generation=app.callback_generation + 1, callback_previous_until_us=ends_us)
            await self._store.replace(tx, viewer, app)
            await witness(tx, app)
        return Rotated(app, secret, ends_us if kept else None)

    async def approve(
        self,
        viewer: Viewer,
        client_id: str,
        scopes: Collection[str],
        *,
        by_operator: bool = False,
        expected: Expected = whatever,
        witness: Witness = nobody,
    ) -> App:
        """Set what the app may have; tokens that hold more lose it everywhere.

        Only an operator may add `argus:platform:admin` (A-022). Raises `AppUnknown`, `ScopeUnknown`.
        """
        approved = in_order(scopes)

        def changed(app: App, live: Sequence[LiveSecret]) -> App:
            expected(app, live)
            if PLATFORM_ADMIN in approved and PLATFORM_ADMIN not in app.approved_scopes and not by_operator:
                raise ScopeUnknown(f"Only an operator grants {PLATFORM_ADMIN}.")
            return replace(app, approved_scopes=approved)

        return await self._change(viewer, client_id, changed, witness)

    async def govern(
        self, viewer: Viewer, client_id: str, governed: Governed, *, witness: Witness = nobody
    ) -> tuple[App, Sequence[LiveSecret]]:
        """Change governance flags: `governed` is given the app as it is, locked, and may refuse.

        Raises `AppUnknown`, and what `governed` raises.
        """
        seen: Sequence[LiveSecret] = ()

        def changed(app: App, live: Sequence[LiveSecret]) -> App:
            nonlocal seen
            seen = live
            return replace(app, governance=governed(app, live))

        return await self._change(viewer, client_id, changed, witness), seen

    async def remove(
        self, viewer: Viewer, client_id: str, *, expected: Expected = whatever, witness: Witness = nobody
    ) -> None:
        """Delete the app; its tokens end everywhere. Raises `AppUnknown`."""
        now_us = self._clock.now_us()
        async with self._database.transaction() as tx:
            app = await self._locked(tx, viewer, client_id)
            expected(app, await self._store.live_secrets(tx, client_id, now_us))
            await self._store.remove(tx, viewer, client_id, now_us)
            await self._changes.record(tx, ChangeKind.APP, client_id, now_us)
            await witness(tx, app)

    async def _change(
        self, viewer: Viewer, client_id: str, changed: Callable[[App, Sequence[LiveSecret]], App], witness: Witness
    ) -> App:
        now_us = self._clock.now_us()
        async with self._database.transaction() as tx:
            before = await self._locked(tx, viewer, client_id)
            app = changed(before, await self._store.live_secrets(tx, client_id, now_us))
            if app.approved_scopes != before.approved_scopes:
                # Whoever withholds locks every app of the tenant, so what is read here is what holds.
                await self._refuse_withheld(tx, viewer, app.approved_scopes)
            await self._store.replace(tx, viewer, app)
            await self._changes.record(tx, ChangeKind.APP, client_id, now_us)
            await witness(tx, app)
        return app

    async def _refuse_withheld(self, tx: Transaction, viewer: Viewer, scopes: Sequence[str]) -> None:
        withheld = await self._store.withheld(tx, viewer.tenant_id)
        check_allowed(scopes, NAMES - withheld, "is not available to this tenant")

    async def _locked(self, tx: Transaction, viewer: Viewer, client_id: str) -> App:
        app = await self._store.find_for(tx, viewer, client_id, lock=True)
        if app is None:
            raise AppUnknown
        return app

    def _kept(self, client_id: str, secret: str, now_us: int) -> LiveSecret:
        return LiveSecret(self._ids.new("sec"), digest_of(client_id, secret), now_us, None)


def _grant_types(names: Sequence[str]) -> tuple[GrantType, ...]:
    if not names:
        raise GrantTypeUnknown
    for place, name in enumerate(names):
        if name not in set(GrantType):
            text = f"The grant type {quoted(name)} is unknown."
            near = closest(name, list(GrantType))
            raise GrantTypeUnknown(text, mistakes=[Mistake(text, f"/grant_types/{place}", did_you_mean=near)])
    return tuple(grant for grant in GrantType if grant in names)
