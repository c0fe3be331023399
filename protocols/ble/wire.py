"""Reading and writing of GATT values: little-endian numbers, SFLOAT, FLOAT and Date Time (reference BLE §1)."""

from datetime import datetime

from protocols.device_time import DeviceTime, TimeKind, absolute_time
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.medfloat import float_of, float_raw
from protocols.observation import Scalar
from protocols.reader import Reader

DATE_TIME_BYTES = 7


class GattReader(Reader):
    """Reader of a characteristic value. Each method raises `RemoteProtocolError` where bytes are missing."""

    __slots__ = ()

    def unsigned(self, size: int) -> int:
        """Read a little-endian number of 1 to 8 bytes."""
        return int.from_bytes(self.take(size), "little")

    def u16(self) -> int:
        return self.unsigned(2)

    def u24(self) -> int:
        return self.unsigned(3)

    def float32(self) -> Scalar:
        return float_of(self.unsigned(4))

    def flags(self, size: int, known: int) -> int:
        """Read a flags field of `size` bytes. Raises `RemoteProtocolError` for a flag that is not in `known`: an
        unknown flag announces a field of unknown length, so the bytes after that field cannot be decoded."""
        at = self.at
        value = self.unsigned(size)
        if value & ~known:
            raise RemoteProtocolError(f"flag bits 0x{value & ~known:X} have no meaning", at=at, clause=self._clause)
        return value


class GattWriter:
    __slots__ = ("_bytes",)

    def __init__(self) -> None:
        self._bytes = bytearray()

    def unsigned(self, value: int, size: int) -> "GattWriter":
        """Append a little-endian number of `size` bytes. Raises `LocalProtocolError` where `value` does not fit."""
        try:
            self._bytes += value.to_bytes(size, "little")
        except OverflowError:
            raise LocalProtocolError(f"{value} does not fit {size} bytes") from None
        return self

    def float32(self, value: Scalar) -> "GattWriter":
        return self.unsigned(float_raw(value), 4)

    def raw(self, data: bytes) -> "GattWriter":
        self._bytes += data
        return self

    def value(self) -> bytes:
        return bytes(self._bytes)


def date_time_of(data: bytes) -> DeviceTime | None:
    """Convert a Date Time to a 20601 AbsoluteTime; None where the device does not know the date (year, month or day is
    0). An impossible date keeps its bytes as sent: it is displayed as hex and not ordered in time."""
    year, month, day = int.from_bytes(data[:2], "little"), data[2], data[3]
    if not (year and month and day):
        return None
    try:
        return absolute_time(datetime(year, month, day, data[4], data[5], data[6]))  # noqa: DTZ001  its own zone
    except ValueError:
        return DeviceTime(TimeKind.ABSOLUTE, data + b"\xff")


def date_time_bytes(moment: datetime | None) -> bytes:
    """Encode the local time of a device as a Date Time; an unknown time (None) becomes zeros."""
    if moment is None:
        return bytes(DATE_TIME_BYTES)
    return moment.year.to_bytes(2, "little") + bytes(
        (moment.month, moment.day, moment.hour, moment.minute, moment.second)
    )
