"""Sweep of the field changes of care records that were imported from documents."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func, select

from cloud.clinical.epcr import IMPORTS_LANE_ID, care_changes
from cloud.clinical.observations import held_observations, sequence_at, time_of_sequence
from cloud.foundation.db import Transaction
from cloud.foundation.retention import DAY_US, Amount, Terms
from cloud.vehicles.expiry.care_rows import delete_changes
from cloud.vehicles.expiry.lane_data import held_changes
from cloud.vehicles.expiry.other_rows import DatedRows

IMPORTS_AT_ONCE = 8
"""Imports of one step: as many changes as other steps delete, since most imports have 300."""
_ROWS = care_changes.c
_IMPORTED = _ROWS.lane_id == IMPORTS_LANE_ID


class ImportedChanges(DatedRows):
    """The sweep of imported changes. The changes of an import share a sequence, so it is deleted whole."""

    async def oldest_us(self, tx: Transaction, terms: Terms, now_us: int) -> int | None:
        ends_us = []
        for days in terms.periods():
            rows = (await tx.execute(self._page(days, now_us))).rows
            mine = [row.sequence for row in rows if terms.days_of(row.tenant_id) == days]
            if mine:
                ends_us.append(time_of_sequence(min(mine)) + days * DAY_US)
        return min(ends_us, default=None)

    async def count_before(self, tx: Transaction, tenant_id: str, before_us: int) -> Amount:
        statement = select(func.count()).where(
            _IMPORTED, _ROWS.tenant_id == tenant_id, _ROWS.sequence < sequence_at(before_us)
        )
        return Amount(int((await tx.execute(statement)).scalar()))

    def _page(self, days: int, now_us: int) -> Select[Any]:
        return (
            select(_ROWS.sequence, func.min(_ROWS.tenant_id).label("tenant_id"))
            .where(_IMPORTED, _ROWS.sequence < sequence_at(now_us - days * DAY_US))
            .where(_ROWS.sequence > self._after.get(days, -1))
            .group_by(_ROWS.sequence)
            .order_by(_ROWS.sequence)
            .limit(IMPORTS_AT_ONCE)
        )

    async def _delete(self, tx: Transaction, terms: Terms, tenant_id: str, sequences: Sequence[int]) -> None:
        held = await held_observations(tx, tenant_id, terms.holds_of(tenant_id))
        expired = [_IMPORTED, _ROWS.sequence.in_(sequences)]
        await delete_changes(tx, [*expired, ~held_changes(held)] if held else expired)
