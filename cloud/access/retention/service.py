"""Show and change the retention periods of a tenant; place and release legal holds.

Every change is audited. A hold is respected by every deletion that begins after its commit.
"""

from collections.abc import Sequence
from dataclasses import replace

from cloud.access.audit import Audit
from cloud.access.retention.errors import (
    HoldReasonMalformed,
    HoldsTooMany,
    HoldTaken,
    HoldUnknown,
    KindUnknown,
    PeriodRefused,
    ShorteningUnconfirmed,
)
from cloud.access.retention.model import Hold, Period, PeriodChange
from cloud.access.retention.store import RetentionStore
from cloud.access.tenancy import TenancyStore, TenantUnknown
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.errors import Mistake
from cloud.foundation.ids import Ids
from cloud.foundation.readable import hidden_character
from cloud.foundation.retention import DAY_US, HoldScope, Kind, kinds
from cloud.foundation.suggestions import closest
from cloud.foundation.viewer import Actor, Viewer

DAYS_MOST = 36_525
"""The longest period: a hundred years, longer than any record of a patient must be kept. `None` is without end."""
HOLDS_MAX = 200
"""Holds in force of one tenant. Each narrow hold is a condition of the statements that delete, which must stay short.
A tenant with more cases than this holds whole gateways, or all of its data."""
REASON_LENGTH_MAX = 200


class Retention:
    """Operations on the retention periods and legal holds of a tenant."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._store = RetentionStore()
        self._audit = Audit(clock)

    async def periods(self, viewer: Viewer) -> Sequence[Period]:
        """Return the tenant's period of every kind of data. Raises `TenantUnknown`."""
        async with self._database.read() as tx:
            if not await TenancyStore().has_tenant(tx, viewer.tenant_id):
                raise TenantUnknown
            found = []
            for kind in kinds().values():
                terms = await self._store.terms(tx, kind)
                found.append(
                    Period(
                        kind=kind.name,
                        meaning=kind.meaning,
                        days=terms.days.get(viewer.tenant_id, terms.default_days),
                        is_default=viewer.tenant_id not in terms.days,
                        is_held=viewer.tenant_id in terms.held_tenants,
                    )
                )
        return found

    async def holds(self, viewer: Viewer) -> Sequence[Hold]:
        """Return the tenant's holds in force, oldest first."""
        async with self._database.read() as tx:
            return await self._store.holds(tx, viewer)

    async def preview(self, viewer: Viewer, kind_name: str, days: int | None) -> PeriodChange:
        """Return the effect of a new period (`days` None: without end) before it is set. Raises `KindUnknown`,
        `PeriodRefused`."""
        kind = _kind_named(kind_name)
        _check_days(kind, days)
        async with self._database.read() as tx:
            return await self._change(tx, viewer, kind, days)

    async def set_period(
        self, actor: Actor, kind_name: str, days: int | None, *, shortening_confirmed: bool = False
    ) -> PeriodChange:
        """Set the tenant's period of one kind. `days` None: without end. Raises `KindUnknown`, `PeriodRefused`,
        `TenantUnknown`; `ShorteningUnconfirmed` for a shorter period without `shortening_confirmed`."""
        kind = _kind_named(kind_name)
        _check_days(kind, days)
        async with self._database.transaction() as tx:
            await self._lock(tx, actor)
            terms = await self._store.terms(tx, kind)
            before = terms.days.get(actor.tenant_id, terms.default_days)
            change = PeriodChange(kind=kind.name, before_days=before, after_days=days)
            if change.is_shortening and not shortening_confirmed:
                raise ShorteningUnconfirmed
            await self._store.set_period(tx, actor.tenant_id, kind.name, days, self._clock.now_us())
            details = {"before_days": before, "after_days": days}
            await self._audit.record(tx, actor, "retention.set", kind.name, metadata=details)
        return change

    async def hold(self, actor: Actor, scope: HoldScope, object_id: str, reason: str) -> Hold:
        """Place a hold. The caller has checked that the object exists. Raises `HoldReasonMalformed`, `HoldTaken`,
        `HoldsTooMany`, `TenantUnknown`."""
        reason = reason.strip()
        if not reason or len(reason) > REASON_LENGTH_MAX:
            raise HoldReasonMalformed
        if (found := hidden_character(reason)) is not None:
            raise HoldReasonMalformed(f"(It contains {found}.)")
        hold = Hold(
            id=self._ids.new("hld"),
            tenant_id=actor.tenant_id,
            scope=scope,
            object_id=object_id,
            reason=reason,
            placed_at_us=self._clock.now_us(),
            placed_by=actor.subject,
        )
        async with self._database.transaction() as tx:
            await self._lock(tx, actor)
            if len(await self._store.holds(tx, actor)) >= HOLDS_MAX:
                raise HoldsTooMany(f"(The limit is {HOLDS_MAX}.)")
            if not await self._store.add_hold(tx, hold):
                raise HoldTaken
            details = {"scope": scope.value, "object_id": object_id}
            await self._audit.record(tx, actor, "retention.hold", hold.id, metadata=details)
        return hold

    async def release(self, actor: Actor, hold_id: str) -> Hold:
        """Release a hold: data past their period are deleted from now on. Raises `HoldUnknown`."""
        async with self._database.transaction() as tx:
            hold = await self._store.release_hold(tx, actor, hold_id, actor.subject, self._clock.now_us())
            if hold is None:
                raise HoldUnknown
            details = {"scope": hold.scope.value, "object_id": hold.object_id}
            await self._audit.record(tx, actor, "retention.release", hold.id, metadata=details)
        return hold

    async def _lock(self, tx: Transaction, actor: Actor) -> None:
        if not await TenancyStore().lock_tenant(tx, actor.tenant_id):
            raise TenantUnknown

    async def _change(self, tx: Transaction, viewer: Viewer, kind: Kind, days: int | None) -> PeriodChange:
        terms = await self._store.terms(tx, kind)
        before = terms.days.get(viewer.tenant_id, terms.default_days)
        change = PeriodChange(kind=kind.name, before_days=before, after_days=days)
        if not change.is_shortening or days is None:
            return change
        before_us = self._clock.now_us() - days * DAY_US
        return replace(change, deleted=await kind.sweep().count_before(tx, viewer.tenant_id, before_us))


def _kind_named(name: str) -> Kind:
    known = kinds()
    if name not in known:
        text = f"There is no kind of data {name!r}; there are {', '.join(known)}."
        near = closest(name, list(known))
        raise KindUnknown(f"({name})", mistakes=[Mistake(text, parameter="kind", did_you_mean=near)])
    return known[name]


def _check_days(kind: Kind, days: int | None) -> None:
    if days is not None and not kind.days_least <= days <= DAYS_MOST:
        raise PeriodRefused(f"({kind.name}: {kind.days_least} to {DAYS_MOST} days, or without end.)")
