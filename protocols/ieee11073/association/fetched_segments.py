"""Record of the PM-store segments that are already durable, read synchronously while the manager fetches.

The manager's caller stores this record durably, in the same commit as the entries. If the record is lost, segments are
transferred again, and no measurement is lost. A repeated entry is recognised by its content (DESIGN D3) or, if it has
no date, by its position in the segment (`through`).
"""

from typing import NamedTuple, Protocol

from protocols.bounded_map import BoundedMap

SEGMENTS_MAX = 4096
"""Limit of segments; the least recently fetched is evicted first."""


class SegmentKey(NamedTuple):
    """Identity of a segment: the device, the handle of the PM-store, and the number."""

    system_id: bytes
    store: int
    segment: int


class SegmentProgress(NamedTuple):
    """The durable part of a segment: its first `through` entries. `identity` is the digest of the attributes that stay
    the same while the segment grows. The digest `state` also covers the attributes that change with growth; it is empty
    if some entries are not durable."""

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
        return self._known.get(key)

    def note(self, key: SegmentKey, progress: SegmentProgress) -> None:
        self._known[key] = progress

    def forget(self, key: SegmentKey) -> None:
        """Remove the record of a cleared segment, since the device may use the number of this segment for a new one."""
        self._known.pop(key, None)
