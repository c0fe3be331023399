"""Remove batches from the hash chain on purpose, and record each removal, so that it never looks like a loss.

A removed range states the chain hash before its first batch and the hash of its last one. So the chain is still
verified: the following batch states the same hash, under the signature of its gateway. The last batch at an end of the
held sequence numbers keeps its row without the envelope, because the next batch is linked to it when it arrives.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from sqlalchemy import BigInteger, delete, select, update

from cloud.foundation.db import GivenRows, Prepared, Records, Transaction, given, insert
from cloud.vehicles.custody.links import LinkState
from cloud.vehicles.custody.marks import LaneMarks, Range
from cloud.vehicles.custody.store import Content
from cloud.vehicles.custody.tables import IN_ENVELOPE, batches, lanes, removed_ranges
from protocols.uplink.envelope import BatchKind

DAY_US = 86_400_000_000


class RemovalCause(StrEnum):
    """The reason for which batches were removed."""

    RETENTION = "retention"
    ERASURE = "erasure"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedRange:
    """The batches `first_sequence`…`last_sequence` of a lane, which were removed. `hash_before` is the chain hash
    before the first one, `hash_after` the hash of the last one. `stored_us` is when the cloud had stored the latest of
    them; a range has batches of one day. `erasure_id` is the erasure that removed them, and `seal` proves that this
    cloud recorded it; both are None for another cause."""

    lane_id: int
    first_sequence: int
    last_sequence: int
    hash_before: bytes
    hash_after: bytes
    cause: RemovalCause
    stored_us: int
    removed_us: int
    erasure_id: str | None = None
    seal: bytes | None = None


class RangeSealer(Protocol):
    """Seals the ranges that one erasure removes."""

    @property
    def erasure_id(self) -> str: ...

    def seal(self, removed: RemovedRange) -> bytes:
        """Return the seal of a range, which covers all its other fields."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainRow:
    """A batch's row in the chain without its envelope."""

    sequence: int
    content: Content
    hash: bytes
    previous_hash: bytes
    created_at_us: int
    stored_at_us: int
    vehicle_id: str


_RANGES = Records(RemovedRange, removed_ranges)
_ROWS = Records(ChainRow, batches)


_NO_ENVELOPE = {
    "kind": BatchKind.OBSERVATIONS.value,
    "count": 0,
    **IN_ENVELOPE,
    "link": LinkState.LINKED.value,
    "organization_id": "",
    "received_at_us": 0,
    "historical": False,
    "envelope": b"",
}
_near = GivenRows("near", lane_id=BigInteger(), low=BigInteger(), high=BigInteger())
_RANGES_NEAR = Prepared(
    select(removed_ranges.c.lane_id, removed_ranges.c.first_sequence, removed_ranges.c.last_sequence).where(
        removed_ranges.c.lane_id == _near.c("lane_id"),
        removed_ranges.c.last_sequence >= _near.c("low"),
        removed_ranges.c.first_sequence <= _near.c("high"),
    )
)


class Removal:
    """SQL statements that remove batches from the chain of one lane (numbered stream of batches). `sealer` is given for
    an erasure; None: the retention period of the batches is over."""

    def __init__(self, sealer: RangeSealer | None = None) -> None:
        self._sealer = sealer

    async def lock(self, tx: Transaction, lane_id: int) -> LaneMarks:
        """Lock a lane as ingest does, and return the sequence numbers that the cloud holds."""
        row = (await tx.execute(select(lanes).where(lanes.c.lane_id == lane_id).with_for_update())).first()
        assert row is not None, "a lane is never deleted"
        return LaneMarks.of(row.through_sequence, row.ahead)

    async def oldest(self, tx: Transaction, lane_id: int, *, after: int, limit: int) -> Sequence[ChainRow]:
        """Return the next batches of a lane after a sequence number, in order."""
        here = (batches.c.lane_id == lane_id, batches.c.sequence > after)
        return await _ROWS.all(tx, _ROWS.select().where(*here).order_by(batches.c.sequence).limit(limit))

    async def of_sequences(self, tx: Transaction, lane_id: int, sequences: Collection[int]) -> Sequence[ChainRow]:
        """Return those of the batches that are stored, in order."""
        here = (batches.c.lane_id == lane_id, batches.c.sequence.in_(sorted(sequences)))
        return await _ROWS.all(tx, _ROWS.select().where(*here).order_by(batches.c.sequence))

    async def remove(
        self, tx: Transaction, lane_id: int, marks: LaneMarks, rows: Sequence[ChainRow], now_us: int
    ) -> None:
        """Remove batches, given in the order of their sequence numbers. The caller has locked the lane."""
        ends = _ends(marks)
        stripped = [row.sequence for row in rows if row.sequence in ends]
        deleted = [row.sequence for row in rows if row.sequence not in ends]
        runs = _runs([row for row in rows if row.content is not Content.REMOVED])
        for run in runs:
            await self._record(tx, lane_id, run, now_us)
        here, sequence = batches.c.lane_id == lane_id, batches.c.sequence
        if stripped:
            emptied = update(batches).where(here, sequence.in_(stripped))
            await tx.execute(emptied.values(envelope=b"", content=Content.REMOVED.value))
        if deleted:
            await tx.execute(delete(batches).where(here, sequence.in_(deleted)))
        # The row that stayed of the last removed batch, and is followed by batches now.
        former = [run[0].sequence - 1 for run in runs if run[0].sequence - 1 not in ends]
        if former:
            kept = (sequence.in_(former), batches.c.content == Content.REMOVED.value)
            await tx.execute(delete(batches).where(here, *kept))

    async def leave_ends(self, tx: Transaction, lane_id: int, marks: LaneMarks, rows: Sequence[ChainRow]) -> None:
        """Add rows without an envelope for those of the batches that stand at an end of the held sequence numbers and
        have no row of their own, since they lie in packed objects. The caller then calls `remove`."""
        ends = _ends(marks)
        for row in rows:
            if row.sequence in ends:
                # Only the hash is used from now on. The other columns were in the envelope.
                await tx.execute(insert(batches).values(lane_id=lane_id, **_ROWS.values(row), **_NO_ENVELOPE))

    async def ranges(
        self, tx: Transaction, lane_id: int, *, after: int = 0, through: int | None = None
    ) -> Sequence[RemovedRange]:
        """Return the removed ranges of a lane, in order: those that have a sequence number above `after`, up to
        `through` (None: to the end of the lane)."""
        table = removed_ranges.c
        statement = _RANGES.select().where(table.lane_id == lane_id, table.last_sequence > after)
        if through is not None:
            statement = statement.where(table.first_sequence <= through)
        return await _RANGES.all(tx, statement.order_by(table.first_sequence))

    async def covered(self, tx: Transaction, sequences: Mapping[int, Collection[int]]) -> Mapping[int, Collection[int]]:
        """Return those of the sequence numbers, by lane id, whose batches were removed."""
        wanted = [(lane_id, min(numbers), max(numbers)) for lane_id, numbers in sorted(sequences.items())]
        removed: dict[int, list[Range]] = {}
        for lane_id, first, last in await tx.driver.rows(_RANGES_NEAR, {"near": given(wanted)}):
            removed.setdefault(lane_id, []).append((first, last))
        return {
            lane_id: frozenset(one for one in sequences[lane_id] if any(first <= one <= last for first, last in ranges))
            for lane_id, ranges in removed.items()
        }

    async def _record(self, tx: Transaction, lane_id: int, run: Sequence[ChainRow], now_us: int) -> None:
        """Add a run of adjacent batches of one day to the range before it, if they are linked, of the same day, and
        removed for the same cause."""
        table, stored_us = removed_ranges.c, max(row.stored_at_us for row in run)
        sealer, day_us = self._sealer, stored_us // DAY_US * DAY_US
        new = RemovedRange(
            lane_id=lane_id,
            first_sequence=run[0].sequence,
            last_sequence=run[-1].sequence,
            hash_before=run[0].previous_hash,
            hash_after=run[-1].hash,
            cause=RemovalCause.RETENTION if sealer is None else RemovalCause.ERASURE,
            stored_us=stored_us,
            removed_us=now_us,
            erasure_id=None if sealer is None else sealer.erasure_id,
        )
        before = _RANGES.select().where(
            table.lane_id == lane_id,
            table.last_sequence == run[0].sequence - 1,
            table.hash_after == run[0].previous_hash,
            table.cause == new.cause.value,
            table.erasure_id.is_not_distinct_from(new.erasure_id),
            table.stored_us >= day_us,
            table.stored_us < day_us + DAY_US,
        )
        found = await _RANGES.first(tx, before)
        if found is not None:
            new = replace(new, first_sequence=found.first_sequence, hash_before=found.hash_before)
        if sealer is not None:
            new = replace(new, seal=sealer.seal(new))
        if found is None:
            await _RANGES.add(tx, new)
            return
        longer = (table.lane_id == lane_id, table.first_sequence == new.first_sequence)
        await tx.execute(update(removed_ranges).where(*longer).values(_RANGES.values(new)))


def _ends(marks: LaneMarks) -> frozenset[int]:
    """Return the sequence numbers at the ends of the held ranges: batches that arrive later are linked to these."""
    return frozenset([marks.through, *(end for held in marks.ahead for end in held)])


def _runs(rows: Iterable[ChainRow]) -> Sequence[Sequence[ChainRow]]:
    """Divide batches into runs that are adjacent, linked, and stored on the same day."""
    runs: list[list[ChainRow]] = []
    for row in rows:
        last = runs[-1][-1] if runs else None
        if (
            last is not None
            and row.sequence == last.sequence + 1
            and row.previous_hash == last.hash
            and row.stored_at_us // DAY_US == last.stored_at_us // DAY_US
        ):
            runs[-1].append(row)
        else:
            runs.append([row])
    return runs
