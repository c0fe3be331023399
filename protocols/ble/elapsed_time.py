"""Elapsed Time: the time stamp of Generic Health Sensors, and its service (0x183F) (reference BLE §13).

An Elapsed Time comes from one of three kinds of clock. UTC with an offset becomes BaseOffsetTime, local time becomes
AbsoluteTime, and a tick counter becomes HighResolutionTime in microseconds.

A time stamp that is not from the current timeline was made before the clock was set or restarted. It can be converted
to our time only if it is a date from a synchronised clock. Otherwise the time is dropped with a deviation, and the
measured value is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from protocols.ble.codec import Codec
from protocols.ble.current_time import SYNCHRONISED_SOURCES
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
from protocols.ble.layout import I8, U8, U48, Field, Flag, ValueLayout
from protocols.ble.transcoding import DeviationFilter
from protocols.ble.uuids import ELAPSED_TIME
from protocols.ble.wire import GattReader, GattWriter
from protocols.device_time import DeviceTime, TimeKind, absolute_time_at, base_offset_time_at
from protocols.errors import LocalProtocolError

CURRENT_ELAPSED_TIME: Final = 0x2BF2
ELAPSED_TIME_BYTES: Final = 9
CLAUSE: Final = "ETS"

RESOLUTION_US: Final = (1_000_000, 100_000, 1_000, 100)
"""Microseconds in one count of the value. The resolution field is the index."""
_BYTES_8_MAX = (1 << 64) - 1
EPOCH_2000_US: Final = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ElapsedTime:
    """The 9 bytes of an Elapsed Time. `resolution` is an index into `RESOLUTION_US`. `zone_quarters` counts zone and
    DST together in quarters of an hour, and is valid only where `zone_used` is set. `source` is as sent."""

    value: int
    tick: bool = False
    utc: bool = False
    resolution: int = 0
    zone_used: bool = False
    current_timeline: bool = True
    source: int = 0
    zone_quarters: int = 0

    @property
    def elapsed_us(self) -> int:
        return self.value * RESOLUTION_US[self.resolution]


@dataclass(frozen=True, slots=True)
class CurrentElapsedTime:
    """Current Elapsed Time (0x2BF2). Clock status and capabilities are as sent; both are None where the value omits
    them."""

    time: ElapsedTime
    status: int | None = None
    capabilities: int | None = None


class Dated(NamedTuple):
    """Result of converting an Elapsed Time: the device time, or None with the reason in `why_not`."""

    time: DeviceTime | None
    why_not: str = ""


ELAPSED_TIME_LAYOUT: Final = ValueLayout(
    ElapsedTime,
    CLAUSE,
    Flag("tick", 0),
    Flag("utc", 1),
    Flag("resolution", 2, values=(), width=2),
    Flag("zone_used", 4),
    Flag("current_timeline", 5),
    Field("value", U48),
    Field("source", U8),
    Field("zone_quarters", I8),
    flags_bytes=1,
)


def dated(time: ElapsedTime) -> Dated:
    """Convert an Elapsed Time to a device time. A time from an earlier timeline is converted only if it is a date from
    a synchronised clock. A time outside the years of its format is not converted."""
    if not time.current_timeline and (time.tick or time.source not in SYNCHRONISED_SOURCES):
        return Dated(None, "a time is not from the current timeline and its clock was not synchronised; it is dropped")
    at_us = EPOCH_2000_US + time.elapsed_us
    try:
        if time.tick:
            return Dated(_counted(time.elapsed_us))
        if time.utc:
            return Dated(base_offset_time_at(at_us, time.zone_quarters * 15 if time.zone_used else 0))
        return Dated(absolute_time_at(at_us))
    except LocalProtocolError:
        return Dated(None, "a time is outside the years that a time can have; it is dropped")


def _counted(count_us: int) -> DeviceTime:
    time = DeviceTime(TimeKind.HIGH_RESOLUTION, min(count_us, _BYTES_8_MAX).to_bytes(8, "big"))
    if time.local_us() is None:
        raise LocalProtocolError("a counter has run for longer than there were computers")
    return time


def elapsed_time_at(utc_us: int, *, source: int, zone_quarters: int | None = None, resolution: int = 2) -> ElapsedTime:
    """Return the Elapsed Time of a synchronised clock at `utc_us` (microseconds since 1970), as a device sends it and
    as a client writes it to set the clock. Raises LocalProtocolError before 2000."""
    if utc_us < EPOCH_2000_US:
        raise LocalProtocolError("an Elapsed Time begins in 2000")
    return ElapsedTime(
        value=(utc_us - EPOCH_2000_US) // RESOLUTION_US[resolution],
        utc=True,
        resolution=resolution,
        zone_used=zone_quarters is not None,
        source=source,
        zone_quarters=zone_quarters or 0,
    )


def decode_current_elapsed_time(data: bytes) -> CurrentElapsedTime:
    """Decode a Current Elapsed Time, which may end after the time, without clock status and capabilities."""
    reader = GattReader(data, clause="ETS 0x2BF2")
    time = ELAPSED_TIME_LAYOUT.decode(reader.take(ELAPSED_TIME_BYTES))
    value = CurrentElapsedTime(time, reader.u8(), reader.u8()) if reader.remaining else CurrentElapsedTime(time)
    reader.finish()
    return value


def encode_current_elapsed_time(value: CurrentElapsedTime) -> bytes:
    """Encode a Current Elapsed Time. A client that sets the clock omits clock status and capabilities."""
    writer = GattWriter().raw(ELAPSED_TIME_LAYOUT.encode(value.time))
    if value.status is not None and value.capabilities is not None:
        writer.unsigned(value.status, 1).unsigned(value.capabilities, 1)
    return writer.value()


class ElapsedTimeReader(ServiceInterpreter):
    """Interpreter of the Elapsed Time service: emits the time on the device's clock. If the clock is a tick counter,
    this time relates the tick counts of later values in the same connection to UTC."""

    def __init__(self) -> None:
        self._deviations = DeviationFilter(CLAUSE)

    def learn(self, characteristic: int, data: bytes) -> Sequence[GattEvent]:
        return self._shown(data) if characteristic == CURRENT_ELAPSED_TIME else ()

    def receive(self, characteristic: int, data: bytes, received_s: float) -> Sequence[GattEvent]:
        if characteristic == CURRENT_ELAPSED_TIME:
            return self._shown(data)
        return super().receive(characteristic, data, received_s)

    def _shown(self, data: bytes) -> Sequence[GattEvent]:
        found = dated(decode_current_elapsed_time(data).time)
        if found.time is None:
            return self._deviations.deviation(found.why_not, data)
        return (ClockShown(found.time),)


PROFILE: Final = ServiceProfile(
    service=ELAPSED_TIME,
    name="Elapsed Time",
    characteristics=(
        CharacteristicUse(
            CURRENT_ELAPSED_TIME,
            Codec(decode_current_elapsed_time, encode_current_elapsed_time),
            "Current Elapsed Time",
            READ | SUBSCRIBE | WRITE,
            "UTC with offset, local time or tick counter",
            required=True,
        ),
    ),
    interpreter=ElapsedTimeReader,
)
