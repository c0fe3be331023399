"""Current Time service (0x1805): reading and setting a device's clock, and the source of its time (reference BLE §13).

A Current Time from the device relates the device's clock to the gateway's clock. It is a local time, and so is the time
that a client writes. Reference Time Information describes how the clock is synchronised, as a 20601 attribute of the
MDS object. No time stamp of another service depends on it, nor on Local Time Information.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from protocols.ble.codec import Codec
from protocols.ble.interpretation import (
    READ,
    SUBSCRIBE,
    WRITE,
    CharacteristicUse,
    ClockShown,
    GattEvent,
    ServiceInterpreter,
    ServiceProfile,
)
from protocols.ble.layout import DATE_TIME, I8, U8, Field, ValueLayout
from protocols.ble.transcoding import DeviationFilter
from protocols.ble.uuids import CURRENT_TIME as CURRENT_TIME_SERVICE
from protocols.ble.wire import date_time_bytes, date_time_of
from protocols.device_time import DeviceTime, absolute_time_at
from protocols.errors import LocalProtocolError
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.identity import MdsTimeInfo
from protocols.ieee11073.mder import encode

CURRENT_TIME: Final = 0x2A2B
LOCAL_TIME_INFORMATION: Final = 0x2A0F
REFERENCE_TIME_INFORMATION: Final = 0x2A14
CLAUSE: Final = "CTS"

ADJUSTED_BY_HAND, ADJUSTED_BY_REFERENCE, ADJUSTED_ZONE, ADJUSTED_DST = range(4)
"""Numbers of the adjust reason."""
ZONE_UNKNOWN: Final = -128
DST_UNKNOWN: Final = 255
SYNCHRONISED_SOURCES: Final = frozenset({1, 2, 3, 5, 6})
"""Time sources that follow UTC by themselves: NTP, GPS, radio, atomic clock, cellular. A clock set by hand (4) does
not."""
_REAL_TIME_CLOCK, _SYNCHRONISED = 0x8000, 0x0080
"""Bits of mds-time-cap-state: the device has a real-time clock, and its absolute time is synchronised."""
_PROTOCOLS = {1: 7938, 2: 7950, 3: 7942, 4: 7936, 5: 7948, 6: 7949}
"""time-sync-protocol of 20601 (partition 8) for each time source: NTP, GPS, radio, none (set by hand), other, other
mobile."""
_ACCURACY_UNKNOWN = 0xFFFF_FFFF
_ACCURACY_WORSE = 254
"""Accuracies from here on are no number."""
_DAYS_MAX = 255
_TICKS_PER_EIGHTH = 1000
"""Ticks of 125 µs in 1/8 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentTime:
    """Current Time (0x2A2B). `date_time` is a local Date Time as sent, and `fraction_256` counts 1/256 s after it. Day
    of week (1: Monday) and adjust reason are as sent."""

    date_time: bytes
    day_of_week: int = 0
    fraction_256: int = 0
    adjust_reason: int = ADJUSTED_BY_HAND


@dataclass(frozen=True, slots=True)
class LocalTimeInformation:
    """Local Time Information (0x2A0F): time zone (-128: unknown) and DST code (255: unknown), in quarter hours."""

    zone_quarters: int
    dst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceTimeInformation:
    """Reference Time Information (0x2A14). `source` is as sent. The accuracy is in 1/8 s (254: worse than 31.6 s, 255:
    unknown). `days` and `hours` are the time since the last update of the clock (255 days: 255 or more)."""

    source: int
    accuracy_eighths: int
    days: int
    hours: int


def zone_min(zone_quarters: int, dst: int) -> int | None:
    """Return the minutes by which local time is ahead of UTC, or None where `zone_quarters` or `dst` is unknown."""
    if zone_quarters == ZONE_UNKNOWN or dst == DST_UNKNOWN:
        return None
    return (zone_quarters + dst) * 15


def current_time_at(moment: datetime, *, adjust_reason: int = ADJUSTED_BY_REFERENCE) -> CurrentTime:
    """Return the value that sets a device's clock to the wall-clock time of `moment`. The value has no time zone."""
    return CurrentTime(
        date_time=date_time_bytes(moment),
        day_of_week=moment.isoweekday(),
        fraction_256=moment.microsecond * 256 // 1_000_000,
        adjust_reason=adjust_reason,
    )


def shown_time(value: CurrentTime) -> DeviceTime | None:
    """Return the time on the device's clock, to the hundredth of a second; None where the date is invalid."""
    time = date_time_of(value.date_time)
    local_us = None if time is None else time.local_us()
    if local_us is None:
        return None
    try:
        return absolute_time_at(local_us + value.fraction_256 * 1_000_000 // 256)
    except LocalProtocolError:
        return None  # the fraction of a second leads past the year 9999


_CURRENT_TIME = ValueLayout(
    CurrentTime,
    "CTS 0x2A2B",
    Field("date_time", DATE_TIME),
    Field("day_of_week", U8),
    Field("fraction_256", U8),
    Field("adjust_reason", U8),
)
_LOCAL = ValueLayout(LocalTimeInformation, "CTS 0x2A0F", Field("zone_quarters", I8), Field("dst", U8))
_REFERENCE = ValueLayout(
    ReferenceTimeInformation,
    "CTS 0x2A14",
    Field("source", U8),
    Field("accuracy_eighths", U8),
    Field("days", U8),
    Field("hours", U8),
)
decode_current_time, encode_current_time = _CURRENT_TIME.decode, _CURRENT_TIME.encode
decode_local_time_information, encode_local_time_information = _LOCAL.decode, _LOCAL.encode
decode_reference_time_information, encode_reference_time_information = _REFERENCE.decode, _REFERENCE.encode


def _time_info(reference: ReferenceTimeInformation | None) -> MdsTimeInfo:
    """Return Mds-Time-Info of a clock whose last update `reference` states, None for a clock without such information.
    The resolution is unknown."""
    state, protocol, accuracy = _REAL_TIME_CLOCK, 0, _ACCURACY_UNKNOWN
    if reference is not None:
        protocol = _PROTOCOLS.get(reference.source, 0)
        if reference.source in SYNCHRONISED_SOURCES and reference.days != _DAYS_MAX:
            state |= _SYNCHRONISED
        if reference.accuracy_eighths < _ACCURACY_WORSE:
            accuracy = reference.accuracy_eighths * _TICKS_PER_EIGHTH
    return MdsTimeInfo(state, protocol, accuracy, 0, 0, 0)


class CurrentTimeReader(ServiceInterpreter):
    checked = (
        (LOCAL_TIME_INFORMATION, decode_local_time_information),
        (REFERENCE_TIME_INFORMATION, decode_reference_time_information),
    )

    def __init__(self) -> None:
        self._deviations = DeviationFilter(CLAUSE)
        self._has_clock = False
        self._reference: ReferenceTimeInformation | None = None

    def learn(self, characteristic: int, data: bytes) -> Sequence[GattEvent]:
        if characteristic == CURRENT_TIME:
            return self._shown(data)
        if characteristic == REFERENCE_TIME_INFORMATION:
            self._reference = decode_reference_time_information(data)
        return super().learn(characteristic, data)

    @property
    def attributes(self) -> tuple[tuple[int, bytes], ...]:
        """Return the device's clock as a tuple of one MDS attribute (id, bytes), Mds-Time-Info. Return an empty tuple
        before a time was read."""
        if not self._has_clock:
            return ()
        return ((Attribute.MDS_TIME_INFO, encode(_time_info(self._reference))),)

    def receive(self, characteristic: int, data: bytes, received_s: float) -> Sequence[GattEvent]:
        if characteristic == CURRENT_TIME:
            return self._shown(data)
        return super().receive(characteristic, data, received_s)

    def _shown(self, data: bytes) -> Sequence[GattEvent]:
        time = shown_time(decode_current_time(data))
        if time is None:
            return self._deviations.deviation("the clock shows no date", data)
        self._has_clock = True
        return (ClockShown(time),)


PROFILE: Final = ServiceProfile(
    service=CURRENT_TIME_SERVICE,
    name="Current Time",
    characteristics=(
        CharacteristicUse(
            CURRENT_TIME,
            Codec(decode_current_time, encode_current_time),
            "Current Time",
            READ | SUBSCRIBE | WRITE,
            "date and time to the hundredth, set by policy",
            required=True,
        ),
        CharacteristicUse(
            LOCAL_TIME_INFORMATION,
            Codec(decode_local_time_information, encode_local_time_information),
            "Local Time Information",
            READ,
            "checked only",
        ),
        CharacteristicUse(
            REFERENCE_TIME_INFORMATION,
            Codec(decode_reference_time_information, encode_reference_time_information),
            "Reference Time Information",
            READ,
            "Mds-Time-Info: source and accuracy of the clock",
        ),
    ),
    interpreter=CurrentTimeReader,
)
