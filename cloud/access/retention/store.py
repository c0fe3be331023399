"""SQL statements on retention periods and legal holds."""

from collections.abc import Sequence

from sqlalchemy import func, select, update

from cloud.access.retention.model import Hold
from cloud.access.retention.tables import retention_holds, retention_periods
from cloud.foundation.db import Records, Transaction, insert
from cloud.foundation.retention import HoldScope, Kind, Terms
from cloud.foundation.viewer import Viewer

_HOLDS = Records(Hold, retention_holds)
_IN_FORCE = retention_holds.c.released_at_us.is_(None)


class RetentionStore:
    """SQL statements on retention periods and legal holds."""

    async def terms(self, tx: Transaction, kind: Kind) -> Terms:
        """Return the periods and holds of all tenants for one kind of data."""
        periods = retention_periods.c
        own = await tx.execute(select(periods.tenant_id, periods.days).where(periods.kind == kind.name))
        holds = [one.held for one in await _HOLDS.all(tx, _HOLDS.select().where(_IN_FORCE))]
        whole = {one.tenant_id for one in holds if one.scope is HoldScope.TENANT}
        return Terms(
            default_days=kind.default_days,
            days={row.tenant_id: row.days for row in own},
            held_tenants=frozenset(whole if kind.is_evidence else ()),
            holds=tuple(one for one in holds if one.scope in kind.holds),
        )

    async def set_period(self, tx: Transaction, tenant_id: str, kind: str, days: int | None, now_us: int) -> None:
        values = {"tenant_id": tenant_id, "kind": kind, "days": days, "changed_at_us": now_us}
        changed = {"days": days, "changed_at_us": now_us}
        statement = insert(retention_periods).values(values)
        await tx.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "kind"], set_=changed))

    async def unlimited_tenants(self, tx: Transaction, kind: str) -> int:
        """Count the tenants whose data of a kind are kept without end because of a period of their own."""
        periods = retention_periods.c
        statement = select(func.count()).where(periods.kind == kind, periods.days.is_(None))
        return int((await tx.execute(statement)).scalar())

    async def holds(self, tx: Transaction, viewer: Viewer) -> Sequence[Hold]:
        """Return the tenant's holds in force, oldest first."""
        statement = _HOLDS.select().where(_IN_FORCE, retention_holds.c.tenant_id == viewer.tenant_id)
        return await _HOLDS.all(tx, statement.order_by(retention_holds.c.placed_at_us, retention_holds.c.id))

    async def add_hold(self, tx: Transaction, hold: Hold) -> bool:
        """Store a hold. Return False when the same hold is already in force."""
        return await _HOLDS.add(tx, hold)

    async def release_hold(self, tx: Transaction, viewer: Viewer, hold_id: str, by: str, now_us: int) -> Hold | None:
        """Record that a hold is released and return it; None when there is no such hold in force."""
        mine = (retention_holds.c.tenant_id == viewer.tenant_id, retention_holds.c.id == hold_id, _IN_FORCE)
        statement = update(retention_holds).where(*mine).values(released_at_us=now_us, released_by=by)
        row = (await tx.execute(statement.returning(*_HOLDS.columns))).first()
        return None if row is None else _HOLDS.read(row)
