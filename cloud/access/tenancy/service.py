"""Set up tenants, their organisations and their vehicles."""

from collections.abc import Sequence

from cloud.access.tenancy.errors import IdentifierTaken, NameMalformed, OrganizationUnknown, TenantUnknown
from cloud.access.tenancy.model import Organization, Tenant, Vehicle
from cloud.access.tenancy.store import TenancyStore
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.ids import Ids, checked_id
from cloud.foundation.readable import hidden_character
from cloud.foundation.viewer import Viewer

NAME_LENGTH_MAX = 200


class Tenancy:
    """Operations on tenants, organisations and vehicles. `id` None: generate an id. An existing id is refused, so that
    a repeated set-up is noticed."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._store = TenancyStore()

    async def add_tenant(self, name: str, *, id: str | None = None) -> Tenant:
        """Add a tenant. Raises `IdentifierTaken`, `IdentifierMalformed`, `NameMalformed`."""
        tenant = Tenant(self._identifier(id, "tnt"), checked_name(name), self._clock.now_us())
        async with self._database.transaction() as tx:
            if not await self._store.add_tenant(tx, tenant):
                raise IdentifierTaken(f"(tenant {tenant.id})")
        return tenant

    async def tenant_ids(self, *, only: str | None) -> list[str]:
        """Return the ids of all tenants. `only`: the tenant to which a command is limited; return only the id of that
        tenant."""
        return [one.id for one in await self.list_tenants()] if only is None else [only]

    async def list_tenants(self) -> Sequence[Tenant]:
        async with self._database.read() as tx:
            return await self._store.list_tenants(tx)

    async def add_organization(self, viewer: Viewer, name: str, *, id: str | None = None) -> Organization:
        """Add an organisation. Raises `TenantUnknown`, `IdentifierTaken`, `IdentifierMalformed`, `NameMalformed`."""
        identifier = self._identifier(id, "org")
        organization = Organization(viewer.tenant_id, identifier, checked_name(name), self._clock.now_us())
        async with self._database.transaction() as tx:
            if not await self._store.has_tenant(tx, viewer.tenant_id):
                raise TenantUnknown
            if not await self._store.add_organization(tx, organization):
                raise IdentifierTaken(f"(organisation {organization.id})")
        return organization

    async def list_organizations(self, viewer: Viewer) -> Sequence[Organization]:
        async with self._database.read() as tx:
            if not await self._store.has_tenant(tx, viewer.tenant_id):
                raise TenantUnknown
            return await self._store.list_organizations(tx, viewer)

    async def add_vehicle(self, viewer: Viewer, organization_id: str, name: str, *, id: str | None = None) -> Vehicle:
        """Add a vehicle. Raises `OrganizationUnknown`, `IdentifierTaken`, `IdentifierMalformed`, `NameMalformed`."""
        vehicle = Vehicle(
            tenant_id=viewer.tenant_id,
            id=self._identifier(id, "veh"),
            organization_id=organization_id,
            name=checked_name(name),
            created_at_us=self._clock.now_us(),
        )
        async with self._database.transaction() as tx:
            if await self._store.find_organization(tx, viewer, organization_id) is None:
                raise OrganizationUnknown
            if not await self._store.add_vehicle(tx, vehicle):
                raise IdentifierTaken(f"(vehicle {vehicle.id})")
        return vehicle

    async def list_vehicles(self, viewer: Viewer) -> Sequence[Vehicle]:
        async with self._database.read() as tx:
            if not await self._store.has_tenant(tx, viewer.tenant_id):
                raise TenantUnknown
            return await self._store.list_vehicles(tx, viewer)

    def _identifier(self, given: str | None, prefix: str) -> str:
        return self._ids.new(prefix) if given is None else checked_id(given)


def checked_name(name: str) -> str:
    """Return the name of a tenant, organisation or vehicle without surrounding spaces. Raises `NameMalformed`."""
    trimmed = name.strip()
    if not trimmed or len(trimmed) > NAME_LENGTH_MAX:
        raise NameMalformed
    if (found := hidden_character(trimmed)) is not None:
        raise NameMalformed(f"(It contains {found}.)")
    return trimmed
