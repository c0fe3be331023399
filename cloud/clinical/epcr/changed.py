"""Marks of encounters that changed, for what is computed from them, such as quality indicators.

A mark is a row of its own in the transaction of the change. So no change waits for another one or for the reader, and a
change that commits while the reader works leaves a mark that the reader has not taken. Several marks of one encounter
are usual.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import delete, select

from cloud.clinical.epcr.tables import changed_encounters
from cloud.foundation.db import Transaction

_COLUMNS = ("tenant_id", "encounter_id")


class ChangedEncounters:
    """SQL statements on the marks."""

    async def mark(self, tx: Transaction, encounters: Collection[tuple[str, str]]) -> None:
        """Mark encounters, which are named by tenant and id, as changed by this transaction."""
        if encounters:
            await tx.driver.append(changed_encounters, _COLUMNS, sorted(encounters))

    async def take(self, tx: Transaction, count: int) -> Sequence[tuple[str, str]]:
        """Remove the oldest marks, at most `count`, and return their encounters by tenant and id. Marks that another
        process takes are passed over. Read the encounters afterwards, in the same transaction."""
        table = changed_encounters.c
        oldest = select(table.id, table.tenant_id, table.encounter_id).order_by(table.id).limit(count)
        rows = (await tx.execute(oldest.with_for_update(skip_locked=True))).rows
        if rows:
            await tx.execute(delete(changed_encounters).where(table.id.in_([row.id for row in rows])))
        return [(row.tenant_id, row.encounter_id) for row in rows]
