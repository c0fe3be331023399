"""SQL statements on tenants, organisations and vehicles. Tenants are listed only for the operator, so the statement
that lists them takes no `Viewer`.
"""

from collections.abc import Sequence

from sqlalchemy import select

from cloud.access.tenancy.model import Organization, Tenant, Vehicle
from cloud.access.tenancy.tables import organizations, tenants, vehicles
from cloud.foundation.db import Records, Transaction
from cloud.foundation.viewer import Viewer, visible

_TENANTS = Records(Tenant, tenants)
_ORGANIZATIONS = Records(Organization, organizations)
_VEHICLES = Records(Vehicle, vehicles)


class TenancyStore:
    """SQL statements on tenants, organisations and vehicles."""

    async def add_tenant(self, tx: Transaction, tenant: Tenant) -> bool:
        """Add a tenant. Return False when another tenant already has the id."""
        return await _TENANTS.add(tx, tenant)

    async def has_tenant(self, tx: Transaction, tenant_id: str) -> bool:
        return (await tx.execute(select(tenants.c.id).where(tenants.c.id == tenant_id))).first() is not None

    async def lock_tenant(self, tx: Transaction, tenant_id: str) -> bool:
        """Lock the row of a tenant until `tx` ends; return False when there is no such tenant. Other transactions can
        still write rows that refer to the tenant."""
        statement = select(tenants.c.id).where(tenants.c.id == tenant_id).with_for_update(key_share=True)
        return (await tx.execute(statement)).first() is not None

    async def find_tenant(self, tx: Transaction, tenant_id: str) -> Tenant | None:
        return await _TENANTS.first(tx, _TENANTS.select().where(tenants.c.id == tenant_id))

    async def list_tenants(self, tx: Transaction) -> Sequence[Tenant]:
        return await _TENANTS.all(tx, _TENANTS.select().order_by(tenants.c.id))

    async def add_organization(self, tx: Transaction, organization: Organization) -> bool:
        """Add an organisation. Return False when an organisation of this tenant already has the id."""
        return await _ORGANIZATIONS.add(tx, organization)

    async def find_organization(self, tx: Transaction, viewer: Viewer, organization_id: str) -> Organization | None:
        if viewer.organization_id not in (None, organization_id):
            return None
        statement = _ORGANIZATIONS.select().where(
            *visible(organizations, viewer), organizations.c.id == organization_id
        )
        return await _ORGANIZATIONS.first(tx, statement)

    async def list_organizations(self, tx: Transaction, viewer: Viewer) -> Sequence[Organization]:
        statement = _ORGANIZATIONS.select().where(*visible(organizations, viewer)).order_by(organizations.c.id)
        if viewer.organization_id is not None:
            statement = statement.where(organizations.c.id == viewer.organization_id)
        return await _ORGANIZATIONS.all(tx, statement)

    async def add_vehicle(self, tx: Transaction, vehicle: Vehicle) -> bool:
        """Add a vehicle. Return False when a vehicle of this tenant already has the id."""
        return await _VEHICLES.add(tx, vehicle)

    async def find_vehicle(self, tx: Transaction, viewer: Viewer, vehicle_id: str) -> Vehicle | None:
        statement = _VEHICLES.select().where(*visible(vehicles, viewer), vehicles.c.id == vehicle_id)
        return await _VEHICLES.first(tx, statement)

    async def list_vehicles(self, tx: Transaction, viewer: Viewer) -> Sequence[Vehicle]:
        statement = _VEHICLES.select().where(*visible(vehicles, viewer)).order_by(vehicles.c.id)
        return await _VEHICLES.all(tx, statement)
