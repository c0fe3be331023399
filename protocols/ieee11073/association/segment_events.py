"""Events that a manager emits while it fetches a device's PM-stores (its stored measurements)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from protocols.observation import Observation
from protocols.stream_value import stream_value


@stream_value
class SegmentDataReceived:
    """Entries of one segment were received; the first is number `first_entry` (counted from 0).

    Once this event and all earlier events are stored, the first `through` entries of the segment are durable.
    `identity` is the digest `Segment.identity`. `whole` is the digest `Segment.state` if these are the last entries and
    no entry was left out, else empty. `adjustment_us` is the adjustment of the device's clock since the recording. By
    `ticket` the association finds the response to send. After `refused` the device resends the entries.
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
    """Reason for which a segment, or a whole PM-store, was not fetched."""

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
    """A segment, or a whole PM-store (`segment` None), could not be fetched completely. In this association the fetch
    is repeated only if the caller requests it."""

    store: int
    segment: int | None
    why: NotFetched


@dataclass(frozen=True, slots=True)
class SegmentsCleared:
    """The device confirmed that it cleared these segments, whose entries were all durable before."""

    store: int
    segments: tuple[int, ...]
