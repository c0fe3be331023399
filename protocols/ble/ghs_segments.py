"""Health Observations in segments (0x2B8B live, 0x2BDD stored): segmentation and reassembly (reference BLE §10).

A header byte holds two flags, first and last, and a counter of 6 bits. Most observations fit in one segment, which is
both first and last. A longer observation is complete only if the counter increases by one from segment to segment.
Where the counter jumps, a segment was lost: the collected segments are emitted as uninterpreted bytes, and the next
first segment starts a new observation.

In all classes, `record` is the record number of a stored observation; None for a live one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from protocols.ble.ghs_observation import (
    OBSERVATION_BYTES_MAX,
    GhsObservation,
    decode_observation,
    encode_observation,
)
from protocols.ble.interpretation import GattEvent, Uninterpreted
from protocols.ble.transcoding import DeviationFilter
from protocols.ble.wire import GattReader, GattWriter
from protocols.errors import LocalProtocolError

LIVE_OBSERVATION: Final = 0x2B8B
STORED_OBSERVATION: Final = 0x2BDD

_FIRST, _LAST, _COUNTER_SHIFT = 1, 2, 2
COUNTERS: Final = 64
_RECORD_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationSegment:
    """One segment. `content` is the decoded observation where the segment is both first and last, else the bytes of one
    part of the observation."""

    first: bool
    last: bool
    counter: int
    content: GhsObservation | bytes
    record: int | None = None


def decode_live(data: bytes) -> ObservationSegment:
    return _decode(data, stored=False)


def decode_stored(data: bytes) -> ObservationSegment:
    return _decode(data, stored=True)


def _decode(data: bytes, *, stored: bool) -> ObservationSegment:
    segment = read_segment(data, stored=stored)
    if not (segment.first and segment.last):
        return segment
    assert isinstance(segment.content, bytes)
    return replace(segment, content=decode_observation(segment.content))


def read_segment(data: bytes, *, stored: bool) -> ObservationSegment:
    """Decode the header of a segment, and the record number if `stored`. `content` stays bytes."""
    reader = GattReader(data, clause="GHSS 0x2BDD" if stored else "GHSS 0x2B8B")
    header = reader.u8()
    return ObservationSegment(
        first=bool(header & _FIRST),
        last=bool(header & _LAST),
        counter=header >> _COUNTER_SHIFT,
        record=reader.unsigned(_RECORD_BYTES) if stored else None,
        content=reader.rest(),
    )


def encode_segment(segment: ObservationSegment) -> bytes:
    header = (_FIRST if segment.first else 0) | (_LAST if segment.last else 0) | segment.counter << _COUNTER_SHIFT
    writer = GattWriter().unsigned(header, 1)
    if segment.record is not None:
        writer.unsigned(segment.record, _RECORD_BYTES)
    content = segment.content
    return writer.raw(content if isinstance(content, bytes) else encode_observation(content)).value()


def segments_of(
    observation: GhsObservation, *, value_bytes_max: int, counter: int = 0, record: int | None = None
) -> Iterator[bytes]:
    """Yield the segments that carry `observation`, each at most `value_bytes_max` (MTU - 3) bytes long, the first with
    the counter `counter`. Raises LocalProtocolError where `value_bytes_max` leaves no space for content."""
    data = encode_observation(observation)
    room = value_bytes_max - 1 - (_RECORD_BYTES if record is not None else 0)
    if room < 1:
        raise LocalProtocolError(f"{value_bytes_max} bytes hold no part of an observation")
    for number, start in enumerate(range(0, len(data), room)):
        yield encode_segment(
            ObservationSegment(
                first=not start,
                last=start + room >= len(data),
                counter=(counter + number) % COUNTERS,
                content=data[start : start + room],
                record=record,
            )
        )


class Whole(NamedTuple):
    """Complete bytes of one observation."""

    octets: bytes
    record: int | None


class Reassembly:
    """Reassembly of the segments of one characteristic in one connection. It keeps at most one incomplete observation,
    and drops one that becomes longer than the format allows."""

    def __init__(self, characteristic: int, deviations: DeviationFilter) -> None:
        self._characteristic = characteristic
        self._deviations = deviations
        self._parts = bytearray()
        self._collecting = False
        self._record: int | None = None
        self._counter: int | None = None

    def add(self, data: bytes) -> tuple[Whole | None, list[GattEvent]]:
        """Add the next segment. Return the observation that this segment completes (or None), and the events for lost
        segments."""
        segment = read_segment(data, stored=self._characteristic == STORED_OBSERVATION)
        assert isinstance(segment.content, bytes)
        events = self._counted(segment, data)
        if segment.first:
            events += self.flush("it was never ended")
            self._record = segment.record
            self._collecting = True
        elif self._collecting and segment.record != self._record:
            events += self.flush("a segment of another record came between")
        if not self._collecting:
            events.append(Uninterpreted(self._characteristic, data, "a part of an observation without its beginning"))
            return None, events
        self._parts += segment.content
        if len(self._parts) > OBSERVATION_BYTES_MAX:
            events += self.flush("it is longer than an observation can be")
        elif segment.last:
            whole = Whole(bytes(self._parts), self._record)
            self._forget()
            return whole, events
        return None, events

    def flush(self, why: str = "nothing follows") -> Sequence[GattEvent]:
        """Drop the incomplete observation; return its segments as one event of uninterpreted bytes (reason `why`)."""
        told_of = self.so_far(why)
        self._forget()
        return told_of

    def so_far(self, why: str = "nothing has followed yet") -> Sequence[GattEvent]:
        """Return the segments of the incomplete observation as one event of uninterpreted bytes. The segments are kept,
        since later segments may complete the observation."""
        if not self._collecting:
            return []
        return [Uninterpreted(self._characteristic, bytes(self._parts), f"a part of an observation: {why}")]

    def _forget(self) -> None:
        self._parts.clear()
        self._collecting = False

    def _counted(self, segment: ObservationSegment, data: bytes) -> list[GattEvent]:
        """Check the counter of a segment. If the counter did not increase by one, end the incomplete observation and
        return its bytes and a deviation as events."""
        before, self._counter = self._counter, segment.counter
        if before is None or segment.counter == (before + 1) % COUNTERS:
            return []
        sentence = "the counter of segments jumped: some were lost"
        if segment.counter == before:
            sentence = "the counter of segments stands still, so that a loss would not be seen"
        return [*self._deviations.deviation(sentence, data), *self.flush("a segment of it was lost")]
