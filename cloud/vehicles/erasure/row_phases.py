"""The phases that erase rows: values, values in minute rows, and field changes of the care record.

Rows and the signed batches that they arrived in are erased in one transaction, so the rows and the chain agree at every
moment. Each step erases what it finds first, so it needs no position.
"""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import delete, select, tuple_

from cloud.clinical.epcr import CareLog, care_changes
from cloud.clinical.observations import MinuteErasure
from cloud.foundation.db import AnyRow, Transaction
from cloud.vehicles.erasure.batches import BatchErasure
from cloud.vehicles.erasure.model import Amounts, Erasure, Progress
from cloud.vehicles.erasure.place import ErasingPlace

CHANGES_AT_ONCE = 500
"""Field changes of one step, with their batches: those of a long mission."""
_PLACE = (care_changes.c.lane_id, care_changes.c.sequence, care_changes.c.position)


async def erase_rows(place: ErasingPlace, erasure: Erasure, _position: list[int]) -> Progress:
    """Erase the next single rows and their batches."""
    async with place.step(erasure) as step:
        erased = await step.values.delete_rows(step.tx)
        batches = BatchErasure(step, place.clock.now_us())
        amounts = Amounts(observations=erased.values) + await batches.remove(erased.batches)
        step.progress = Progress([] if erased.values else None, amounts)
    return step.progress


async def erase_minutes(place: ErasingPlace, erasure: Erasure, position: list[int]) -> Progress:
    """Erase values in the next minute rows, and their batches. The position is the number of the range, and the key of
    the last row."""
    number, *after = position or [0, 0, 0, 0, 0]
    async with place.step(erasure) as step:
        if number >= len(step.values.ranges):
            step.progress = Progress(None)
        else:
            place_after = after[0], after[1], after[2], after[3]
            erased, following = await MinuteErasure().step(step.tx, step.values, number, place_after)
            batches = BatchErasure(step, place.clock.now_us())
            amounts = Amounts(observations=erased.values) + await batches.remove(erased.batches)
            step.progress = Progress([number, *following] if following else [number + 1, 0, 0, 0, 0], amounts)
    return step.progress


async def erase_care(place: ErasingPlace, erasure: Erasure, _position: list[int]) -> Progress:
    """Erase the next field changes of the care record and their batches: first those of a crew's report that the
    encounter was joined to, since the encounter's own log names it."""
    async with place.step(erasure) as step:
        joined = await CareLog().joined_reports(step.tx, erasure.tenant_id, erasure.encounter_id)
        found = await _next_changes(step.tx, erasure, joined) or await _next_changes(
            step.tx, erasure, [erasure.encounter_id]
        )
        of_lanes: defaultdict[int, set[int]] = defaultdict(set)
        for row in found:
            of_lanes[row.lane_id].add(row.sequence)
        if found:
            await step.tx.execute(delete(care_changes).where(tuple_(*_PLACE).in_([tuple(row) for row in found])))
        batches = BatchErasure(step, place.clock.now_us())
        amounts = Amounts(changes=len(found)) + await batches.remove(of_lanes)
        step.progress = Progress([] if found else None, amounts)
    return step.progress


async def _next_changes(tx: Transaction, erasure: Erasure, encounters: Sequence[str]) -> Sequence[AnyRow]:
    """Return the places of field changes in the logs of these encounters."""
    table = care_changes.c
    mine = (table.tenant_id == erasure.tenant_id, table.encounter_id.in_(encounters))
    return (await tx.execute(select(*_PLACE).where(*mine).limit(CHANGES_AT_ONCE))).rows if encounters else ()
