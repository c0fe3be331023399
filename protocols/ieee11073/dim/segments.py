"""Description of a segment of a device's memory (reference 20601 §7 and §8.7).

Times of entries are never rewritten: the adjustment that the device recorded for its clock (Date-and-Time-Adjustment)
is a separate field. An entry without a time gets one from the segment's start and its sample period.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from protocols.device_time import DeviceTime, TimeKind, absolute_time
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu.pm_store import SegmentEntryMap, SegmentInfo
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.configuration import attributes_of
from protocols.ieee11073.dim.notes import Notes
from protocols.ieee11073.mder import decode
from protocols.ieee11073.tolerances import Oddity

ELEMENTS_MAX = 256
"""Limit of objects in one entry; a device stores a few together."""
IDENTITY_BYTES = 16
_RELATIVE_TIME_US = 125
_HUNDREDTH_US = 10_000
"""LSB of AbsoluteTimeAdjust, and of AbsoluteTime: hundredths of a second."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_1900_S = 2_208_988_800
_STABLE = (
    Attribute.SEGMENT_MAP,
    Attribute.SEGMENT_PERSON_ID,
    Attribute.SAMPLE_PERIOD,
    Attribute.SEGMENT_LABEL,
    Attribute.SEGMENT_START_ABSOLUTE,
    Attribute.SEGMENT_START_BASE_OFFSET,
)
_GROWING = (Attribute.SEGMENT_USAGE_COUNT, Attribute.SEGMENT_END_ABSOLUTE, Attribute.SEGMENT_END_BASE_OFFSET)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A segment as the device describes it at present. Absent facts are None, 0 or empty."""

    number: int
    map: SegmentEntryMap
    person: int | None = None
    usage_count: int | None = None
    """Number of entries."""
    start: DeviceTime | None = None
    end: DeviceTime | None = None
    period_us: int | None = None
    """Period of the entries of a periodic segment; the store's where the segment has none."""
    adjustment_us: int = 0
    """Adjustment of the device's clock since these entries were recorded; add it to their times."""
    transfer_timeout_s: float | None = None
    identity: bytes = b""
    """Digest of the facts that do not change while the segment grows (`IDENTITY_BYTES`)."""
    state: bytes = b""
    """Digest of the same facts and of those that change while the segment grows."""

    @property
    def dated(self) -> bool:
        """True where the segment has a start or an end time. Such a time distinguishes it from a later segment with the
        same number."""
        return self.start is not None or self.end is not None

    def time_of(self, index: int) -> DeviceTime | None:
        """Return the time of an entry of a periodic segment, or None where it cannot be computed."""
        if self.start is None or not self.period_us:
            return None
        start_us = self.start.local_us()
        if start_us is None or (self.start.kind is TimeKind.ABSOLUTE and self.period_us < _HUNDREDTH_US):
            return None  # two entries must not share the hundredths of a date: equal ones would become one
        return _time(self.start, start_us + self.period_us * index)


def _time(like: DeviceTime, local_us: int) -> DeviceTime | None:
    """Return `local_us` as a time in the format of `like`, or None beyond the range of the format."""
    try:
        if like.kind is TimeKind.ABSOLUTE:
            return absolute_time(_EPOCH + timedelta(microseconds=local_us))
        seconds, rest_us = divmod(local_us, 1_000_000)
        fraction = -(-rest_us * 65_536 // 1_000_000)
        data = (seconds + _EPOCH_1900_S).to_bytes(4, "big") + min(fraction, 0xFFFF).to_bytes(2, "big")
        return DeviceTime(TimeKind.BASE_OFFSET, data + like.octets[6:8])
    except OverflowError:
        return None


def segment_of(info: SegmentInfo, store: Mapping[int, bytes], notes: Notes) -> Segment:
    """Return a segment from its SegmentInfo and the attributes of its PM-store. Raises `RemoteProtocolError` where the
    map of entries is missing or malformed, since without it no entry can be decoded."""
    attributes = _Attributes(attributes_of(info.seg_info), notes)
    data = attributes.values.get(Attribute.SEGMENT_MAP)
    if data is None:
        raise RemoteProtocolError("a segment has no PM-Segment-Entry-Map", clause="20601 §8.7 PM-Segment")
    entry_map = decode(SegmentEntryMap, data)
    if len(entry_map.segm_entry_elem_list) > ELEMENTS_MAX:
        raise RemoteProtocolError(
            f"an entry has more than {ELEMENTS_MAX} elements", clause="20601 §7 PmSegmentEntryMap"
        )
    period = attributes.number(Attribute.SAMPLE_PERIOD, 4)
    if period is None:
        period = _Attributes(store, notes).number(Attribute.SAMPLE_PERIOD, 4)
    adjustment = attributes.sized(Attribute.DATE_AND_TIME_ADJUSTMENT, 6)
    timeout = attributes.number(Attribute.TRANSFER_TIMEOUT, 4)
    identity = _digest(attributes.values, _STABLE)
    return Segment(
        number=info.seg_inst_no,
        map=entry_map,
        person=attributes.number(Attribute.SEGMENT_PERSON_ID, 2),
        usage_count=attributes.number(Attribute.SEGMENT_USAGE_COUNT, 4),
        start=attributes.time(Attribute.SEGMENT_START_ABSOLUTE, Attribute.SEGMENT_START_BASE_OFFSET),
        end=attributes.time(Attribute.SEGMENT_END_ABSOLUTE, Attribute.SEGMENT_END_BASE_OFFSET),
        period_us=None if not period else period * _RELATIVE_TIME_US,
        adjustment_us=0 if adjustment is None else int.from_bytes(adjustment, "big", signed=True) * _HUNDREDTH_US,
        transfer_timeout_s=None if not timeout else timeout * _RELATIVE_TIME_US / 1_000_000,
        identity=identity,
        state=_digest(attributes.values, _GROWING, identity),
    )


def _digest(values: Mapping[int, bytes], attributes: Sequence[Attribute], before: bytes = b"") -> bytes:
    digest = hashlib.sha256(before)
    for attribute in attributes:
        value = values.get(attribute)
        if value is not None:
            digest.update(attribute.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value)
    return digest.digest()[:IDENTITY_BYTES]


class _Attributes:
    """Reader of the attributes of a segment or PM-store. An attribute of the wrong length is noted and counts as
    absent."""

    def __init__(self, values: Mapping[int, bytes], notes: Notes) -> None:
        self.values = values
        self._notes = notes

    def sized(self, attribute: Attribute, size: int) -> bytes | None:
        value = self.values.get(attribute)
        if value is not None and len(value) != size:
            self._notes.add(
                Oddity.ATTRIBUTE_LENGTH, value, attribute=attribute.name, bytes_found=len(value), bytes_due=size
            )
            return None
        return value

    def number(self, attribute: Attribute, size: int) -> int | None:
        value = self.sized(attribute, size)
        return None if value is None else int.from_bytes(value, "big")

    def time(self, absolute: Attribute, base_offset: Attribute) -> DeviceTime | None:
        """Return the date in the attribute `base_offset` or, without a valid date there, the date in the attribute
        `absolute`. Return None if neither attribute has a valid date."""
        for attribute, kind in ((base_offset, TimeKind.BASE_OFFSET), (absolute, TimeKind.ABSOLUTE)):
            value = self.sized(attribute, 8)
            if value is not None and (time := DeviceTime(kind, value)).local_us() is not None:
                return time
        return None
