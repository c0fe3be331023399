"""The rows of gateways. The query by id is compiled once, since ingest looks up the gateway of every batch."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import bindparam, select, update

from cloud.foundation.db import Prepared, Records, Transaction
from cloud.foundation.viewer import Viewer, visible
from cloud.vehicles.fleet.model import FormerKey, GatewayStatus, RegisteredGateway
from cloud.vehicles.fleet.tables import gateway_former_keys, gateways

_GATEWAYS = Records(RegisteredGateway, gateways)
_STATUS = ("online", "epoch", "software", "store_state", "boot_id")
_COLUMNS = (*_GATEWAYS.columns, gateways.c.status_at_us, *(gateways.c[name] for name in _STATUS))

_FIND = Prepared(
    select(*_COLUMNS).where(gateways.c.tenant_id == bindparam("tenant"), gateways.c.id == bindparam("gateway"))
)
# A late status (the will of a connection that has already been replaced) changes nothing.
_RECORD_STATUS = Prepared(
    update(gateways)
    .where(
        gateways.c.tenant_id == bindparam("tenant"),
        gateways.c.id == bindparam("gateway"),
        gateways.c.status_at_us.is_(None) | (gateways.c.status_at_us <= bindparam("at_us")),
    )
    .values(status_at_us=bindparam("at_us"), **{name: bindparam(name) for name in _STATUS})
)


class GatewayDirectory:
    """SQL statements on gateways."""

    async def find(self, tx: Transaction, tenant_id: str, gateway_id: str) -> RegisteredGateway | None:
        """Return the gateway with this tenant and id (from an MQTT topic), or None. Visibility is not checked, because
        the sender is the gateway itself, whose signature is verified."""
        rows = await tx.driver.rows(_FIND, {"tenant": tenant_id, "gateway": gateway_id})
        return _gateway(rows[0]) if rows else None

    async def add(self, tx: Transaction, gateway: RegisteredGateway) -> bool:
        """Add a gateway. Return False if the tenant already has a gateway with this id."""
        return await _GATEWAYS.add(tx, gateway)

    async def former_keys(self, tx: Transaction, gateway: RegisteredGateway) -> Sequence[FormerKey]:
        """Return the former signing keys of a gateway, newest first."""
        table = gateway_former_keys
        rows = await tx.execute(
            select(table.c.public_key, table.c.replaced_at_us)
            .where(table.c.tenant_id == gateway.tenant_id, table.c.gateway_id == gateway.id)
            .order_by(table.c.replaced_at_us.desc())
        )
        return [FormerKey(bytes(row.public_key), row.replaced_at_us) for row in rows]

    async def owner_of(self, tx: Transaction, gateway_id: str) -> str | None:
        """Return a tenant that has a gateway with this id, or None. The broker identifies a gateway by its id alone."""
        rows = await tx.execute(select(gateways.c.tenant_id).where(gateways.c.id == gateway_id).limit(1))
        found = rows.first()
        return None if found is None else str(found.tenant_id)

    async def list(self, tx: Transaction, viewer: Viewer) -> Sequence[RegisteredGateway]:
        statement = select(*_COLUMNS).where(*visible(gateways, viewer)).order_by(gateways.c.id)
        return [_gateway(row) for row in await tx.execute(statement)]

    async def record_status(self, tx: Transaction, tenant_id: str, gateway_id: str, status: GatewayStatus) -> None:
        """Store the status of a gateway, unless a newer one is already stored."""
        await tx.driver.run(_RECORD_STATUS, {"tenant": tenant_id, "gateway": gateway_id, **asdict(status)})


def _gateway(row: Sequence[Any]) -> RegisteredGateway:
    own, (at_us, *values) = row[: len(_GATEWAYS.columns)], row[len(_GATEWAYS.columns) :]
    if at_us is None:
        return _GATEWAYS.read(own)
    reported = dict(zip(_STATUS, values, strict=True))
    return _GATEWAYS.read(own, status=GatewayStatus(at_us=at_us, **{**reported, "online": bool(reported["online"])}))
