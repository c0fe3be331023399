"""Events that a manager emits while it fetches a device's PM-stores (its stored measurements)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from protocols.observation import Observation
from protocols.stream_value import stream_value


@stream_value
class SegmentDataReceived:
    """A number of `entries` of one segment were received, beginning with entry `first_entry` (counted from 0).

    The caller stores the event durably and calls `delivered`, as for a report. A caller that cannot store it calls
    `refused`, and the device sends the entries again. `through` is the number of the segment's entries that are durable
    when this event and all earlier ones are. `identity` is `Segment.identity` of the segment. `whole` is its
    `Segment.state` if these are its last entries and no entry was left out, else empty. `adjustment_us` is the
    adjustment of the device's clock since the entries were recorded. `ticket` is a number by which the association
    finds the response to send.
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
    """Reason for which a segment, or a whole PM-store, stays with the device for now."""

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
    """A segment, or a whole PM-store (`segment` None), could not be fetched completely. It is not tried again in this
    association, unless the caller requests another fetch."""

    store: int
    segment: int | None
    why: NotFetched


@dataclass(frozen=True, slots=True)
class SegmentsCleared:
    """The device confirmed that it cleared these segments. All their entries were durable before clearing was
    requested."""

    store: int
    segments: tuple[int, ...]
