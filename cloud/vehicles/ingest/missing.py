"""Report batches that a gateway published and the broker confirmed, but that never arrived.

The broker's confirmation is no proof of arrival: the broker may drop batches, or another client may receive them. A
gateway's status lists the batches that the broker has confirmed and the cloud has not acknowledged. The ones that the
cloud does not hold are recorded, and reported when a status 30 s later still lists them: until then another worker may
be writing them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

from sqlalchemy import BigInteger, Text, delete, select, tuple_

from cloud.foundation.db import GivenRows, Prepared, Transaction, given, insert
from cloud.vehicles.custody import LaneKey, LaneMarks, LaneRow, Range
from cloud.vehicles.fleet import RegisteredGateway
from cloud.vehicles.ingest import event_types
from cloud.vehicles.ingest.batch_events import BatchEvents
from cloud.vehicles.ingest.tables import gateway_quotas, missing_batches
from protocols.uplink.lanes import Lane
from protocols.uplink.status import PUBLISHED_RANGES_MAX, Status

MISSING_AFTER_US = 30_000_000
"""Longest time in which a batch may still arrive from the broker: an overloaded cloud took 16 s at worst."""

RANGES_MAX = 2 * PUBLISHED_RANGES_MAX
"""Limit of the missing ranges stored of one lane: the ranges of a status, each split in two."""


_Place = tuple[str, str, str, str]
"""Tenant, gateway, epoch and lane."""


@dataclass(frozen=True, slots=True)
class _Noted:
    """The missing ranges of a lane, the time since which they are missing, and the time when they were reported (None:
    not yet)."""

    ranges: tuple[Range, ...]
    since_us: int
    reported_us: int | None


_table = missing_batches.c
_named = GivenRows("named", tenant_id=Text(), gateway_id=Text())
_NOTED = Prepared(
    select(*missing_batches.c).where(
        _table.tenant_id == _named.c("tenant_id"), _table.gateway_id == _named.c("gateway_id")
    )
)
_quotas = gateway_quotas.c
_HELD_BACK = Prepared(
    select(_quotas.tenant_id, _quotas.gateway_id, _quotas.held_back_us, _quotas.epochs_held_back_us).where(
        _quotas.tenant_id == _named.c("tenant_id"), _quotas.gateway_id == _named.c("gateway_id")
    )
)
_PLACE = ("tenant_id", "gateway_id", "epoch", "lane")
_FACTS = ("ranges", "since_us", "reported_us")
_note = GivenRows(
    "note", **dict.fromkeys(_PLACE, Text()), ranges=Text(), since_us=BigInteger(), reported_us=BigInteger()
)
_add = insert(missing_batches).from_select(
    (*_PLACE, *_FACTS),
    # SQLite parses `ON` after a SELECT without WHERE as a join.
    _note.rows(*_PLACE, *_FACTS).where(_note.c("lane").is_not(None)),
)
_NOTE = Prepared(_add.on_conflict_do_update(index_elements=_PLACE, set_={name: _add.excluded[name] for name in _FACTS}))
_obsolete = GivenRows("obsolete", **dict.fromkeys(_PLACE, Text()))
_FORGET = Prepared(
    delete(missing_batches).where(tuple_(*(_table[name] for name in _PLACE)).in_(_obsolete.rows(*_PLACE)))
)


class MissingBatches:
    """Compare the batches in gateways' statuses with the batches that the cloud holds."""

    async def compare(
        self,
        tx: Transaction,
        events: BatchEvents,
        statuses: Sequence[tuple[RegisteredGateway, Status]],
        held: Mapping[LaneKey, LaneRow],
        *,
        now_us: int,
    ) -> None:
        """Record, report or delete the missing ranges of each lane (numbered stream of batches) that a status lists.
        `held` has the rows of the lanes as stored in this transaction; a lane of which the cloud has no batch is left
        out. Events about missing batches are added to `events`."""
        if not statuses:
            return
        names = given(sorted({(gateway.tenant_id, gateway.id) for gateway, _ in statuses}))
        noted = await self._noted(tx, names)
        held_back = await tx.driver.rows(_HELD_BACK, {"named": names})
        bytes_held_back = {(tenant_id, id) for tenant_id, id, since_us, _ in held_back if since_us is not None}
        epochs_held_back = {(tenant_id, id) for tenant_id, id, _, since_us in held_back if since_us is not None}
        epochs = {(gateway.tenant_id, gateway.id): status.epoch for gateway, status in statuses}
        # Records of other epochs, which the status no longer lists.
        obsolete = [place for place in noted if place[2] != epochs[place[0], place[1]]]
        notes: dict[_Place, _Noted] = {}
        for gateway, status in statuses:
            name = gateway.tenant_id, gateway.id
            begun = any(LaneKey(*name, status.epoch, lane) in held for lane in Lane)
            if name in bytes_held_back or (name in epochs_held_back and not begun):
                continue  # the batches arrived and were held back, which the event of the quota reports
            for lane, mark in status.marks.items():
                row = held.get(LaneKey(*name, status.epoch, lane))
                if mark.published is None or (row is not None and row.contested):
                    continue
                place = (*name, status.epoch, lane.value)
                before = noted.get(place)
                note = _compared(before, LaneMarks() if row is None else row.marks, mark.published, now_us)
                if note is None:
                    obsolete.extend([place] if before is not None else ())
                elif note != before:
                    notes[place] = note
                    if note.reported_us is not None and (before is None or before.reported_us is None):
                        events.add_for(gateway, event_types.MISSING, _event_payload(status.epoch, lane, note.ranges))
        await self._write(tx, notes, obsolete)

    async def _noted(self, tx: Transaction, names: str) -> dict[_Place, _Noted]:
        return {
            (tenant_id, gateway_id, epoch, lane): _Noted(LaneMarks.of(0, ranges).ahead, since_us, reported_us)
            for tenant_id, gateway_id, epoch, lane, ranges, since_us, reported_us in await tx.driver.rows(
                _NOTED, {"named": names}
            )
        }

    async def _write(self, tx: Transaction, notes: Mapping[_Place, _Noted], obsolete: Sequence[_Place]) -> None:
        # All workers write in one order, so that two with the same statuses wait for each other without a deadlock.
        if obsolete:
            await tx.driver.run(_FORGET, {"obsolete": given(sorted(obsolete))})
        rows = [
            (*place, LaneMarks(0, note.ranges).text(), note.since_us, note.reported_us)
            for place, note in sorted(notes.items(), key=itemgetter(0))
        ]
        if rows:
            await tx.driver.run(_NOTE, {"note": given(rows)})


def _compared(before: _Noted | None, marks: LaneMarks, published: Sequence[Range], now_us: int) -> _Noted | None:
    """Return the record of a lane (numbered stream of batches) after a status that lists `published` batches; None if
    the cloud holds all of them. `before` is the record from earlier statuses, and `marks` what the cloud holds."""
    lacking = _lacking(marks, published)
    if not lacking:
        return None
    still = () if before is None else _common(before.ranges, lacking)[:RANGES_MAX]
    if before is None or not still:
        # Other batches than before: these have not been missing for long.
        return _Noted(lacking, now_us, None)
    if before.reported_us is None and now_us - before.since_us >= MISSING_AFTER_US:
        return _Noted(still, before.since_us, now_us)
    return _Noted(still, before.since_us, before.reported_us)


def _lacking(marks: LaneMarks, published: Sequence[Range]) -> tuple[Range, ...]:
    """Return the parts of the published ranges that the cloud does not hold."""
    return tuple([hole for first, last in published for hole in marks.lacking(first, last)])[:RANGES_MAX]


def _common(ones: Sequence[Range], others: Sequence[Range]) -> tuple[Range, ...]:
    """Intersect two lists of ascending ranges in one pass."""
    common: list[Range] = []
    at = other_at = 0
    while at < len(ones) and other_at < len(others):
        first, last = max(ones[at][0], others[other_at][0]), min(ones[at][1], others[other_at][1])
        if first <= last:
            common.append((first, last))
        if ones[at][1] < others[other_at][1]:
            at += 1
        else:
            other_at += 1
    return tuple(common)


def _event_payload(epoch: str, lane: Lane, ranges: Sequence[Range]) -> dict[str, object]:
    return {
        "epoch": epoch,
        "lane": lane.value,
        "first_sequence": ranges[0][0],
        "last_sequence": ranges[-1][1],
        "batches": sum(last - first + 1 for first, last in ranges),
    }
