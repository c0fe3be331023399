"""The phases that look into signed batches without rows: repetitions from a device's memory, unreadable batches, and
the quarantine.

A batch that cannot be read is removed if the vehicle of the encounter, or the gateway of a report that the encounter
was joined to, sent it at that time. Those of other vehicles stay.

A device may send its memory again. Such repetitions have no rows, so the batches of every lane that has some are read
since the beginning of the encounter. When this phase begins, the content keys of the erased values are deleted, so a
repetition that arrives later gets a row, by which it is found. Those of earlier days are in packed objects
(`packed_batches`), which are searched after the rows of their lane.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, or_, select, update

from cloud.clinical.observations import ErasedValues
from cloud.foundation.db import Transaction
from cloud.foundation.retention import DAY_US
from cloud.vehicles.custody import NOT_UNPACKED, Content, batches, lanes, quarantined_batches
from cloud.vehicles.erasure.batches import BatchErasure, ContentOfEncounter
from cloud.vehicles.erasure.model import Amounts, Erasure, Progress
from cloud.vehicles.erasure.packed_batches import search_packed
from cloud.vehicles.erasure.place import ErasingPlace, Step
from cloud.vehicles.fleet import gateways
from cloud.vehicles.ingest import UnreadablePayload, unpack
from protocols.errors import RemoteProtocolError
from protocols.uplink.envelope import Batch, decode_envelope
from protocols.uplink.lanes import Lane

DECODED_AT_ONCE = 100
"""Batches that one step decodes, some tenths of a second for the largest numerics."""
READ_AT_ONCE = 5_000
"""Batches of which one step reads the state without the envelope: about 20 ms."""
QUARANTINED_AT_ONCE = 20
_NOT_UNPACKED = frozenset(one.value for one in NOT_UNPACKED)


async def erase_envelopes(place: ErasingPlace, erasure: Erasure, position: list[int]) -> Progress:
    """Look into the next batches, and remove those of the encounter. The position is a lane id and a sequence number,
    and 1 while packed runs are searched. After 0 instead, it has the sequence number of the last run that was searched.
    Later rounds do not repeat this."""
    if position[2:] == [1]:
        return await search_packed(place, erasure, position)
    if erasure.finished_at_us is not None:
        position = [_LAST, 0]
    lane_id, sequence, *searched = position or [0, 0]
    async with place.step(erasure) as step:
        lane = await _lane(step, erasure, lane_id)
        if lane is None:
            step.progress = Progress(None)
            return step.progress
        after, searched = (sequence, searched) if lane.lane_id == lane_id else (0, [])
        limit = DECODED_AT_ONCE if lane.repeated else READ_AT_ONCE
        page = await _page(step.tx, lane.lane_id, after, limit)
        unread = [row for row in page if row.content in _NOT_UNPACKED and _is_in_time(row, erasure)]
        mine = {row.sequence for row in unread if _may_have_values(step, erasure, lane, row)}
        if lane.repeated:
            mine |= await _with_values(step, lane, page, erasure.from_us - DAY_US)
        removing = BatchErasure(step, place.clock.now_us())
        amounts = await removing.remove({lane.lane_id: mine} if mine else {})
        following = [lane.lane_id + 1, 0]
        if len(page) == limit:
            following = [lane.lane_id, page[-1].sequence, *searched]
        elif lane.repeated and lane.lane == Lane.NUMERIC.value:
            following = [lane.lane_id, searched[-1] if searched else 0, 1]
        step.progress = Progress(following, amounts)
    return step.progress


_LAST = (1 << 62) - 1


async def _lane(step: Step, erasure: Erasure, lane_id: int) -> Row[Any] | None:
    """Return the first lane from this id on that may have batches of the encounter without rows."""
    of_vehicles = select(gateways.c.id).where(
        gateways.c.tenant_id == erasure.tenant_id, gateways.c.vehicle_id.in_(sorted(_vehicles(step, erasure)))
    )
    of_reports = sorted(_gateways_of_reports(step))
    mine = or_(lanes.c.repeated > 0, lanes.c.gateway_id.in_(of_vehicles), lanes.c.gateway_id.in_(of_reports))
    statement = select(lanes).where(lanes.c.tenant_id == erasure.tenant_id, lanes.c.lane_id >= lane_id, mine)
    return (await step.tx.execute(statement.order_by(lanes.c.lane_id).limit(1))).first()


async def _page(tx: Transaction, lane_id: int, after: int, limit: int) -> Sequence[Any]:
    rows = batches.c
    named = (rows.sequence, rows.content, rows.created_at_us, rows.stored_at_us, rows.organization_id, rows.vehicle_id)
    statement = select(*named).where(rows.lane_id == lane_id, rows.sequence > after)
    return (await tx.execute(statement.order_by(rows.sequence).limit(limit))).rows


def _vehicles(step: Step, erasure: Erasure) -> set[str]:
    """Return the vehicle of the encounter and those that sent values of it."""
    return {*step.values.vehicle_ids, *filter(None, [erasure.vehicle_id])}


def _gateways_of_reports(step: Step) -> set[str]:
    """Return the gateways of the reports that the encounter was joined to."""
    return {one.gateway_id for one in step.reports}


def _is_in_time(row: Any, erasure: Erasure) -> bool:
    """Return whether a batch that cannot be read was made during the encounter."""
    return bool(erasure.from_us <= row.created_at_us <= erasure.until_us)


def _may_have_values(step: Step, erasure: Erasure, lane: Any, row: Any) -> bool:
    """Return whether a batch that cannot be read may have values of the encounter: its gateway was in one of the
    vehicles when it arrived, or sent one of the reports. A lane may have been chosen for its repetitions alone."""
    return row.vehicle_id in _vehicles(step, erasure) or lane.gateway_id in _gateways_of_reports(step)


async def _with_values(step: Step, lane: Any, page: Sequence[Any], stored_from_us: int) -> set[int]:
    """Return the sequence numbers of the batches of a page that have values of the encounter."""
    due = {
        row.sequence: row for row in page if row.content == Content.ROWS.value and row.stored_at_us >= stored_from_us
    }
    if not due:
        return set()
    rows = batches.c
    statement = select(rows.sequence, rows.envelope).where(rows.lane_id == lane.lane_id, rows.sequence.in_(sorted(due)))
    deciding = ContentOfEncounter(step.tx, step.values, step.reports)
    mine: set[int] = set()
    for sequence, envelope in await step.tx.execute(statement):
        try:
            content = unpack(decode_envelope(bytes(envelope)).batch)
        except RemoteProtocolError:
            continue  # the check of the chain reports it
        row = due[sequence]
        if await deciding.positions(lane.gateway_id, (row.organization_id, row.vehicle_id), content):
            mine.add(sequence)
    return mine


async def erase_quarantine(place: ErasingPlace, erasure: Erasure, position: list[int]) -> Progress:
    """Delete the bytes of the next quarantined batches of the encounter; their rows stay. The position is the id of the
    last row. What cannot be read counts as of the encounter if a gateway of its vehicle sent it at that time."""
    table = quarantined_batches.c
    (after,) = position or [0]
    here = (table.tenant_id == erasure.tenant_id, table.octets.is_not(None), table.quarantine_id > after)
    async with place.step(erasure) as step:
        statement = select(quarantined_batches).where(*here).order_by(table.quarantine_id).limit(QUARANTINED_AT_ONCE)
        page = (await step.tx.execute(statement)).rows
        deciding = ContentOfEncounter(step.tx, step.values, step.reports)
        mine = [
            row.quarantine_id for row in page if await _is_quarantined(step.tx, step.values, deciding, erasure, row)
        ]
        if mine:
            emptied = update(quarantined_batches).where(table.quarantine_id.in_(mine))
            await step.tx.execute(emptied.values(octets=None))
        following = [page[-1].quarantine_id] if len(page) == QUARANTINED_AT_ONCE else None
        step.progress = Progress(following, Amounts(quarantined=len(mine)))
    return step.progress


async def _is_quarantined(
    tx: Transaction, values: ErasedValues, deciding: ContentOfEncounter, erasure: Erasure, row: Any
) -> bool:
    table = gateways.c
    named = (table.tenant_id == erasure.tenant_id, table.id == row.gateway_id)
    gateway = (await tx.execute(select(table.organization_id, table.vehicle_id).where(*named))).first()
    vehicles = {*values.vehicle_ids, erasure.vehicle_id}
    batch: Batch | None = None
    try:
        batch = decode_envelope(bytes(row.octets)).batch
        content = unpack(batch)
    except RemoteProtocolError:
        content = None
    if gateway is None or content is None or isinstance(content, UnreadablePayload):
        at_us = row.first_us if batch is None else batch.created_at_us
        in_time = erasure.from_us <= at_us <= erasure.until_us + DAY_US
        return in_time and (gateway is None or gateway.vehicle_id in vehicles)
    return bool(await deciding.positions(row.gateway_id, (gateway.organization_id, gateway.vehicle_id), content))
