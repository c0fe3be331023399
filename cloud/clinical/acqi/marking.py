"""The background step that marks all encounters, so that their scores are computed with the rules of this release.

It runs after each upgrade, since an upgrade may change a rule, and since a release before does not compute scores.
"""

from sqlalchemy import select, tuple_

from cloud.clinical.epcr import ChangedEncounters, encounters
from cloud.foundation.db import Transaction, estimate_rows
from cloud.foundation.step import Chunk, RowStep


def marking_step() -> RowStep:
    """Return the step. A position is a tenant and the id of an encounter, separated by a space."""
    purpose = "compute the quality indicators of the stored encounters"
    return RowStep("acqi_encounters", purpose, mark_next, lambda tx: estimate_rows(tx, encounters), repeats=True)


async def mark_next(tx: Transaction, position: str, rows_max: int) -> Chunk:
    """Mark the next encounters after the position."""
    tenant_id, _, encounter_id = position.partition(" ")
    key = (encounters.c.tenant_id, encounters.c.id)
    statement = select(*key).where(tuple_(*key) > (tenant_id, encounter_id)).order_by(*key).limit(rows_max)
    found = [(str(row[0]), str(row[1])) for row in await tx.execute(statement)]
    await ChangedEncounters().mark(tx, found)
    return Chunk(" ".join(found[-1]) if found else position, len(found), len(found) < rows_max)
