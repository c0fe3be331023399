"""Record of the memory segments that are durable already, read without waiting when a memory is about to be fetched.

The caller of the manager keeps it over restarts, in the same commit as the entries themselves. Losing it costs a
transfer, never a measurement: what comes twice is known by its content (DESIGN D3), or, where it carries no date, by
its place in the segment, which is what `through` is for.
"""

from typing import NamedTuple, Protocol

from protocols.bounded_map import BoundedMap

SEGMENTS_MAX = 4096
"""Segments remembered; the least recently fetched is forgotten first."""


class SegmentKey(NamedTuple):
    """Identity of a segment: its device, its store's handle and its number."""

    system_id: bytes
    store: int
    segment: int


class SegmentProgress(NamedTuple):
    """The first `through` entries of the segment with this `identity` are durable. `state`: all of it was, when it was
    in this state; empty while not. Both as in `dim.segments.Segment`."""

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
        """Return how much of a segment is durable; None: nothing is known of it."""
        return self._known.get(key)

    def note(self, key: SegmentKey, progress: SegmentProgress) -> None:
        """Note how much is durable now."""
        self._known[key] = progress

    def forget(self, key: SegmentKey) -> None:
        """Forget a segment that the device cleared: its number may mean another segment from now on."""
        self._known.pop(key, None)
