"""State of one segment transfer: the entries due, received and durable (reference 20601 §7). `pm_stores` does the I/O.

Entries are counted from 0, whatever index the device begins with. An event is confirmed only when all entries up to its
last one are durable; otherwise, after a gap or a failed store, the device sends the event again. Repeated entries are
confirmed, but not emitted again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from protocols.device_time import TimeKind
from protocols.ieee11073.apdu.pm_store import (
    STATUS_AGENT_ABORT,
    STATUS_FIRST_ENTRY,
    STATUS_LAST_ENTRY,
    SegmentDataDescription,
    SegmentDataEvent,
)
from protocols.ieee11073.association.segment_events import SegmentDataReceived
from protocols.ieee11073.dim.notes import Notes
from protocols.ieee11073.dim.segment_entries import EntryReader
from protocols.ieee11073.dim.segments import Segment
from protocols.ieee11073.tolerances import Oddity
from protocols.observation import Observation

_DATES = frozenset({TimeKind.ABSOLUTE, TimeKind.BASE_OFFSET})


class Owed(NamedTuple):
    """An event whose response is still to be sent. `invoke_id` is None for an unconfirmed event. `through` is the
    number of durable entries of the segment once this event is durable."""

    description: SegmentDataDescription
    invoke_id: int | None
    first_entry: int
    through: int


@dataclass(slots=True)
class SegmentTransfer:
    """State of the transfer of one segment."""

    store: int
    segment: Segment
    reader: EntryReader
    notes: Notes
    had: int = 0
    """Number of first entries that an earlier transfer made durable; only values with a date are emitted again."""
    first_index: int | None = None
    """The device's index of the first entry."""
    received: int = 0
    durable: int = 0
    sound: bool = True
    """True while no entry was left out, miscounted or cut."""
    ended: bool = False
    """True once the last entry has arrived."""
    aborted: bool = False
    in_vain: int = 0
    """Consecutive events that could not be confirmed."""
    owed: dict[int, Owed] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """True when all entries that the segment had when it was listed have been received and decoded."""
        return self.ended and self.sound and self.received >= (self.segment.usage_count or 0)

    @property
    def over(self) -> bool:
        """True when the transfer has ended and no event of the transfer needs a response any more."""
        return (self.ended or self.aborted) and not self.owed

    @property
    def settled_whole(self) -> bool:
        """True when all entries of the segment have been received, decoded, and made durable."""
        return self.whole and self.durable == self.received and not self.owed

    def place(self, event: SegmentDataEvent) -> int | None:
        """Return the position of an event's first entry in the segment, or None where entries before it are missing."""
        description = event.segm_data_event_descr
        index = description.segm_evt_entry_index
        if self.first_index is None:
            if index and not description.segm_evt_status & STATUS_FIRST_ENTRY:
                return None
            if index:
                self.notes.add(Oddity.SEGMENT_INDEX_START, index=index)
            self.first_index = index
        at = index - self.first_index
        return at if 0 <= at <= self.received else None

    def take(
        self, event: SegmentDataEvent, at: int, *, invoke_id: int | None, ticket: int, received_s: float
    ) -> SegmentDataReceived:
        """Decode the new entries of an event whose first entry has the position `at`, and add the event to `owed` under
        the key `ticket`."""
        description = event.segm_data_event_descr
        data, count = event.segm_data_event_entries, description.segm_evt_entry_count
        size = self.reader.entry_bytes
        counted = len(data) // size == count
        if len(data) != count * size:
            self.sound = False
        if not counted:
            self.notes.add(Oddity.SEGMENT_COUNT_OTHER, entries=len(data) // size, count=count)
        again = min(self.received - at, count)
        if again:
            self.notes.add(Oddity.SEGMENT_ENTRIES_REPEATED)
        first, data = at + again, data[again * size :]
        observations = self._observations(data, first, received_s)
        self.received = max(self.received, at + count)
        status = description.segm_evt_status
        self.aborted = self.aborted or bool(status & STATUS_AGENT_ABORT)
        self.ended = self.ended or bool(status & STATUS_LAST_ENTRY)
        if self.ended and not self.aborted and self.received < (self.segment.usage_count or 0):
            self.notes.add(Oddity.SEGMENT_SHORT, segment=self.segment.number)
        self.owed[ticket] = Owed(description, invoke_id, first, at + count)
        return SegmentDataReceived(
            store=self.store,
            segment=self.segment.number,
            first_entry=first,
            entries=at + count - first,
            # Miscounted entries have no position by which they could be recognised again.
            through=max(self.had, at + count if counted else at),
            observations=observations,
            confirmed=invoke_id is not None,
            last=self.ended,
            identity=self.segment.identity,
            whole=self.segment.state if self.whole and not self.aborted else b"",
            adjustment_us=self.segment.adjustment_us,
            received_s=received_s,
            ticket=ticket,
        )

    def _observations(self, data: bytes, first: int, received_s: float) -> Sequence[Observation]:
        known = max(0, min(self.had - first, len(data) // self.reader.entry_bytes))
        cut = known * self.reader.entry_bytes
        observations: list[Observation] = []
        if known:
            read = self.reader.read(data[:cut], first, received_s)
            self.sound = self.sound and read.whole
            observations = [each for each in read.observations if _dated(each)]
        read = self.reader.read(data[cut:], first + known, received_s)
        self.sound = self.sound and read.whole
        return observations + read.observations if observations else read.observations

    def settle(self, ticket: int, *, durable: bool) -> tuple[Owed, bool]:
        """Record whether the event identified by `ticket` is durable. Remove the event from `owed`. Return the removed
        `Owed` record, and whether to confirm the event."""
        owed = self.owed.pop(ticket)
        if not durable:
            # Read again from there when the device repeats it.
            self.received = min(self.received, owed.first_entry)
            self.ended = self.aborted = False
            self.in_vain += 1
            return owed, False
        if owed.first_entry <= self.durable < owed.through:
            self.durable = owed.through
            self.in_vain = 0
        return owed, owed.through <= self.durable


def _dated(observation: Observation) -> bool:
    return observation.device_time is not None and observation.device_time.kind in _DATES
