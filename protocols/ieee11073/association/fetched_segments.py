"""Record of the PM-store segments that are already durable, read synchronously when the manager fetches a device's
memory.

The manager's caller stores this record durably, in the same commit as the entries. If the record is lost, segments are
transferred again, and no measurement is lost. A repeated entry is recognised by its content (DESIGN D3). An entry
without a date is recognised by its position in the segment, for which the record has `through`.
"""

from typing import NamedTuple, Protocol

from protocols.bounded_map import BoundedMap

SEGMENTS_MAX = 4096
"""Limit of segments; the least recently fetched is evicted first."""


class SegmentKey(NamedTuple):
    """Identity of a segment: the device, the handle of the PM-store, and the number of the segment."""

    system_id: bytes
    store: int
    segment: int


class SegmentProgress(NamedTuple):
    """Durable part of a segment: its first `through` entries. `identity` is `Segment.identity` of this segment. `state`
    is the `Segment.state` in which all its entries were durable, empty until they are."""

    identity: bytes
    through: int
    state: bytes


class FetchedSegments(Protocol):
    """Lookup of the durable part of segments, implemented by the caller of the manager."""

    def progress(self, key: SegmentKey) -> SegmentProgress | None: ...


class RememberedSegments:
    """A `FetchedSegments` in memory, limited to `SEGMENTS_MAX` segments."""

    def __init__(self) -> None:
        self._known: BoundedMap[SegmentKey, SegmentProgress] = BoundedMap(SEGMENTS_MAX)

    def progress(self, key: SegmentKey) -> SegmentProgress | None:
        """Return the durable part of a segment; None where nothing of it is recorded."""
        return self._known.get(key)

    def note(self, key: SegmentKey, progress: SegmentProgress) -> None:
        """Record the durable part of a segment."""
        self._known[key] = progress

    def forget(self, key: SegmentKey) -> None:
        """Remove the record of a segment that the device cleared, since the device may use its number for another
        segment."""
        self._known.pop(key, None)
