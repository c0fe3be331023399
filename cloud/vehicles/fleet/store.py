"""The rows of gateways. Ingest looks up the gateways of a whole group of batches with one statement."""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Boolean, Text, bindparam, select, update

from cloud.foundation.db import Database, GivenRows, Prepared, Records, Transaction, given
from cloud.foundation.viewer import Viewer, visible
from cloud.vehicles.fleet.model import FormerKey, GatewayStatus, RegisteredGateway
from cloud.vehicles.fleet.tables import gateway_former_keys, gateways

_GATEWAYS = Records(RegisteredGateway, gateways)
_STATUS = ("online", "epoch", "software", "store_state", "boot_id")
_COLUMNS = (*_GATEWAYS.columns, gateways.c.status_at_us, *(gateways.c[name] for name in _STATUS))

_FIND = Prepared(
    select(*_COLUMNS).where(gateways.c.tenant_id == bindparam("tenant"), gateways.c.id == bindparam("gateway"))
)
_named = GivenRows("named", tenant_id=Text(), gateway_id=Text())
_FIND_ALL = Prepared(
    select(*_COLUMNS).where(gateways.c.tenant_id == _named.c("tenant_id"), gateways.c.id == _named.c("gateway_id"))
)
_wanted = GivenRows("wanted", gateway_id=Text())
# Not prepared, since it is rare: an operator registers gateways, and it reads the gateways of all tenants.
_OTHERS = select(gateways.c.id).where(
    gateways.c.tenant_id != bindparam("tenant"), gateways.c.id == _wanted.c("gateway_id")
)
_reported = GivenRows(
    "reported",
    tenant_id=Text(),
    gateway_id=Text(),
    at_us=BigInteger(),
    online=Boolean(),
    epoch=Text(),
    software=Text(),
    store_state=Text(),
    boot_id=Text(),
)
# Locked in one order first: every worker receives all statuses, and two must not wait for each other.
_held = (
    select(
        gateways.c.tenant_id,
        gateways.c.id,
        *(_reported.c(name).label(f"new_{name}") for name in ("at_us", *_STATUS)),
    )
    .where(
        gateways.c.tenant_id == _reported.c("tenant_id"),
        gateways.c.id == _reported.c("gateway_id"),
        # A late status (the will of a connection that has already been replaced) changes nothing.
        gateways.c.status_at_us.is_(None) | (gateways.c.status_at_us <= _reported.c("at_us")),
    )
    .order_by(gateways.c.tenant_id, gateways.c.id)
    .with_for_update(of=gateways, key_share=True)
    .cte("held")
)
_RECORD_STATUSES = Prepared(
    update(gateways)
    .where(gateways.c.tenant_id == _held.c.tenant_id, gateways.c.id == _held.c.id)
    .values(status_at_us=_held.c.new_at_us, **{name: _held.c[f"new_{name}"] for name in _STATUS})
)

GATEWAYS_CACHED = 4_096
"""Gateways that are kept by their row: those of a large fleet, with a kilobyte each. Ingest reads the row of a gateway
with nearly each of its batches, which then share one object."""

GatewayName = tuple[str, str]
"""Tenant and gateway."""


class GatewayDirectory:
    """SQL statements on gateways."""

    async def find(self, tx: Transaction, tenant_id: str, gateway_id: str) -> RegisteredGateway | None:
        """Return the gateway with this tenant and id (from an MQTT topic), or None. Visibility is not checked, because
        the sender is the gateway itself, whose signature is verified."""
        rows = await tx.driver.rows(_FIND, {"tenant": tenant_id, "gateway": gateway_id})
        return _gateway(tuple(rows[0])) if rows else None

    async def find_all(self, tx: Transaction, names: Collection[GatewayName]) -> dict[GatewayName, RegisteredGateway]:
        """Return the gateways with these names, as `find` does, in one statement. Unknown names are left out."""
        return _by_name(await tx.driver.rows(_FIND_ALL, {"named": given(sorted(names))}) if names else ())

    async def peek_all(
        self, database: Database, names: Collection[GatewayName]
    ) -> dict[GatewayName, RegisteredGateway]:
        """Return the gateways with these names, as `find_all` does, without a transaction: with one message to the
        server instead of three."""
        return _by_name(await database.peek(_FIND_ALL, {"named": given(sorted(names))}) if names else ())

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

    async def ids_of_others(self, tx: Transaction, tenant_id: str, ids: Collection[str]) -> set[str]:
        """Return those of `ids` that gateways of other tenants have, in one statement."""
        values = {"tenant": tenant_id, "wanted": given([(id,) for id in sorted(ids)])}
        return {str(row.id) for row in await tx.execute(_OTHERS, values)}

    async def list(self, tx: Transaction, viewer: Viewer) -> Sequence[RegisteredGateway]:
        statement = select(*_COLUMNS).where(*visible(gateways, viewer)).order_by(gateways.c.id)
        return [_gateway(tuple(row)) for row in await tx.execute(statement)]

    async def record_statuses(self, tx: Transaction, statuses: Mapping[GatewayName, GatewayStatus]) -> None:
        """Store the statuses of gateways. A status is left out if a newer one of its gateway is already stored."""
        rows = [
            (*name, one.at_us, *(getattr(one, field) for field in _STATUS)) for name, one in sorted(statuses.items())
        ]
        if rows:
            await tx.driver.run(_RECORD_STATUSES, {"reported": given(rows)})


def _by_name(rows: Sequence[Sequence[Any]]) -> dict[GatewayName, RegisteredGateway]:
    found = [_gateway(tuple(row)) for row in rows]
    return {(one.tenant_id, one.id): one for one in found}


@lru_cache(maxsize=GATEWAYS_CACHED)
def _gateway(row: tuple[Any, ...]) -> RegisteredGateway:
    own, (at_us, *values) = row[: len(_GATEWAYS.columns)], row[len(_GATEWAYS.columns) :]
    if at_us is None:
        return _GATEWAYS.read(own)
    reported = dict(zip(_STATUS, values, strict=True))
    return _GATEWAYS.read(own, status=GatewayStatus(at_us=at_us, **{**reported, "online": bool(reported["online"])}))
