"""Record of the memory segments that are durable already, read synchronously when the fetch of a memory starts.

The caller of the manager keeps it over restarts, in the same commit as the entries themselves. Losing it costs a
transfer, never a measurement: a repeated entry is recognised by its content (DESIGN D3), or, where it has no date, by
its position in the segment, which is the purpose of `through`.
"""

from typing import NamedTuple, Protocol

from protocols.bounded_map import BoundedMap

SEGMENTS_MAX = 4096
"""Limit of segments; the least recently fetched is evicted first."""


class SegmentKey(NamedTuple):
    """Identity of a segment: its device, its store's handle and its number."""

    system_id: bytes
    store: int
    segment: int


class SegmentProgress(NamedTuple):
    """The first `through` entries of the segment with this `identity` are durable. `state`: the state in which all of
    it was durable; empty while it is not. Both as in `dim.segments.Segment`."""

    identity: bytes
    through: int
    state: bytes


class FetchedSegments(Protocol):
    """Lookup of durable segments, implemented by the caller."""

    def progress(self, key: SegmentKey) -> SegmentProgress | None: ...


class RememberedSegments:
    """Bounded `FetchedSegments` in memory."""

    def __init__(self) -> None:
        self._known: BoundedMap[SegmentKey, SegmentProgress] = BoundedMap(SEGMENTS_MAX)

    def progress(self, key: SegmentKey) -> SegmentProgress | None:
        """Return the durable part of a segment; None: unknown."""
        return self._known.get(key)

    def note(self, key: SegmentKey, progress: SegmentProgress) -> None:
        """Record the durable part of a segment."""
        self._known[key] = progress

    def forget(self, key: SegmentKey) -> None:
        """Remove a segment that the device cleared: its number may be used for another segment from now on."""
        self._known.pop(key, None)
