"""The phases that erase rows: values, values in minute rows, and field changes of the care record.

Rows and the signed batches that they arrived in are erased in one transaction, so the rows and the chain agree at every
moment. Each step erases what it finds first, so it needs no position.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, delete, func, or_, select, tuple_

from cloud.clinical.epcr import JoinedReport, Joins, care_changes
from cloud.clinical.handover import ShareLinks
from cloud.clinical.observations import MinuteErasure
from cloud.foundation.db import AnyRow, Transaction
from cloud.foundation.viewer import Actor
from cloud.vehicles.erasure.batches import BatchErasure
from cloud.vehicles.erasure.holds import check_holds
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
    """Erase the next field changes of the care record and their batches, also those of the reports of the crew that the
    encounter was joined to. A statement of a join that arrived since the last step is followed before it is erased.
    Raises `EncounterHeld` if a legal hold keeps a report that only this step has found."""
    async with place.step(erasure) as step:
        reports = await Joins().to_erase(step.tx, erasure.tenant_id, erasure.organization_id, erasure.encounter_id)
        if late := reports - step.reports:
            # The beginning of the step has compared the legal holds with the reports that were known.
            await check_holds(step.tx, Actor.operator(erasure.tenant_id), erasure, step.values, late)
            await place.store.add_reports(step.tx, erasure.erasure_id, late)
            step.reports |= late
        found = await _next_changes(step.tx, erasure, step.reports)
        of_lanes: defaultdict[int, set[int]] = defaultdict(set)
        for row in found:
            of_lanes[row.lane_id].add(row.sequence)
        if found:
            await step.tx.execute(delete(care_changes).where(tuple_(*_PLACE).in_([tuple(row) for row in found])))
            for owner in (erasure.encounter_id, *(one.report_id for one in step.reports)):
                await ShareLinks().erase(step.tx, erasure.tenant_id, owner)
        batches = BatchErasure(step, place.clock.now_us())
        amounts = Amounts(changes=len(found)) + await batches.remove(of_lanes)
        step.progress = Progress([] if found else None, amounts)
    return step.progress


async def count_changes(tx: Transaction, erasure: Erasure, reports: Collection[JoinedReport]) -> int:
    """Count the field changes that an erasure deletes."""
    counting = select(func.count()).select_from(care_changes).where(*_of_logs(erasure, reports))
    return int((await tx.execute(counting)).scalar())


async def _next_changes(tx: Transaction, erasure: Erasure, reports: Collection[JoinedReport]) -> Sequence[AnyRow]:
    return (await tx.execute(select(*_PLACE).where(*_of_logs(erasure, reports)).limit(CHANGES_AT_ONCE))).rows


def _of_logs(erasure: Erasure, reports: Collection[JoinedReport]) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of the field changes in the logs of the encounter and of these reports."""
    table, mine = care_changes.c, care_changes.c.encounter_id == erasure.encounter_id
    pairs = [(one.report_id, one.gateway_id) for one in sorted(reports)]
    if not pairs:
        return table.tenant_id == erasure.tenant_id, mine
    return (
        table.tenant_id == erasure.tenant_id,
        table.encounter_id.in_([erasure.encounter_id, *(report_id for report_id, _ in pairs)]),  # for the index
        # Not a condition for each report: SQLite takes a thousand, and a vehicle can state more joins.
        or_(mine, tuple_(table.encounter_id, table.gateway_id).in_(pairs)),
    )
