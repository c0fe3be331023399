"""Events that a manager emits while it fetches a device's memory (PM-store)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from protocols.observation import Observation
from protocols.stream_value import stream_value


@stream_value
class SegmentDataReceived:
    """Entries of one segment: `entries` of them from `first_entry` on, counted from 0 in the segment.

    Made durable and then `delivered` like a report; a caller that cannot store calls `refused`, and the device sends
    them again. `through`: number of entries of the segment that are then durable, if all before these are. `identity`
    is the segment's (`dim.segments.Segment`). `whole` is its state when these are its last entries and none before them
    was left out, else empty. `adjustment_us`: adjustment of the device's clock since these entries were recorded.
    `ticket` as in `ReportReceived`.
    """

    store: int
    segment: int
    first_entry: int
    entries: int
    through: int
    observations: Sequence[Observation]
    confirmed: bool
    last: bool
    identity: bytes
    whole: bytes
    adjustment_us: int
    received_s: float
    ticket: int = field(default=0, compare=False, repr=False)


class NotFetched(Enum):
    """Reason why a segment, or a whole memory (segment None), stays with the device for now."""

    REFUSED = "the device refused"
    SILENT = "the device was silent"
    NO_SUCH_SEGMENT = "the segment is not there any more"
    BEING_CLEARED = "the device clears it"
    FAILED = "the device failed to send it"
    DEVICE_ABORTED = "the device broke the transfer off"
    UNREADABLE = "its entries cannot be read"
    GAP = "entries were left out"
    STORE_FULL = "our store has no room"


@dataclass(frozen=True, slots=True)
class SegmentNotFetched:
    """A segment that is not fetched any further in this association, unless the caller fetches again."""

    store: int
    segment: int | None
    why: NotFetched


@dataclass(frozen=True, slots=True)
class SegmentsCleared:
    """The device confirmed that it cleared these segments; all their entries were durable before the request."""

    store: int
    segments: tuple[int, ...]
