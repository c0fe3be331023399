"""Marks of encounters that changed, for what is computed from them, such as quality indicators.

A mark is a row of its own in the transaction of the change. So no change waits for another one or for the reader, and a
change that commits while the reader works leaves a mark that the reader has not taken. Several marks of one encounter
are usual.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import delete, select

from cloud.clinical.epcr.tables import changed_encounters
from cloud.foundation.db import Transaction

_COLUMNS = ("tenant_id", "encounter_id")


class Mark(NamedTuple):
    """A mark of an encounter."""

    id: int
    tenant_id: str
    encounter_id: str

    @property
    def key(self) -> tuple[str, str]:
        """The encounter by tenant and id."""
        return self.tenant_id, self.encounter_id


class ChangedEncounters:
    """SQL statements on the marks."""

    async def mark(self, tx: Transaction, encounters: Collection[tuple[str, str]]) -> None:
        """Mark encounters, which are named by tenant and id, as changed by this transaction."""
        if encounters:
            await tx.driver.append(changed_encounters, _COLUMNS, sorted(encounters))

    async def oldest(self, tx: Transaction, count: int) -> Sequence[Mark]:
        """Return the oldest marks, at most `count`. Read the encounters after the marks."""
        table = changed_encounters.c
        oldest = select(table.id, table.tenant_id, table.encounter_id).order_by(table.id).limit(count)
        return [Mark(*row) for row in await tx.execute(oldest)]

    async def lock(self, tx: Transaction, marks: Collection[Mark]) -> set[Mark]:
        """Lock those of the marks that exist and that no other process has locked, and return them."""
        table = changed_encounters.c
        chosen = table.id.in_([mark.id for mark in marks])
        found = select(table.id, table.tenant_id, table.encounter_id).where(chosen).with_for_update(skip_locked=True)
        # SQLite may use the id of a removed mark again, for another encounter.
        return {Mark(*row) for row in await tx.execute(found)}.intersection(marks)

    async def remove(self, tx: Transaction, marks: Collection[Mark]) -> None:
        """Remove locked marks."""
        await tx.execute(delete(changed_encounters).where(changed_encounters.c.id.in_([mark.id for mark in marks])))
