"""The rows of gateways. Ingest looks up the gateway of every batch, so that query is compiled once."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, select, update

from cloud.foundation.db import Prepared, Transaction, insert
from cloud.foundation.viewer import Viewer, visible
from cloud.vehicles.fleet.model import FormerKey, GatewayAccess, GatewayStatus, RegisteredGateway
from cloud.vehicles.fleet.tables import gateway_former_keys, gateways

_COLUMNS = (
    gateways.c.tenant_id,
    gateways.c.id,
    gateways.c.organization_id,
    gateways.c.vehicle_id,
    gateways.c.public_key,
    gateways.c.registered_at_us,
    gateways.c.access,
    gateways.c.access_reason,
    gateways.c.access_at_us,
    gateways.c.online,
    gateways.c.status_at_us,
    gateways.c.epoch,
    gateways.c.software,
    gateways.c.store_state,
    gateways.c.boot_id,
)

_FIND = Prepared(
    select(*_COLUMNS).where(gateways.c.tenant_id == bindparam("tenant"), gateways.c.id == bindparam("gateway"))
)
# A late status (the will of a connection that has already been replaced) changes nothing.
_RECORD_STATUS = Prepared(
    update(gateways)
    .where(
        gateways.c.tenant_id == bindparam("tenant"),
        gateways.c.id == bindparam("gateway"),
        gateways.c.status_at_us.is_(None) | (gateways.c.status_at_us <= bindparam("heard_us")),
    )
    .values(
        online=bindparam("online"),
        status_at_us=bindparam("heard_us"),
        epoch=bindparam("epoch"),
        software=bindparam("software"),
        store_state=bindparam("store_state"),
        boot_id=bindparam("boot_id"),
    )
)


class GatewayDirectory:
    """The statements about gateways."""

    async def find(self, tx: Transaction, tenant_id: str, gateway_id: str) -> RegisteredGateway | None:
        """Return the gateway that a topic names. There is no viewer: the sender is the gateway itself, and its
        signature is checked.
        """
        rows = await tx.driver.rows(_FIND, {"tenant": tenant_id, "gateway": gateway_id})
        return _gateway(rows[0]) if rows else None

    async def add(self, tx: Transaction, gateway: RegisteredGateway) -> bool:
        """Add a gateway; False when the id is taken in this tenant."""
        statement = insert(gateways).values(
            tenant_id=gateway.tenant_id,
            id=gateway.id,
            organization_id=gateway.organization_id,
            vehicle_id=gateway.vehicle_id,
            public_key=gateway.public_key,
            registered_at_us=gateway.registered_at_us,
        )
        return (await tx.execute(statement.on_conflict_do_nothing().returning(gateways.c.id))).first() is not None

    async def former_keys(self, tx: Transaction, gateway: RegisteredGateway) -> Sequence[FormerKey]:
        """Return the former keys of a gateway, newest first."""
        table = gateway_former_keys
        rows = await tx.execute(
            select(table.c.public_key, table.c.replaced_at_us)
            .where(table.c.tenant_id == gateway.tenant_id, table.c.gateway_id == gateway.id)
            .order_by(table.c.replaced_at_us.desc())
        )
        return [FormerKey(bytes(row.public_key), row.replaced_at_us) for row in rows]

    async def owner_of(self, tx: Transaction, gateway_id: str) -> str | None:
        """Return the tenant that has a gateway of this id. The broker identifies a gateway by its id alone."""
        rows = await tx.execute(select(gateways.c.tenant_id).where(gateways.c.id == gateway_id).limit(1))
        found = rows.first()
        return None if found is None else str(found.tenant_id)

    async def list(self, tx: Transaction, viewer: Viewer) -> Sequence[RegisteredGateway]:
        statement = select(*_COLUMNS).where(*visible(gateways, viewer)).order_by(gateways.c.id)
        return [_gateway(row) for row in await tx.execute(statement)]

    async def record_status(self, tx: Transaction, tenant_id: str, gateway_id: str, status: GatewayStatus) -> None:
        """Store the status of a gateway, unless a newer one is stored."""
        await tx.driver.run(
            _RECORD_STATUS,
            {
                "tenant": tenant_id,
                "gateway": gateway_id,
                "online": status.online,
                "heard_us": status.at_us,
                "epoch": status.epoch,
                "software": status.software,
                "store_state": status.store_state,
                "boot_id": status.boot_id,
            },
        )


def _gateway(row: Sequence[Any]) -> RegisteredGateway:
    tenant_id, id, organization_id, vehicle_id, key, registered_at_us, *rest = row
    access, access_reason, access_at_us, online, status_at_us, epoch, software, store_state, boot_id = rest
    status = None
    if status_at_us is not None:
        status = GatewayStatus(
            online=bool(online),
            at_us=status_at_us,
            epoch=epoch,
            software=software,
            store_state=store_state,
            boot_id=boot_id,
        )
    return RegisteredGateway(
        tenant_id=tenant_id,
        id=id,
        organization_id=organization_id,
        vehicle_id=vehicle_id,
        public_key=bytes(key),
        registered_at_us=registered_at_us,
        status=status,
        access=GatewayAccess(access),
        access_reason=access_reason,
        access_at_us=access_at_us,
    )
