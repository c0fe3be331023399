"""The limit of the stored spans, shared between the tenants: a tenant with many spans loses its own oldest ones, and
displaces none of other tenants.

If all tenants together have more than the limit, each may keep the same number: the greatest one with which all spans
fit. A tenant with fewer loses nothing.

The rows are counted in chunks, and only after the table has grown by a part of the limit since the last count. Then as
many are deleted as make room for this growth.
"""

from collections import Counter
from collections.abc import Mapping

from sqlalchemy import delete, func, select

from cloud.foundation.db import CHUNK_ROWS, Transaction
from cloud.foundation.tracing.tables import spans

COUNTED_ROWS = 10_000
"""Rows that are counted in one transaction: 8 to 15 ms on SQLite (measured, other work on the machine)."""
GROWTH_PART = 20
"""A twentieth of the limit is the growth between two counts."""


def excess_of(counts: Mapping[str, int], most: int) -> dict[str, int]:
    """Return how many spans each tenant has above its share, if all may have `most`; tenants without any are absent."""
    left, level = most, most
    for place, count in enumerate(sorted(counts.values())):
        level = left // (len(counts) - place)
        if count > level:
            break
        left -= count
    return {tenant_id: count - level for tenant_id, count in counts.items() if count > level}


class TenantShares:
    """Deletes the spans in excess of `rows_max`, the oldest ones of the tenants above their share."""

    def __init__(self, rows_max: int) -> None:
        self._rows_max = rows_max
        self._growth = max(1, rows_max // GROWTH_PART)
        self._counted_to = 0
        """The newest row when the last count ended."""
        self._at: int | None = None
        """The last row of the count that goes on; None: there is none."""
        self._counts: Counter[str] = Counter()
        self._firsts: dict[str, int] = {}
        self._excess: dict[str, int] = {}
        self._deleted_to = 0

    async def delete_chunk(self, tx: Transaction) -> int:
        """Count or delete one chunk; return the number of examined rows, 0 when there is nothing to do."""
        if self._excess:
            return await self._delete(tx)
        if self._at is None:
            first = (await tx.execute(select(func.min(spans.c.id)))).scalar()
            newest = (await tx.execute(select(func.max(spans.c.id)))).scalar()
            # Rows have consecutive numbers with gaps, so there are at most this many.
            if first is None or newest - first < self._rows_max:
                return 0
            if 0 <= newest - self._counted_to < self._growth:
                return 0
            self._at = first - 1
            self._counts.clear()
            self._firsts.clear()
        return await self._count(tx, self._at)

    async def _count(self, tx: Transaction, after: int) -> int:
        chunk = (
            select(spans.c.id, spans.c.tenant_id)
            .where(spans.c.id > after)
            .order_by(spans.c.id)
            .limit(COUNTED_ROWS)
            .subquery()
        )
        of_tenants = select(chunk.c.tenant_id, func.count(), func.min(chunk.c.id), func.max(chunk.c.id))
        rows = (await tx.execute(of_tenants.group_by(chunk.c.tenant_id))).rows
        for tenant_id, count, first, _ in rows:
            self._counts[tenant_id] += count
            self._firsts.setdefault(tenant_id, first)
        self._at = max((row[3] for row in rows), default=after)
        examined = int(sum(row[1] for row in rows))
        if examined < COUNTED_ROWS:
            self._counted_to, self._at = self._at, None
            if self._counts.total() > self._rows_max:
                self._excess = excess_of(self._counts, self._rows_max - self._growth)
                self._deleted_to = min(self._firsts[tenant_id] for tenant_id in self._excess) - 1
        return examined or len(self._excess)  # an empty last chunk may end a count with an excess

    async def _delete(self, tx: Transaction) -> int:
        page = select(spans.c.id, spans.c.tenant_id).where(spans.c.id > self._deleted_to)
        rows = (await tx.execute(page.order_by(spans.c.id).limit(CHUNK_ROWS))).rows
        excess, chosen = dict(self._excess), []
        for id, tenant_id in rows:
            if excess.get(tenant_id, 0) > 0:
                excess[tenant_id] -= 1
                chosen.append(id)
        if chosen:
            await tx.execute(delete(spans).where(spans.c.id.in_(chosen)))
        # After the statement: if it fails, the next run repeats this chunk.
        self._excess = {tenant_id: count for tenant_id, count in excess.items() if count > 0} if rows else {}
        self._deleted_to = rows[-1][0] if rows else 0
        return len(rows)
