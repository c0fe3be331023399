"""Values of the Continuous Glucose Monitoring characteristics 0x2AA7 to 0x2AAC (reference BLE §8).

Every value may end in a two-byte E2E-CRC, whether or not the feature announces E2E-CRC. Two bytes left over at the end
of a value are the CRC; a CRC that does not match is a protocol error. Only the feature value always has a CRC field;
0xFFFF in this field means that the CRC is not checked. The MDC codes of the fields are in `cgm`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from protocols.ble.e2e_crc import CRC_BYTES, checked
from protocols.ble.layout import DATE_TIME, E2E_CRC, I8, SFLOAT, U8, U16, U24, Field, ValueLayout, e2e_crc_tail
from protocols.ble.wire import GattReader, GattWriter
from protocols.errors import RemoteProtocolError
from protocols.observation import Scalar

CGM_MEASUREMENT: Final = 0x2AA7
CGM_FEATURE: Final = 0x2AA8
CGM_STATUS: Final = 0x2AA9
CGM_SESSION_START: Final = 0x2AAA
CGM_SESSION_RUN_TIME: Final = 0x2AAB
CGM_CONTROL_POINT: Final = 0x2AAC

E2E_CRC_SUPPORTED: Final = 1 << 12
"""Bit of CGM Feature: values end in an E2E-CRC."""
NOT_CHECKED: Final = 0xFFFF

_RECORD_BYTES_MIN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class CgmRecord:
    """One glucose record: concentration in mg/dL, minutes since the session's start, trend in mg/dL per minute, quality
    in percent, and three status bytes as sent. None: the field is absent."""

    concentration_mg_dl: Scalar
    offset_min: int
    status: int | None = None
    calibration: int | None = None
    warning: int | None = None
    trend: Scalar | None = None
    quality_percent: Scalar | None = None
    has_crc: bool = False

    @property
    def status_bits(self) -> int | None:
        """Return the status bytes in the 24-bit form of CGM Status; an absent byte counts as 0. Return None if all
        status bytes are absent."""
        if self.status is None and self.calibration is None and self.warning is None:
            return None
        return (self.status or 0) | (self.calibration or 0) << 8 | (self.warning or 0) << 16


@dataclass(frozen=True, slots=True)
class CgmMeasurement:
    records: tuple[CgmRecord, ...]


@dataclass(frozen=True, slots=True)
class CgmFeature:
    """CGM Feature (0x2AA8): feature bits, sample type and location (nibbles), and CRC, all as sent."""

    supported: int
    sample_type: int
    location: int
    crc: int = NOT_CHECKED


@dataclass(frozen=True, slots=True)
class CgmStatus:
    """CGM Status (0x2AA9). `status` holds 24 bits: the three status bytes of a record, with the first byte in the
    lowest bits."""

    offset_min: int
    status: int
    has_crc: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CgmSessionStart:
    """CGM Session Start Time (0x2AAA). `date_time` is a local Date Time as sent. Zone and DST count quarters of an
    hour. A client that writes this value sets the sensor's clock."""

    date_time: bytes
    zone_quarters: int
    dst: int
    has_crc: bool = False


@dataclass(frozen=True, slots=True)
class CgmSessionRunTime:
    """CGM Session Run Time (0x2AAB): the time for which a sensor may run, in hours."""

    hours: int
    has_crc: bool = False


@dataclass(frozen=True, slots=True)
class CgmControl:
    """A request or response of the CGM Specific Ops Control Point (0x2AAC). `operand` is kept as sent."""

    opcode: int
    operand: bytes = b""
    has_crc: bool = False


SET_INTERVAL, GET_INTERVAL, INTERVAL = 0x01, 0x02, 0x03
SET_CALIBRATION, GET_CALIBRATION, CALIBRATION = 0x04, 0x05, 0x06
RESET_ALERT, START_SESSION, STOP_SESSION, CONTROL_RESPONSE = 0x19, 0x1A, 0x1B, 0x1C

_CALIBRATION_BYTES = 10
_OPERANDS: Final[Mapping[int, int]] = {
    SET_INTERVAL: 1,
    GET_INTERVAL: 0,
    INTERVAL: 1,
    SET_CALIBRATION: _CALIBRATION_BYTES,
    CALIBRATION: _CALIBRATION_BYTES,
    # Alert levels (SFLOAT): opcode 07 + 3n sets a level, 08 + 3n gets it, and 09 + 3n is the response with the level.
    **{level + step: octets for level in range(0x07, 0x19, 3) for step, octets in enumerate((2, 0, 2))},
    RESET_ALERT: 0,
    START_SESSION: 0,
    STOP_SESSION: 0,
    CONTROL_RESPONSE: 2,
}
"""Bytes of an operand; any number where the reference defines none (getting a calibration, opcodes without a
meaning)."""


def decode_measurement(data: bytes) -> CgmMeasurement:
    reader = GattReader(data, clause="CGMS 0x2AA7")
    records = [_read_record(reader)]
    while reader.remaining:
        records.append(_read_record(reader))
    return CgmMeasurement(tuple(records))


_RECORD = ValueLayout(
    CgmRecord,
    "CGMS 0x2AA7",
    Field("concentration_mg_dl", SFLOAT),
    Field("offset_min", U16),
    Field("status", U8, bit=7),
    Field("calibration", U8, bit=6),
    Field("warning", U8, bit=5),
    Field("trend", SFLOAT, bit=0),
    Field("quality_percent", SFLOAT, bit=1),
    Field("has_crc", e2e_crc_tail(lambda size: bytes((1 + size,)))),
    flags_bytes=1,
)
"""One record without its size byte, which the CRC covers too."""


def _read_record(outer: GattReader) -> CgmRecord:
    at = outer.at
    size = outer.u8()
    if size < _RECORD_BYTES_MIN:
        raise RemoteProtocolError(f"a record has {size} bytes", at=at, clause="CGMS 0x2AA7")
    return _RECORD.decode(outer.take(size - 1))


def encode_measurement(value: CgmMeasurement) -> bytes:
    contents = [_RECORD.encode(record) for record in value.records]
    return b"".join(bytes((1 + len(content),)) + content for content in contents)


def decode_feature(data: bytes) -> CgmFeature:
    reader = GattReader(data, clause="CGMS 0x2AA8")
    supported, kind, crc = reader.u24(), reader.u8(), reader.u16()
    reader.finish()
    if crc != NOT_CHECKED:
        checked(data[:-CRC_BYTES], crc, clause="CGMS 0x2AA8")
    return CgmFeature(supported, kind & 0x0F, kind >> 4, crc)


def encode_feature(value: CgmFeature) -> bytes:
    """Encode a CGM Feature. The field `crc` is written as given, not computed."""
    return _feature_bytes(value) + value.crc.to_bytes(CRC_BYTES, "little")


def _feature_bytes(value: CgmFeature) -> bytes:
    return GattWriter().unsigned(value.supported, 3).unsigned(value.location << 4 | value.sample_type, 1).value()


_STATUS = ValueLayout(
    CgmStatus, "CGMS 0x2AA9", Field("offset_min", U16), Field("status", U24), Field("has_crc", E2E_CRC)
)
_SESSION_START = ValueLayout(
    CgmSessionStart,
    "CGMS 0x2AAA",
    Field("date_time", DATE_TIME),
    Field("zone_quarters", I8),
    Field("dst", U8),
    Field("has_crc", E2E_CRC),
)
_RUN_TIME = ValueLayout(CgmSessionRunTime, "CGMS 0x2AAB", Field("hours", U16), Field("has_crc", E2E_CRC))
decode_status, encode_status = _STATUS.decode, _STATUS.encode
decode_session_start, encode_session_start = _SESSION_START.decode, _SESSION_START.encode
decode_session_run_time, encode_session_run_time = _RUN_TIME.decode, _RUN_TIME.encode


def decode_control(data: bytes) -> CgmControl:
    reader = GattReader(data, clause="CGMS 0x2AAC")
    opcode = reader.u8()
    due = _OPERANDS.get(opcode)
    if due is None:
        return CgmControl(opcode, reader.rest())
    return CgmControl(opcode, reader.take(due), E2E_CRC.decode(data, reader.at, "CGMS 0x2AAC"))


def encode_control(value: CgmControl) -> bytes:
    data = GattWriter().unsigned(value.opcode, 1).raw(value.operand).value()
    return data + E2E_CRC.encode(data, value.has_crc)
