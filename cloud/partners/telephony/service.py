"""Configure the telephony providers and routes of a tenant, check a provider, and find the route of a number.

Credentials are sealed under the master key and bound to their provider. They are opened for a check only, and no
function returns them. Each change writes its audit entry in the same transaction, without a number.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import orjson

from cloud.access.audit import Audit
from cloud.access.tenancy import IdentifierTaken, TenancyStore, TenantUnknown
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.ids import Ids
from cloud.foundation.master_key import MasterKey
from cloud.foundation.readable import hidden_character
from cloud.foundation.viewer import Actor, Viewer
from cloud.partners.telephony.carriers import CARRIERS, Capability, carrier_of
from cloud.partners.telephony.check import ProviderCheck
from cloud.partners.telephony.errors import (
    ProviderDisabled,
    ProviderMalformed,
    ProviderUnknown,
    RouteMalformed,
    RouteTaken,
    RouteUnknown,
    TooManyProviders,
    TooManyRoutes,
)
from cloud.partners.telephony.model import CheckOutcome, Provider, Route, Subsystem
from cloud.partners.telephony.numbers import read_number
from cloud.partners.telephony.store import TelephonyStore
from cloud.partners.telephony.tables import SEALED_FOR

PROVIDERS_MAX = 50
"""Providers of a tenant."""
ROUTES_MAX = 10_000
"""Routes of a tenant: a large city has some thousand numbers."""
NAME_LENGTH_MAX = 100
SUBACCOUNT_LENGTH_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRoute:
    """A route to add. Exactly one of `did` and `subaccount` is not None."""

    provider_id: str
    did: str | None = None
    subaccount: str | None = None
    subsystem: Subsystem
    label: str | None = None
    id: str | None = None


class Telephony:
    """Use cases of telephony. `master` returns the master key, which a change or check of credentials needs."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, master: Callable[[], MasterKey]) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._master = master
        self._store = TelephonyStore()
        self._tenancy = TenancyStore()
        self._audit = Audit(clock)

    async def add_provider(
        self,
        actor: Actor,
        name: str,
        carrier: str,
        credentials: Mapping[str, str],
        *,
        default: bool = False,
        provider_id: str | None = None,
    ) -> Provider:
        """Add a provider; the first one of a tenant is its default. Raises `ProviderMalformed`, `TooManyProviders`,
        `TenantUnknown`, `IdentifierTaken`."""
        carrier_of(carrier).check_credentials(credentials)
        now_us, new_id = self._clock.now_us(), provider_id or self._ids.new("tlp")
        async with self._database.transaction() as tx:
            if not await self._tenancy.lock_tenant(tx, actor.tenant_id):  # so that the counts stay true
                raise TenantUnknown
            count = await self._store.count_providers(tx, actor.tenant_id)
            if count >= PROVIDERS_MAX:
                raise TooManyProviders(f"(At most {PROVIDERS_MAX}.)")
            provider = Provider(
                id=new_id,
                tenant_id=actor.tenant_id,
                name=_visible(name, "name", NAME_LENGTH_MAX),
                carrier=carrier,
                credentials_sealed=self._seal(new_id, credentials),
                is_default=default or count == 0,
                created_at_us=now_us,
                updated_at_us=now_us,
            )
            if provider.is_default:
                await self._store.clear_default(tx, actor.tenant_id, now_us)
            if not await self._store.add_provider(tx, provider):
                raise IdentifierTaken(f"(telephony provider {new_id})")
            await self._audit.record(tx, actor, "telephony.provider.create", new_id, metadata={"carrier": carrier})
        return provider

    async def update_provider(
        self, actor: Actor, provider_id: str, *, name: str | None = None, credentials: Mapping[str, str] | None = None
    ) -> Provider:
        """Change the name or all credentials of a provider. Raises `ProviderUnknown`, `ProviderMalformed`."""
        async with self._database.transaction() as tx:
            found = await self._known(tx, actor, provider_id)
            changed = replace(found, updated_at_us=self._clock.now_us())
            if name is not None:
                changed = replace(changed, name=_visible(name, "name", NAME_LENGTH_MAX))
            if credentials is not None:
                carrier_of(found.carrier).check_credentials(credentials)
                sealed = self._seal(found.id, credentials)
                changed = replace(changed, credentials_sealed=sealed, checked_at_us=None, check_outcome=None)
            await self._store.replace_provider(tx, changed)
            fields = [key for key, value in (("name", name), ("credentials", credentials)) if value is not None]
            await self._audit.record(tx, actor, "telephony.provider.update", found.id, metadata={"fields": fields})
        return changed

    async def set_enabled(self, actor: Actor, provider_id: str, *, enabled: bool) -> Provider:
        """Enable or disable a provider. A disabled one is no default, and its routes lead nowhere. Raises
        `ProviderUnknown`."""
        now_us = self._clock.now_us()
        async with self._database.transaction() as tx:
            found = await self._known(tx, actor, provider_id)
            if (found.disabled_at_us is None) == enabled:
                return found
            changed = replace(found, disabled_at_us=None if enabled else now_us, is_default=False, updated_at_us=now_us)
            await self._store.replace_provider(tx, changed)
            action = "telephony.provider.enable" if enabled else "telephony.provider.disable"
            await self._audit.record(tx, actor, action, found.id)
        return changed

    async def set_default(self, actor: Actor, provider_id: str) -> Provider:
        """Make a provider the default of its tenant. Raises `ProviderUnknown`, `ProviderDisabled`."""
        now_us = self._clock.now_us()
        async with self._database.transaction() as tx:
            await self._tenancy.lock_tenant(tx, actor.tenant_id)  # of two requests, the second one counts
            found = await self._known(tx, actor, provider_id)
            if found.disabled_at_us is not None:
                raise ProviderDisabled
            if found.is_default:
                return found
            await self._store.clear_default(tx, actor.tenant_id, now_us)
            changed = replace(found, is_default=True, updated_at_us=now_us)
            await self._store.replace_provider(tx, changed)
            await self._audit.record(tx, actor, "telephony.provider.default", found.id)
        return changed

    async def list_providers(self, viewer: Viewer) -> Sequence[Provider]:
        """Return the providers of the viewer's tenant, in the order of their ids."""
        async with self._database.read() as tx:
            return await self._store.list_providers(tx, viewer, PROVIDERS_MAX)

    async def check_provider(self, actor: Actor, provider_id: str, check: ProviderCheck) -> CheckOutcome:
        """Find out whether the carrier accepts the credentials, and note the result. Nothing changes there. Raises
        `ProviderUnknown`, `SealBroken`."""
        async with self._database.read() as tx:
            found = await self._store.find_provider(tx, actor, provider_id)
        if found is None:
            raise ProviderUnknown
        credentials = orjson.loads(self._master().open(SEALED_FOR, found.id, found.credentials_sealed))
        outcome = await check.run(CARRIERS[found.carrier], credentials)
        async with self._database.transaction() as tx:
            await self._store.note_check(tx, found, outcome.value, self._clock.now_us())
            seen = {"outcome": outcome.value}
            await self._audit.record(tx, actor, "telephony.provider.check", found.id, metadata=seen)
        return outcome

    async def add_route(self, actor: Actor, new: NewRoute) -> Route:
        """Add an active route. Raises `RouteMalformed`, `RouteTaken`, `TooManyRoutes`, `ProviderUnknown`,
        `IdentifierTaken`."""
        now_us = self._clock.now_us()
        async with self._database.transaction() as tx:
            if not await self._tenancy.lock_tenant(tx, actor.tenant_id):
                raise TenantUnknown
            provider = await self._known(tx, actor, new.provider_id)
            if await self._store.count_routes(tx, actor.tenant_id) >= ROUTES_MAX:
                raise TooManyRoutes(f"(At most {ROUTES_MAX}.)")
            did, subaccount = _place_of(new, provider)
            route = Route(
                id=new.id or self._ids.new("tlr"),
                tenant_id=actor.tenant_id,
                provider_id=provider.id,
                did=did,
                subaccount=subaccount,
                subsystem=new.subsystem.value,
                label=None if new.label is None else _visible(new.label, "label", NAME_LENGTH_MAX),
                created_at_us=now_us,
                updated_at_us=now_us,
            )
            await self._check_free(tx, route)
            if not await self._store.add_route(tx, route):
                raise IdentifierTaken(f"(telephony route {route.id})")
            await self._note_route(tx, actor, "telephony.route.create", route)
        return route

    async def update_route(
        self, actor: Actor, route_id: str, *, subsystem: Subsystem | None = None, enabled: bool | None = None
    ) -> Route:
        """Change the subsystem of a route, or enable or disable it. Raises `RouteUnknown`, `RouteTaken`."""
        now_us = self._clock.now_us()
        async with self._database.transaction() as tx:
            await self._tenancy.lock_tenant(tx, actor.tenant_id)
            found = changed = await self._known_route(tx, actor, route_id)
            if subsystem is not None:
                changed = replace(changed, subsystem=subsystem.value)
            if enabled is not None and enabled != (found.disabled_at_us is None):
                if enabled:
                    await self._check_free(tx, found)
                changed = replace(changed, disabled_at_us=None if enabled else now_us)
            if changed != found:
                changed = replace(changed, updated_at_us=now_us)
                await self._store.replace_route(tx, changed)
                await self._note_route(tx, actor, "telephony.route.update", changed)
        return changed

    async def remove_route(self, actor: Actor, route_id: str) -> Route:
        """Delete a route and return it. Raises `RouteUnknown`."""
        async with self._database.transaction() as tx:
            found = await self._known_route(tx, actor, route_id)
            await self._store.remove_route(tx, found.id)
            await self._note_route(tx, actor, "telephony.route.delete", found)
        return found

    async def list_routes(self, viewer: Viewer, provider_id: str | None = None) -> Sequence[Route]:
        """Return the routes of the viewer's tenant, or of one of its providers. Raises `ProviderUnknown`."""
        async with self._database.read() as tx:
            if provider_id is not None and await self._store.find_provider(tx, viewer, provider_id) is None:
                raise ProviderUnknown
            return await self._store.list_routes(tx, viewer, provider_id=provider_id, limit=ROUTES_MAX)

    async def resolve(self, viewer: Viewer, did: str) -> tuple[Route, Provider]:
        """Return the active route of a number and its provider. Raises `RouteMalformed`, `RouteUnknown`."""
        number = read_number(did)
        async with self._database.read() as tx:
            found = await self._store.resolve(tx, viewer.tenant_id, number)
        if found is None:
            raise RouteUnknown("(No active route of an enabled provider has this number.)")
        return found

    def _seal(self, provider_id: str, credentials: Mapping[str, str]) -> bytes:
        return self._master().seal(SEALED_FOR, provider_id, orjson.dumps(dict(credentials)))

    async def _known(self, tx: Transaction, actor: Actor, provider_id: str) -> Provider:
        found = await self._store.find_provider(tx, actor, provider_id, lock=True)
        if found is None:
            raise ProviderUnknown
        return found

    async def _known_route(self, tx: Transaction, actor: Actor, route_id: str) -> Route:
        found = await self._store.find_route(tx, actor, route_id)
        if found is None:
            raise RouteUnknown
        return found

    async def _check_free(self, tx: Transaction, route: Route) -> None:
        if await self._store.active_route(tx, route) is not None:
            raise RouteTaken

    async def _note_route(self, tx: Transaction, actor: Actor, action: str, route: Route) -> None:
        metadata = {"provider_id": route.provider_id, "subsystem": route.subsystem}
        await self._audit.record(tx, actor, action, route.id, metadata=metadata)


def _place_of(new: NewRoute, provider: Provider) -> tuple[str | None, str | None]:
    """Return the number and the subaccount of a route, one of which is None. Raises `RouteMalformed`."""
    carrier = CARRIERS[provider.carrier]
    if (new.did is None) == (new.subaccount is None):
        raise RouteMalformed
    if new.did is not None:
        number = read_number(new.did)
        carrier.number(number)  # raises if the carrier cannot have it
        return number, None
    if Capability.SUBACCOUNTS not in carrier.capabilities:
        raise RouteMalformed(f"({carrier.title} has no subaccounts.)")
    subaccount = new.subaccount or ""
    if not 1 <= len(subaccount) <= SUBACCOUNT_LENGTH_MAX or hidden_character(subaccount) is not None:
        raise RouteMalformed(f"(A subaccount has 1 to {SUBACCOUNT_LENGTH_MAX} visible characters.)")
    return None, subaccount


def _visible(text: str, what: str, most: int) -> str:
    text = text.strip()
    if not 1 <= len(text) <= most or hidden_character(text) is not None:
        raise ProviderMalformed(f"(A {what} has 1 to {most} visible characters.)")
    return text
