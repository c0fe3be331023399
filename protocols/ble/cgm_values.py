"""Continuous Glucose Monitoring characteristics as values: 0x2AA7 to 0x2AAC (reference BLE §8).

Every value may end in an E2E-CRC, whether or not the feature announces it, and nothing else is two octets long there,
so the length says whether it has one; a check that does not fit is a protocol error. The feature alone always has the
field, and 0xFFFF in it means that nothing is checked.

Does not say what a value means for a record: that is `cgm`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from protocols.ble.codec import Codec
from protocols.ble.e2e_crc import CRC_OCTETS, checked, e2e_crc, with_crc
from protocols.ble.octets import DATE_TIME_OCTETS, GattReader, GattWriter
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.observation import Scalar

CGM_MEASUREMENT: Final = 0x2AA7
CGM_FEATURE: Final = 0x2AA8
CGM_STATUS: Final = 0x2AA9
CGM_SESSION_START: Final = 0x2AAA
CGM_SESSION_RUN_TIME: Final = 0x2AAB
CGM_CONTROL_POINT: Final = 0x2AAC

E2E_CRC_SUPPORTED: Final = 1 << 12
"""Feature bit."""
NOT_CHECKED: Final = 0xFFFF

_TREND, _QUALITY, _WARNING, _CALIBRATION, _STATUS = 0x01, 0x02, 0x20, 0x40, 0x80
_FLAGS = 0xE3
_RECORD_OCTETS_MIN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class CgmRecord:
    """One record. mg/dL, minutes since the session's start, mg/dL/min, percent. The three status octets as sent; None:
    the field is not there."""

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
        """The three octets as the 24 bits of CGM Status, 0 for one that is left out; None without any."""
        if self.status is None and self.calibration is None and self.warning is None:
            return None
        return (self.status or 0) | (self.calibration or 0) << 8 | (self.warning or 0) << 16


@dataclass(frozen=True, slots=True)
class CgmMeasurement:
    """0x2AA7: at least one record."""

    records: tuple[CgmRecord, ...]


@dataclass(frozen=True, slots=True)
class CgmFeature:
    """0x2AA8. Feature bits and the two nibbles as sent. `crc` as sent; `NOT_CHECKED`: no check."""

    supported: int
    sample_type: int
    location: int
    crc: int = NOT_CHECKED


@dataclass(frozen=True, slots=True)
class CgmStatus:
    """0x2AA9. `status` holds 24 bits, as three status octets would."""

    offset_min: int
    status: int
    has_crc: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CgmSessionStart:
    """0x2AAA. A Date Time as sent, local; zone and DST in quarters of an hour as in Current Time. Writing it sets the
    clock."""

    date_time: bytes
    zone_quarters: int
    dst: int
    has_crc: bool = False


@dataclass(frozen=True, slots=True)
class CgmSessionRunTime:
    """0x2AAB: how long a sensor may run."""

    hours: int
    has_crc: bool = False


@dataclass(frozen=True, slots=True)
class CgmControl:
    """0x2AAC. `operand` as sent; the functions below read it."""

    opcode: int
    operand: bytes = b""
    has_crc: bool = False


class ControlAnswer(NamedTuple):
    """`result`: 1 success, 2 not supported, 3 invalid operand, 4 not completed, 5 out of range."""

    request: int
    result: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Operand of opcodes 04 and 06. mg/dL, minutes since the session's start."""

    concentration_mg_dl: Scalar
    offset_min: int
    sample_type: int
    location: int
    next_offset_min: int
    record: int
    status: int


SET_INTERVAL, GET_INTERVAL, INTERVAL = 0x01, 0x02, 0x03
SET_CALIBRATION, GET_CALIBRATION, CALIBRATION = 0x04, 0x05, 0x06
RESET_ALERT, START_SESSION, STOP_SESSION, CONTROL_RESPONSE = 0x19, 0x1A, 0x1B, 0x1C
PATIENT_HIGH, PATIENT_LOW, HYPO, HYPER, RATE_OF_DECREASE, RATE_OF_INCREASE = range(0x07, 0x19, 3)
"""Opcodes that set an alert level (SFLOAT); one more gets it, two more answers with it."""

_CALIBRATION_OCTETS = 10
_OPERANDS: Final[Mapping[int, int]] = {
    SET_INTERVAL: 1,
    GET_INTERVAL: 0,
    INTERVAL: 1,
    SET_CALIBRATION: _CALIBRATION_OCTETS,
    CALIBRATION: _CALIBRATION_OCTETS,
    **{level + step: octets for level in range(0x07, 0x19, 3) for step, octets in enumerate((2, 0, 2))},
    RESET_ALERT: 0,
    START_SESSION: 0,
    STOP_SESSION: 0,
    CONTROL_RESPONSE: 2,
}
"""Octets of an operand; any number where the reference has none (getting a calibration, opcodes without a meaning)."""


def decode_measurement(octets: bytes) -> CgmMeasurement:
    reader = GattReader(octets, clause="CGMS 0x2AA7")
    records = [_read_record(reader)]
    while reader.remaining:
        records.append(_read_record(reader))
    return CgmMeasurement(tuple(records))


def _read_record(outer: GattReader) -> CgmRecord:
    at = outer.at
    size = outer.u8()
    if size < _RECORD_OCTETS_MIN:
        raise RemoteProtocolError(f"a record has {size} octets", at=at, clause="CGMS 0x2AA7")
    octets = bytes((size,)) + outer.take(size - 1)
    reader = GattReader(octets, at=1, clause="CGMS 0x2AA7")
    flags = reader.flags(1, _FLAGS)
    return CgmRecord(
        concentration_mg_dl=reader.sfloat(),
        offset_min=reader.u16(),
        status=reader.u8() if flags & _STATUS else None,
        calibration=reader.u8() if flags & _CALIBRATION else None,
        warning=reader.u8() if flags & _WARNING else None,
        trend=reader.sfloat() if flags & _TREND else None,
        quality_percent=reader.sfloat() if flags & _QUALITY else None,
        has_crc=_ended(reader, octets),
    )


def encode_measurement(value: CgmMeasurement) -> bytes:
    return b"".join(map(_written_record, value.records))


def _written_record(record: CgmRecord) -> bytes:
    flags = (
        (_TREND if record.trend is not None else 0)
        | (_QUALITY if record.quality_percent is not None else 0)
        | (_WARNING if record.warning is not None else 0)
        | (_CALIBRATION if record.calibration is not None else 0)
        | (_STATUS if record.status is not None else 0)
    )
    writer = GattWriter().unsigned(flags, 1).sfloat(record.concentration_mg_dl).unsigned(record.offset_min, 2)
    for octet in (record.status, record.calibration, record.warning):
        if octet is not None:
            writer.unsigned(octet, 1)
    for number in (record.trend, record.quality_percent):
        if number is not None:
            writer.sfloat(number)
    content = writer.value()
    size = 1 + len(content) + (CRC_OCTETS if record.has_crc else 0)
    return _with(bytes((size,)) + content, has_crc=record.has_crc)


def decode_feature(octets: bytes) -> CgmFeature:
    reader = GattReader(octets, clause="CGMS 0x2AA8")
    supported, kind, crc = reader.u24(), reader.u8(), reader.u16()
    reader.finish()
    if crc != NOT_CHECKED:
        checked(octets[:-CRC_OCTETS], crc, clause="CGMS 0x2AA8")
    return CgmFeature(supported, kind & 0x0F, kind >> 4, crc)


def encode_feature(value: CgmFeature) -> bytes:
    """`crc` goes out as it is; `feature_crc` reckons it."""
    return _feature_octets(value) + value.crc.to_bytes(CRC_OCTETS, "little")


def feature_crc(value: CgmFeature) -> int:
    return e2e_crc(_feature_octets(value))


def _feature_octets(value: CgmFeature) -> bytes:
    return GattWriter().unsigned(value.supported, 3).unsigned(value.location << 4 | value.sample_type, 1).value()


def decode_status(octets: bytes) -> CgmStatus:
    reader = GattReader(octets, clause="CGMS 0x2AA9")
    return CgmStatus(reader.u16(), reader.u24(), _ended(reader, octets))


def encode_status(value: CgmStatus) -> bytes:
    return _with(GattWriter().unsigned(value.offset_min, 2).unsigned(value.status, 3).value(), has_crc=value.has_crc)


def decode_session_start(octets: bytes) -> CgmSessionStart:
    reader = GattReader(octets, clause="CGMS 0x2AAA")
    return CgmSessionStart(
        date_time=reader.take(DATE_TIME_OCTETS),
        zone_quarters=reader.signed(1),
        dst=reader.u8(),
        has_crc=_ended(reader, octets),
    )


def encode_session_start(value: CgmSessionStart) -> bytes:
    writer = GattWriter().raw(value.date_time).signed(value.zone_quarters, 1).unsigned(value.dst, 1)
    return _with(writer.value(), has_crc=value.has_crc)


def decode_session_run_time(octets: bytes) -> CgmSessionRunTime:
    reader = GattReader(octets, clause="CGMS 0x2AAB")
    return CgmSessionRunTime(reader.u16(), _ended(reader, octets))


def encode_session_run_time(value: CgmSessionRunTime) -> bytes:
    return _with(GattWriter().unsigned(value.hours, 2).value(), has_crc=value.has_crc)


def decode_control(octets: bytes) -> CgmControl:
    reader = GattReader(octets, clause="CGMS 0x2AAC")
    opcode = reader.u8()
    due = _OPERANDS.get(opcode)
    if due is None:
        return CgmControl(opcode, reader.rest())
    return CgmControl(opcode, reader.take(due), _ended(reader, octets))


def encode_control(value: CgmControl) -> bytes:
    return _with(GattWriter().unsigned(value.opcode, 1).raw(value.operand).value(), has_crc=value.has_crc)


def control_answer_of(value: CgmControl) -> ControlAnswer | None:
    """None where `value` is no response code."""
    if value.opcode != CONTROL_RESPONSE or len(value.operand) != 2:
        return None
    return ControlAnswer(value.operand[0], value.operand[1])


def alert_level(opcode: int, level: Scalar) -> CgmControl:
    """Sets an alert level, or (`opcode` + 2) answers with one."""
    if _OPERANDS.get(opcode) != 2 or opcode == CONTROL_RESPONSE:
        raise LocalProtocolError(f"opcode 0x{opcode:02X} has no level")
    return CgmControl(opcode, GattWriter().sfloat(level).value())


def alert_level_of(value: CgmControl) -> Scalar | None:
    """None where `value` carries no level."""
    if _OPERANDS.get(value.opcode) != 2 or value.opcode == CONTROL_RESPONSE:
        return None
    return GattReader(value.operand, clause="CGMS 0x2AAC").sfloat()


def calibration_of(value: CgmControl) -> Calibration | None:
    """None where `value` carries no calibration."""
    if value.opcode not in (SET_CALIBRATION, CALIBRATION):
        return None
    reader = GattReader(value.operand, clause="CGMS 0x2AAC")
    concentration, offset_min, kind = reader.sfloat(), reader.u16(), reader.u8()
    return Calibration(
        concentration_mg_dl=concentration,
        offset_min=offset_min,
        sample_type=kind & 0x0F,
        location=kind >> 4,
        next_offset_min=reader.u16(),
        record=reader.u16(),
        status=reader.u8(),
    )


def calibration(opcode: int, value: Calibration) -> CgmControl:
    writer = GattWriter().sfloat(value.concentration_mg_dl).unsigned(value.offset_min, 2)
    writer.unsigned(value.location << 4 | value.sample_type, 1).unsigned(value.next_offset_min, 2)
    return CgmControl(opcode, writer.unsigned(value.record, 2).unsigned(value.status, 1).value())


def _ended(reader: GattReader, octets: bytes) -> bool:
    """Whether the value ends in a check, which then fits. RemoteProtocolError where something else is left."""
    if reader.remaining != CRC_OCTETS:
        reader.finish()
        return False
    checked(octets[: reader.at], reader.u16(), clause="CGMS E2E-CRC")
    return True


def _with(octets: bytes, *, has_crc: bool) -> bytes:
    return with_crc(octets) if has_crc else octets


CODECS: Final = (
    Codec(CGM_MEASUREMENT, "CGM Measurement", decode_measurement, encode_measurement),
    Codec(CGM_FEATURE, "CGM Feature", decode_feature, encode_feature),
    Codec(CGM_STATUS, "CGM Status", decode_status, encode_status),
    Codec(CGM_SESSION_START, "CGM Session Start Time", decode_session_start, encode_session_start),
    Codec(CGM_SESSION_RUN_TIME, "CGM Session Run Time", decode_session_run_time, encode_session_run_time),
    Codec(CGM_CONTROL_POINT, "CGM Specific Ops Control Point", decode_control, encode_control),
)
