"""Delete rows when their retention period is over: the kinds of data that slices declare, and the sweep of one table.

A slice (the folder of one capability) declares each kind of data that it keeps for a time as a `Kind`. The periods and
legal holds of a tenant are data (slice `cloud.access.retention`), which reach a sweep as `Terms`. They are read in the
transaction that deletes, so a stored hold is respected from its commit on.

This module decides neither the periods nor when a sweep runs (`cloud.foundation.housekeeping`).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import Column, ColumnElement, Select, Table, delete, func, select, tuple_

from cloud.foundation.db import CHUNK_ROWS, AnyRow, Transaction
from cloud.foundation.slice import declared

DAY_US = 86_400_000_000
REWALK_US = DAY_US
"""Interval after which a sweep begins again at its oldest row. The sweep itself needs no restart; after a step of the
system clock, this finds rows that were written behind it."""


class HoldScope(StrEnum):
    """The data that a legal hold keeps: all of a tenant, or those of one gateway, device, encounter or incident."""

    TENANT = "tenant"
    GATEWAY = "gateway"
    DEVICE = "device"
    ENCOUNTER = "encounter"
    INCIDENT = "incident"


@dataclass(frozen=True, slots=True)
class Held:
    """The scope of one legal hold in force. `object_id` is the id of the gateway, device, encounter or incident, and of
    the tenant for a hold of the whole tenant."""

    tenant_id: str
    scope: HoldScope
    object_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The periods and legal holds of one kind of data. `default_days` is the period of every tenant that is not in
    `days`. None is a period without end. `holds` has only holds narrower than a tenant: the tenants under a hold of
    their own are in `held_tenants`, and nothing of theirs is deleted."""

    default_days: int | None
    days: Mapping[str, int | None] = field(default_factory=dict)
    held_tenants: Collection[str] = frozenset()
    holds: Sequence[Held] = ()

    def days_of(self, tenant_id: str) -> int | None:
        """Return the period of a tenant in days; None if nothing of the tenant may be deleted."""
        return None if tenant_id in self.held_tenants else self.days.get(tenant_id, self.default_days)

    def cutoff_us(self, tenant_id: str, now_us: int) -> int | None:
        """Return the time before which the tenant's data have expired; None if nothing of it may be deleted."""
        days = self.days_of(tenant_id)
        return None if days is None else now_us - days * DAY_US

    def periods(self) -> Sequence[int]:
        """Return the different periods in days, without repetitions, shortest first."""
        return sorted({days for days in (self.default_days, *self.days.values()) if days is not None})

    def holds_of(self, tenant_id: str) -> Sequence[Held]:
        """Return the holds narrower than the whole tenant that concern a tenant."""
        return [one for one in self.holds if one.tenant_id == tenant_id]


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount of stored data. `size_bytes` is its size in bytes, None where the size is not known."""

    rows: int
    size_bytes: int | None = None

    def __add__(self, other: "Amount") -> "Amount":
        size_bytes = (
            None
            if self.size_bytes is None and other.size_bytes is None
            else (self.size_bytes or 0) + (other.size_bytes or 0)
        )
        return Amount(self.rows + other.rows, size_bytes)


class Sweep(Protocol):
    """Finds and deletes the expired data of one kind. An object remembers how far it has come, so that data which are
    kept longer are not read in each run."""

    async def delete_chunk(self, tx: Transaction, terms: Terms, now_us: int) -> int:
        """Handle one chunk of data; return the number of examined rows, 0 when no expired row is left."""
        ...

    async def oldest_us(self, tx: Transaction, terms: Terms, now_us: int) -> int | None:
        """Return the time at which the period of the oldest expired row ended; None when no expired row is left."""
        ...

    async def count_before(self, tx: Transaction, tenant_id: str, before_us: int) -> Amount:
        """Return how much the tenant has from before `before_us`, for the confirmation of a shorter period."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of data with a retention period. `default_days` None: kept without end. `days_least` is the shortest
    period that an operator may set. `is_evidence`: a legal hold of the tenant keeps data of this kind. `holds` are the
    narrower scopes of a hold that keep data of this kind."""

    name: str
    meaning: str
    default_days: int | None
    days_least: int = 1
    is_evidence: bool = True
    holds: Collection[HoldScope] = frozenset()
    sweep: Callable[[], Sweep]


def kinds() -> Mapping[str, Kind]:
    """Return the kinds of data that the slices (folders of capabilities) declare, by name, in the order of slices."""
    return {kind.name: kind for one in declared() if one.retention is not None for kind in one.load(one.retention)}


class InTurn:
    """The sweep of a kind of data that is in several tables: each begins when the one before it has no expired row."""

    def __init__(self, *sweeps: Sweep) -> None:
        self._sweeps = sweeps

    async def delete_chunk(self, tx: Transaction, terms: Terms, now_us: int) -> int:
        for one in self._sweeps:
            if examined := await one.delete_chunk(tx, terms, now_us):
                return examined
        return 0

    async def oldest_us(self, tx: Transaction, terms: Terms, now_us: int) -> int | None:
        found = [await one.oldest_us(tx, terms, now_us) for one in self._sweeps]
        return min([one for one in found if one is not None], default=None)

    async def count_before(self, tx: Transaction, tenant_id: str, before_us: int) -> Amount:
        total = Amount(0)
        for one in self._sweeps:
            total += await one.count_before(tx, tenant_id, before_us)
        return total


class AgedRows:
    """The sweep of a table whose rows have a tenant and a time.

    The rows are walked in the order of `time`, once for each different period, and a row is deleted in the walk of its
    tenant's period. A walk remembers the time that it has come to, so each chunk reads at most `CHUNK_ROWS` rows. More
    kept rows of one instant than a chunk has are passed over together: such rows were written by one statement, and so
    belong to one tenant. One index must have `time` as its first column, and cover `conditions`.
    """

    def __init__(
        self,
        table: Table,
        time: Column[int],
        *conditions: ColumnElement[bool],
        dependents: Sequence[Column[Any]] = (),
        ahead_us: int = 0,
    ) -> None:
        """`dependents` are columns of other tables that refer to the primary key: their rows are deleted with the
        row. `ahead_us`: how much later than the beginning of the period `time` is."""
        self._table = table
        self._time = time
        self._conditions = conditions
        self._dependents = dependents
        self._ahead_us = ahead_us
        self._key = tuple(table.primary_key.columns)
        self._from: dict[int, int] = {}
        self._walked: tuple[Terms, int] | None = None

    async def delete_chunk(self, tx: Transaction, terms: Terms, now_us: int) -> int:
        self._begin_again_if_due(terms, now_us)
        for days in terms.periods():
            rows = (await tx.execute(self._page(days, now_us))).rows
            if not rows:
                continue
            expired = [tuple(row[2:]) for row in rows if terms.days_of(row[0]) == days]
            if expired:
                await self._delete(tx, expired, self._before_us(days, now_us))
            if len(expired) < len(rows):
                self._from[days] = self._next(days, rows)
            return len(rows)
        return 0

    async def oldest_us(self, tx: Transaction, terms: Terms, now_us: int) -> int | None:
        ends_us = []
        for days in terms.periods():
            oldest = (await tx.execute(self._page(days, now_us, self._of_period(terms, days)).limit(1))).first()
            if oldest is not None:
                ends_us.append(now_us - (self._before_us(days, now_us) - int(oldest[1])))
        return min(ends_us, default=None)

    async def count_before(self, tx: Transaction, tenant_id: str, before_us: int) -> Amount:
        mine = self._table.c.tenant_id == tenant_id, self._time < before_us + self._ahead_us, *self._conditions
        return Amount(int((await tx.execute(select(func.count()).select_from(self._table).where(*mine))).scalar()))

    def _next(self, days: int, rows: Sequence[AnyRow]) -> int:
        """Return the time at which a walk continues after a page with rows that are kept."""
        last = int(rows[-1][1])
        return last if len(rows) == CHUNK_ROWS and last != self._from.get(days) else last + 1

    def _before_us(self, days: int, now_us: int) -> int:
        return now_us - days * DAY_US + self._ahead_us

    def _begin_again_if_due(self, terms: Terms, now_us: int) -> None:
        if self._walked is None or self._walked[0] != terms or now_us - self._walked[1] >= REWALK_US:
            self._walked = terms, now_us
            self._from.clear()

    def _page(self, days: int, now_us: int, *more: ColumnElement[bool]) -> Select[Any]:
        """Select the next rows that are older than a period and meet the conditions `more`: tenant, time and primary
        key."""
        columns = self._table.c.tenant_id, self._time, *self._key
        page = select(*columns).where(self._time < self._before_us(days, now_us), *self._conditions, *more)
        if days in self._from:
            page = page.where(self._time >= self._from[days])
        return page.order_by(self._time).limit(CHUNK_ROWS)

    def _of_period(self, terms: Terms, days: int) -> ColumnElement[bool]:
        """Return the condition that a row belongs to a tenant with this period."""
        tenant_id = self._table.c.tenant_id
        if days != terms.default_days:
            return tenant_id.in_([one for one in terms.days if terms.days_of(one) == days])
        return tenant_id.not_in(
            [*(one for one in terms.days if terms.days_of(one) != days), *sorted(terms.held_tenants)]
        )

    async def _delete(self, tx: Transaction, keys: Sequence[tuple[Any, ...]], before_us: int) -> None:
        for column in self._dependents:
            await tx.execute(delete(column.table).where(column.in_([key[0] for key in keys])))
        chosen = self._key[0].in_([key[0] for key in keys]) if len(self._key) == 1 else tuple_(*self._key).in_(keys)
        # The time is tested again, so a row that another transaction has renewed is kept.
        await tx.execute(delete(self._table).where(chosen, self._time < before_us, *self._conditions))


class NumberedRows(AgedRows):
    """The sweep of a table whose rows are numbered in the order of writing, and that has no index on the time alone. A
    row with a time in the future stays until that time, and does not delay the others of its chunk."""

    def __init__(self, table: Table, time: Column[int]) -> None:
        super().__init__(table, time)

    def _next(self, days: int, rows: Sequence[AnyRow]) -> int:
        return int(max(row[2] for row in rows)) + 1

    def _page(self, days: int, now_us: int, *more: ColumnElement[bool]) -> Select[Any]:
        (number,) = self._key
        oldest = select(self._table.c.tenant_id, self._time, number)
        if days in self._from:
            oldest = oldest.where(number >= self._from[days])
        rows = oldest.where(*more).order_by(number).limit(CHUNK_ROWS).subquery()
        return select(rows).where(rows.c[self._time.name] < self._before_us(days, now_us))
