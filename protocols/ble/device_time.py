"""Device Time service (0x1847): reading a device's clock (reference BLE §13).

Only one source describes the layout of the values, and none the operands of the control point. So Argus reads the clock
and does not set it, and the bytes after the four confirmed fields stay raw. The base time does not change with the time
zone, so the clock becomes a BaseOffsetTime. A device with E2E-CRC (feature bit 0) sends the CRC before the clock value.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from protocols.ble.codec import Codec
from protocols.ble.current_time import zone_min
from protocols.ble.e2e_crc import CRC_BYTES, checked
from protocols.ble.elapsed_time import EPOCH_2000_US
from protocols.ble.interpretation import (
    READ,
    SUBSCRIBE,
    UNUSED,
    CharacteristicUse,
    ClockShown,
    GattEvent,
    ServiceInterpreter,
    ServiceProfile,
    Uninterpreted,
)
from protocols.ble.layout import I8, REST, U8, U16, U32, Field, ValueLayout
from protocols.ble.transcoding import DeviationFilter
from protocols.ble.uuids import DEVICE_TIME as DEVICE_TIME_SERVICE
from protocols.ble.wire import GattReader
from protocols.device_time import DeviceTime, base_offset_time_at
from protocols.errors import LocalProtocolError

DEVICE_TIME_FEATURE: Final = 0x2B8E
DEVICE_TIME_PARAMETERS: Final = 0x2B8F
DEVICE_TIME: Final = 0x2B90
DEVICE_TIME_CONTROL_POINT: Final = 0x2B91
CLAUSE: Final = "DTS"

E2E_CRC_SUPPORTED: Final = 0x0001
TIME_FAULT: Final = 0x0001
EPOCH_2000: Final = 0x0010
"""Status bits of the clock."""
_EPOCH_1900_US = int(datetime(1900, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000


@dataclass(frozen=True, slots=True)
class DeviceTimeFeature:
    supported: int


@dataclass(frozen=True, slots=True)
class DeviceTimeParameters:
    """DT Parameters (0x2B8F): the resolution in 1/65536 s, and in `rest` the bytes of the device-dependent fields."""

    resolution_65536: int
    rest: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceClock:
    """Device Time (0x2B90) without its CRC. `base_time_s` counts seconds from 2000 or 1900, selected by a bit of
    `status`. Zone and DST count quarters of an hour. `rest` holds the optional fields as sent."""

    base_time_s: int
    zone_quarters: int
    dst: int
    status: int
    rest: bytes = b""


@dataclass(frozen=True, slots=True)
class DeviceTimeControl:
    """Request or response of the DT Control Point (0x2B91). The operand is as sent: no source defines it."""

    opcode: int
    operand: bytes = b""


_FEATURE = ValueLayout(DeviceTimeFeature, "DTS 0x2B8E", Field("supported", U16))
_PARAMETERS = ValueLayout(DeviceTimeParameters, "DTS 0x2B8F", Field("resolution_65536", U16), Field("rest", REST))
_CLOCK = ValueLayout(
    DeviceClock,
    "DTS 0x2B90",
    Field("base_time_s", U32),
    Field("zone_quarters", I8),
    Field("dst", U8),
    Field("status", U16),
    Field("rest", REST),
)
_CONTROL = ValueLayout(DeviceTimeControl, "DTS 0x2B91", Field("opcode", U8), Field("operand", REST))
decode_feature, encode_feature = _FEATURE.decode, _FEATURE.encode
decode_parameters, encode_parameters = _PARAMETERS.decode, _PARAMETERS.encode
decode_device_time, encode_device_time = _CLOCK.decode, _CLOCK.encode
decode_control, encode_control = _CONTROL.decode, _CONTROL.encode


def shown_time(value: DeviceClock) -> DeviceTime | None:
    """Return the time on the device's clock, with the offset 0 if the device does not know its time zone. Return None
    if the time is outside the years of a BaseOffsetTime."""
    epoch_us = EPOCH_2000_US if value.status & EPOCH_2000 else _EPOCH_1900_US
    try:
        return base_offset_time_at(
            epoch_us + value.base_time_s * 1_000_000, zone_min(value.zone_quarters, value.dst) or 0
        )
    except LocalProtocolError:
        return None


class DeviceTimeReader(ServiceInterpreter):
    def __init__(self) -> None:
        self._deviations = DeviationFilter(CLAUSE)
        self._has_crc = False

    def learn(self, characteristic: int, data: bytes) -> Sequence[GattEvent]:
        if characteristic == DEVICE_TIME_FEATURE:
            self._has_crc = bool(decode_feature(data).supported & E2E_CRC_SUPPORTED)
        elif characteristic == DEVICE_TIME_PARAMETERS:
            decode_parameters(data)
        elif characteristic == DEVICE_TIME:
            return self._shown(data)
        return ()

    def receive(self, characteristic: int, data: bytes, received_s: float) -> Sequence[GattEvent]:
        if characteristic == DEVICE_TIME:
            return self._shown(data)
        if characteristic == DEVICE_TIME_CONTROL_POINT:
            decode_control(data)
            return (Uninterpreted(characteristic, data, "operands of the device time control point"),)
        return super().receive(characteristic, data, received_s)

    def _shown(self, data: bytes) -> Sequence[GattEvent]:
        value = decode_device_time(self._behind_crc(data))
        events: list[GattEvent] = []
        if value.status & TIME_FAULT:
            events += self._deviations.deviation("the device says that its clock has a fault", data)
        time = shown_time(value)
        if time is None:
            events += self._deviations.deviation("the clock is outside the years that a time can have", data)
        else:
            events.append(ClockShown(time))
        return events

    def _behind_crc(self, data: bytes) -> bytes:
        if not self._has_crc:
            return data
        reader = GattReader(data, clause=CLAUSE)
        crc = reader.unsigned(CRC_BYTES)
        rest = reader.rest()
        checked(rest, crc, clause=CLAUSE)
        return rest


PROFILE: Final = ServiceProfile(
    service=DEVICE_TIME_SERVICE,
    name="Device Time",
    characteristics=(
        CharacteristicUse(DEVICE_TIME_FEATURE, Codec(decode_feature, encode_feature), "DT Feature", READ, "E2E-CRC"),
        CharacteristicUse(
            DEVICE_TIME_PARAMETERS, Codec(decode_parameters, encode_parameters), "DT Parameters", READ, "checked only"
        ),
        CharacteristicUse(
            DEVICE_TIME,
            Codec(decode_device_time, encode_device_time),
            "Device Time",
            READ | SUBSCRIBE,
            "base time, zone, DST, status; optional fields raw",
            required=True,
        ),
        CharacteristicUse(
            DEVICE_TIME_CONTROL_POINT, Codec(decode_control, encode_control), "DT Control Point", UNUSED, "not used"
        ),
    ),
    interpreter=DeviceTimeReader,
)
