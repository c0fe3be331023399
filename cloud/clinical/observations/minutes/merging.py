"""Merge minute rows of the same channel and minute.

Ingest writes the values of live batches to minute rows at once, several times in a minute if there are many vehicles
(slice `ingest`, `staged_envelopes`). So a channel and minute has several rows, each with a few values: six with a
thousand vehicles, which take about 90 bytes each on PostgreSQL. Some days later, when no more values of the day are
expected, these rows become one row, in which a value takes about fifteen bytes. The body of a row has the batch, the
position and the times of each value, so nothing is lost, and the release before reads the merged rows too.

A day is walked from its last row to its first. A step reads the keys of one page of rows, replaces the rows that belong
together in one transaction, and compares every value before that. So a reader sees each value exactly once, and a step
that fails changes nothing. Progress is in memory only: a new process walks the latest day again, and of the earlier
days only those whose first rows, which are merged last, could still be merged, or whose mark states that the walk did
not end. Rows whose batches are too far apart, or that would have too many values together, stay separate.

The walk goes on only from a page whose rows the database shows as merged: after a step that changed rows, the next one
reads the page again. So a step whose transaction fails, even at its commit, leaves the walk where it was.

An erasure walks through rows by their keys, so rows of its tenant are left until it has ended. A row that cannot be
read is left for the audit of rows, which reports it. On PostgreSQL the room of the deleted rows is left in the
partition of the day, which is marked (`merged_days`); `rewriting` writes it again.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from cloud.clinical.observations.minutes.body import BodyEncoder, MinuteValue
from cloud.clinical.observations.minutes.compaction import CompactionInterrupted
from cloud.clinical.observations.minutes.merged_days import end_walk, is_merging, note_merge
from cloud.clinical.observations.minutes.merging_store import Head, MergingStore, RowKeyInDay
from cloud.clinical.observations.minutes.rows import (
    DAY_US,
    MINUTE_US,
    SPAN_SEQUENCES_MAX,
    MinuteRow,
    check_equal,
    in_order_of_arrival,
    minute_rows,
    values_of,
)
from cloud.clinical.observations.minutes.store import MinuteStore, append_minutes, lock_rewriting
from cloud.clinical.observations.received_batches import ReceivedBatches
from cloud.foundation.db import DatabaseDamaged, Transaction

HEADS_AT_ONCE = 2_000
"""Rows of a page, of which only the keys are read: some minutes of a vehicle with rows of a few values."""
STEP_VALUES = 4_096
"""Values that one step decodes and writes again. As with `compaction`, the step occupies SQLite's only
writer for a short time."""
ROW_VALUES_MAX = 4_096
"""Values of a merged row, as many as one step of `compaction` moves. A usual minute has 60."""
PAGES_AT_ONCE = 4
"""Pages without rows to merge that one step passes."""
DAYS_MAX = 60
"""Days before which no row is merged: a worker that did not run for so long leaves the rows before them as they are,
and a new process looks at this many days at most."""


@dataclass(slots=True)
class Group:
    """The rows of a page that may become one row. `first` and `last` are the places of the first and the last of them
    in the page."""

    first: int
    last: int
    heads: list[Head]


class MinuteMerging:
    """Merges the minute rows of the values that the cloud stored more than `after_days` whole days ago. On PostgreSQL,
    only one process at a time does so, and no erasure changes minute rows meanwhile."""

    def __init__(self, received: ReceivedBatches, after_days: int) -> None:
        self._single = MinuteStore(received)
        self._store = MergingStore(received)
        self._after_days = after_days
        self._encoder = BodyEncoder()
        self._due_day = 0
        """The latest day that was due when the last step ran."""
        self._walked: set[int] = set()
        self._left: set[int] = set()
        """Walked days with rows of tenants with an erasure at work. They are walked again one day later."""
        self._day = 0
        """The day that is being walked; 0: none."""
        self._from: RowKeyInDay | None = None
        """The row of the day with which the next page begins; None: the last one."""

    async def step(self, tx: Transaction, now_us: int) -> int:
        """Merge rows of a page; return the number of rows that were replaced, or that were read if more is to do; 0
        when nothing is due or another process is at work."""
        due_day = now_us // DAY_US - self._after_days - 1
        if not await lock_rewriting(tx):
            return 0
        if due_day != self._due_day:
            self._due_day = due_day
            self._walked = {day for day in self._walked if day > due_day - DAYS_MAX} - self._left
            self._left = {day for day in self._left if day > due_day - DAYS_MAX}
        passed = 0
        for _ in range(PAGES_AT_ONCE):
            if not self._day and not await self._begin_day(tx):
                return 0
            heads = await self._store.heads(tx, self._day, self._from, HEADS_AT_ONCE)
            if handled := await self._handle_page(tx, heads):
                return handled
            passed += len(heads)
        return passed

    async def _begin_day(self, tx: Transaction) -> bool:
        """Choose the next day to walk; return False if there is none, or if single rows are still to be moved."""
        if await self._single.next_due(tx, after=0, before_us=(self._due_day + 1) * DAY_US) is not None:
            return False
        days = await self._store.days(tx, self._due_day - DAYS_MAX, self._due_day)
        for day in days:
            if day in self._walked:
                continue
            if day != self._due_day and day not in self._left:
                first = await self._store.first_heads(tx, day, HEADS_AT_ONCE)
                has_parts = any(len(part) > 1 for group in _groups(first) for part in _parts(group.heads))
                if not has_parts and not await is_merging(tx, day):
                    self._walked.add(day)
                    continue
            self._left.discard(day)
            self._day, self._from = day, None
            return True
        return False

    async def _handle_page(self, tx: Transaction, heads: Sequence[Head]) -> int:
        """Merge rows of a page; return the number of rows that were replaced. If there are none, choose the row with
        which the next page begins, and return 0. The end of the day is a step of its own if it changes its mark."""
        erasing = await self._store.erasing_lanes(tx, {head.lane_id for head in heads})
        groups = _groups(heads)
        next_ = _begin_of_next(groups, heads) if len(heads) == HEADS_AT_ONCE else None
        parts: list[list[Head]] = []
        values = 0
        for group in groups:
            if values >= STEP_VALUES:
                next_ = group.first if next_ is None else min(group.first, next_)
                break
            for part in _parts(group.heads):
                if len(part) > 1 and part[0].lane_id not in erasing:
                    parts.append(part)
                    values += sum(head.value_count for head in part)
        if merged := await self._merge(tx, parts):
            return merged
        if next_ is None and await end_walk(tx, self._day):
            return max(1, len(heads))
        if erasing:
            self._left.add(self._day)
        if next_ is None:
            self._walked.add(self._day)
            self._day = 0
        else:
            self._from = heads[next_].key
        return 0

    async def _merge(self, tx: Transaction, parts: Collection[Sequence[Head]]) -> int:
        """Replace the rows of each part by one row; return the number of rows that were replaced."""
        if not parts:
            return 0
        found = await self._store.rows(tx, self._day, [head.key for part in parts for head in part])
        gone: list[RowKeyInDay] = []
        moved: list[MinuteValue] = []
        merged: list[MinuteRow] = []
        for part in parts:
            keys = [head.key for head in part]
            try:
                values = [value for key in keys for value in values_of(found[key])]
            except DatabaseDamaged:
                continue
            except KeyError:
                raise CompactionInterrupted from None
            values.sort(key=in_order_of_arrival)
            gone += keys
            moved += values
            merged += minute_rows(values, self._encoder, self._day)
        if not gone:
            return 0
        check_equal(sorted(moved, key=in_order_of_arrival), merged)
        await note_merge(tx, self._day)
        if await self._store.delete(tx, self._day, gone) != len(gone):
            raise CompactionInterrupted
        await append_minutes(tx, merged)
        return len(gone)


def _groups(heads: Sequence[Head]) -> list[Group]:
    """Return the groups of rows with the same channel, clock and minute, in the order of their first rows."""
    found: dict[tuple[int | None, ...], Group] = {}
    for index, head in enumerate(heads):
        group = found.setdefault((*_channel(head), *_minute(head)), Group(index, index, []))
        group.last = index
        group.heads.append(head)
    return list(found.values())


def _channel(head: Head) -> tuple[int | None, ...]:
    return head.lane_id, head.source_id, head.channel_id, head.clock_id


def _minute(head: Head) -> tuple[int | None, ...]:
    on_clock = None if head.monotonic_from_us is None else head.monotonic_from_us // MINUTE_US
    return head.observed_from_us // MINUTE_US, on_clock


def _begin_of_next(groups: Sequence[Group], heads: Sequence[Head]) -> int:
    """Return the place in a full page at which the next page begins: that of the first row, after this step, of those
    minutes of which more rows may follow. Only places in the second half count, because progress matters more than
    whole minutes."""
    latest = {_channel(group.heads[0]): group.last for group in groups}  # in the order of their first rows
    return min([place for place in latest.values() if place > len(heads) // 2], default=len(heads) - 1)


def _parts(heads: Sequence[Head]) -> Iterator[list[Head]]:
    """Divide the rows of a group, in the order of keys or its reverse, into those that become one row each."""
    part: list[Head] = []
    first, last, values = 0, 0, 0
    for head in heads:
        if part:
            first, last = min(first, head.first_sequence), max(last, head.last_sequence)
            if last - first > SPAN_SEQUENCES_MAX or values + head.value_count > ROW_VALUES_MAX:
                yield part
                part = []
        if not part:
            first, last, values = head.first_sequence, head.last_sequence, 0
        part.append(head)
        values += head.value_count
    if part:
        yield part
