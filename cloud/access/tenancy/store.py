"""The rows of tenants, organisations and vehicles.

No `Viewer` limits the tenants themselves: only the operator lists them.
"""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import select

from cloud.access.tenancy.model import Organization, Tenant, Vehicle
from cloud.access.tenancy.tables import organizations, tenants, vehicles
from cloud.foundation.db import Transaction, insert
from cloud.foundation.viewer import Viewer, visible


class TenancyStore:
    """The statements about the three tables."""

    async def add_tenant(self, tx: Transaction, tenant: Tenant) -> bool:
        """Add a tenant; False when the id is taken."""
        statement = insert(tenants).values(**asdict(tenant)).on_conflict_do_nothing().returning(tenants.c.id)
        return (await tx.execute(statement)).first() is not None

    async def has_tenant(self, tx: Transaction, tenant_id: str) -> bool:
        return (await tx.execute(select(tenants.c.id).where(tenants.c.id == tenant_id))).first() is not None

    async def lock_tenant(self, tx: Transaction, tenant_id: str) -> bool:
        """Lock a tenant until `tx` ends; False when it does not exist. Others may still write rows that refer to it."""
        statement = select(tenants.c.id).where(tenants.c.id == tenant_id).with_for_update(key_share=True)
        return (await tx.execute(statement)).first() is not None

    async def find_tenant(self, tx: Transaction, tenant_id: str) -> Tenant | None:
        row = (await tx.execute(select(tenants).where(tenants.c.id == tenant_id))).first()
        return None if row is None else Tenant(*row)

    async def list_tenants(self, tx: Transaction) -> Sequence[Tenant]:
        return [Tenant(*row) for row in await tx.execute(select(tenants).order_by(tenants.c.id))]

    async def add_organization(self, tx: Transaction, organization: Organization) -> bool:
        """Add an organisation; False when the id is taken in this tenant."""
        statement = insert(organizations).values(**asdict(organization)).on_conflict_do_nothing()
        return (await tx.execute(statement.returning(organizations.c.id))).first() is not None

    async def find_organization(self, tx: Transaction, viewer: Viewer, organization_id: str) -> Organization | None:
        if viewer.organization_id not in (None, organization_id):
            return None
        statement = select(organizations).where(*visible(organizations, viewer), organizations.c.id == organization_id)
        row = (await tx.execute(statement)).first()
        return None if row is None else Organization(*row)

    async def list_organizations(self, tx: Transaction, viewer: Viewer) -> Sequence[Organization]:
        statement = select(organizations).where(*visible(organizations, viewer)).order_by(organizations.c.id)
        if viewer.organization_id is not None:
            statement = statement.where(organizations.c.id == viewer.organization_id)
        return [Organization(*row) for row in await tx.execute(statement)]

    async def add_vehicle(self, tx: Transaction, vehicle: Vehicle) -> bool:
        """Add a vehicle; False when the id is taken in this tenant."""
        statement = insert(vehicles).values(**asdict(vehicle)).on_conflict_do_nothing()
        return (await tx.execute(statement.returning(vehicles.c.id))).first() is not None

    async def find_vehicle(self, tx: Transaction, viewer: Viewer, vehicle_id: str) -> Vehicle | None:
        statement = select(vehicles).where(*visible(vehicles, viewer), vehicles.c.id == vehicle_id)
        row = (await tx.execute(statement)).first()
        return None if row is None else Vehicle(**row._mapping)

    async def list_vehicles(self, tx: Transaction, viewer: Viewer) -> Sequence[Vehicle]:
        statement = select(vehicles).where(*visible(vehicles, viewer)).order_by(vehicles.c.id)
        return [Vehicle(**row._mapping) for row in await tx.execute(statement)]
