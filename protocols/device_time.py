"""Time as a device sent it: the bytes, the kind of clock, and the meaning of the bytes where they are valid.

Devices send impossible dates (a demo agent sends hour 0x0A). A time that cannot be read is still kept; it is printed as
hex and has no order. Only absolute and base-offset times name a date. To convert relative and high-resolution times to
dates, the relation of the device's clock to UTC is needed (`gateway/sessions/clocks/device_clock`). Code elsewhere
corrects times to UTC.
"""

from datetime import UTC, datetime, timedelta
from enum import Enum

from protocols.errors import LocalProtocolError
from protocols.stream_value import stream_value

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_1900_S = -2_208_988_800
"""1900-01-01T00:00:00Z, the epoch of BaseOffsetTime, in seconds since 1970."""


_LOCAL_US_MIN = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_LOCAL_US_MAX = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


class TimeKind(Enum):
    """Kind of clock of a device time (reference 20601 §1.2). The enum value is the prefix of a printed time."""

    ABSOLUTE = "abs"
    BASE_OFFSET = "bo"
    RELATIVE = "rel"
    HIGH_RESOLUTION = "hires"


_BCD = bytes(number // 10 << 4 | number % 10 for number in range(100))
"""Each number of two digits as a byte with one digit in each half."""

_COUNT_US_MAX = 1 << 61
"""Seventy thousand years since power-on. Larger counts are invalid, and sums of times would not fit 64 bits."""


@stream_value
class DeviceTime:
    """Time of a device. `octets` are the bytes as sent: 4 for relative time (LSB 125 µs), 8 for the other kinds."""

    kind: TimeKind
    octets: bytes

    def local_us(self) -> int | None:
        """Return the time in microseconds on the device's own clock; None where the bytes are not a valid time.
        ABSOLUTE counts from 1970 in the device's local time, BASE_OFFSET from 1970 in UTC. The two counters (relative
        and high-resolution time) count from an unknown start."""
        match self.kind:
            case TimeKind.ABSOLUTE:
                moment = _bcd_datetime(self.octets)
                return None if moment is None else (moment - _EPOCH) // timedelta(microseconds=1)
            case TimeKind.BASE_OFFSET:
                if len(self.octets) != 8:
                    return None
                seconds = int.from_bytes(self.octets[:4], "big") + _EPOCH_1900_S
                return seconds * 1_000_000 + int.from_bytes(self.octets[4:6], "big") * 1_000_000 // 65_536
            case TimeKind.RELATIVE:
                return None if self.octets == b"\xff\xff\xff\xff" else int.from_bytes(self.octets[:4], "big") * 125
            case TimeKind.HIGH_RESOLUTION:
                count_us = int.from_bytes(self.octets, "big")
                return count_us if count_us <= _COUNT_US_MAX else None

    def text(self) -> str:
        """Format the time for people: ABSOLUTE as an ISO date without a zone, BASE_OFFSET as an ISO date with the
        device's offset, a counter as `rel:` or `hires:` and seconds, invalid bytes as the prefix of their kind and hex.
        """
        if self.kind is TimeKind.ABSOLUTE and (date := _bcd_datetime(self.octets)) is not None:
            return date.isoformat(timespec="milliseconds")[:23]
        local_us = self.local_us()
        if local_us is None:
            return f"{self.kind.value}:0x{self.octets.hex()}"
        if self.kind is TimeKind.BASE_OFFSET:
            offset_min = int.from_bytes(self.octets[6:8], "big", signed=True)
            moment = _EPOCH + timedelta(microseconds=local_us, minutes=offset_min)
            sign, rest_min = ("-", -offset_min) if offset_min < 0 else ("+", offset_min)
            zone = f"{sign}{rest_min // 60:02d}:{rest_min % 60:02d}"
            return f"{moment.isoformat(timespec='milliseconds')[:23]}{zone}"
        return f"{self.kind.value}:{local_us / 1_000_000:.6f}"


def _bcd_datetime(data: bytes) -> datetime | None:
    """Decode an AbsoluteTime: century, year, month, day, hour, minute, second, hundredths, each as two BCD digits."""
    digits = data.hex()
    if len(digits) != 16 or not digits.isdecimal():
        return None
    try:
        return datetime(
            int(digits[0:4]),
            int(digits[4:6]),
            int(digits[6:8]),
            int(digits[8:10]),
            int(digits[10:12]),
            int(digits[12:14]),
            int(digits[14:16]) * 10_000,
            tzinfo=UTC,
        )
    except ValueError:
        return None


def absolute_time(moment: datetime) -> DeviceTime:
    """Return the AbsoluteTime of the local time `moment`, truncated to hundredths of a second. A zone of `moment` is
    ignored."""
    century, year = divmod(moment.year, 100)
    fields = (
        century,
        year,
        moment.month,
        moment.day,
        moment.hour,
        moment.minute,
        moment.second,
        moment.microsecond // 10_000,
    )
    return DeviceTime(TimeKind.ABSOLUTE, bytes(map(_BCD.__getitem__, fields)))


def absolute_time_at(local_us: int) -> DeviceTime:
    """Return the AbsoluteTime of local microseconds since 1970. Raises `LocalProtocolError` outside years 1 to 9999."""
    if not _LOCAL_US_MIN <= local_us <= _LOCAL_US_MAX:
        raise LocalProtocolError("an AbsoluteTime has years from 1 to 9999")
    return absolute_time(_EPOCH + timedelta(microseconds=local_us))


def base_offset_time_at(utc_us: int, zone_min: int = 0) -> DeviceTime:
    """Return the BaseOffsetTime of `utc_us` (microseconds since 1970, UTC) in a zone that is `zone_min` minutes ahead
    of UTC. Raises `LocalProtocolError` before 1900, from 2036 on, and for an offset beyond INT-I16."""
    seconds, rest_us = divmod(utc_us - _EPOCH_1900_S * 1_000_000, 1_000_000)
    if not 0 <= seconds < 1 << 32 or not -(1 << 15) <= zone_min < 1 << 15:
        raise LocalProtocolError("a BaseOffsetTime begins in 1900 and ends in 2036")
    fraction = rest_us * 65_536 // 1_000_000
    data = seconds.to_bytes(4, "big") + fraction.to_bytes(2, "big") + zone_min.to_bytes(2, "big", signed=True)
    return DeviceTime(TimeKind.BASE_OFFSET, data)
