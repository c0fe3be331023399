"""The background step that begins the evidence of encounters which a release without evidence created.

Their summaries name evidence, so it has to exist. Its first record states when it was made and why it is late.
"""

from sqlalchemy import tuple_

from cloud.clinical.epcr import Encounter, encounters
from cloud.foundation.db import Records, Transaction, estimate_rows
from cloud.foundation.step import Chunk, RowStep
from cloud.work.evidence.encounters import EncounterRecorder

AT_ONCE_MAX = 50
"""Encounters of one transaction. Each takes two signatures and some statements, two milliseconds."""

_ENCOUNTERS = Records(Encounter, encounters)


def existing_step(recorder: EncounterRecorder) -> RowStep:
    """Return the step. A position is a tenant and the id of an encounter, separated by a space."""

    async def begin_next(tx: Transaction, position: str, rows_max: int) -> Chunk:
        """Begin the evidence of the next encounters after the position."""
        tenant_id, _, encounter_id = position.partition(" ")
        key, count = (encounters.c.tenant_id, encounters.c.id), min(rows_max, AT_ONCE_MAX)
        statement = _ENCOUNTERS.select().where(tuple_(*key) > (tenant_id, encounter_id)).order_by(*key).limit(count)
        found = await _ENCOUNTERS.all(tx, statement)
        for encounter in found:
            await recorder.begin_existing(tx, encounter)
        last = found[-1] if found else None
        return Chunk(position if last is None else f"{last.tenant_id} {last.id}", len(found), len(found) < count)

    purpose = "begin the evidence of the stored encounters"
    return RowStep("evidence_encounters", purpose, begin_next, lambda tx: estimate_rows(tx, encounters))
