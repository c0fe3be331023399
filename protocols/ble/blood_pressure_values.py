"""Layouts of the Blood Pressure service (reference BLE §3): measurement, intermediate cuff pressure, both in the
enhanced form too, feature, and the record that carries parts of other values.

The forms differ in how many pressures come first and in how they say the time; what follows is alike, so it is read and
written once. A record (0x2B36) stays octets: whether a CRC ends it depends on a feature, and its use is not confirmed.

Does not say what a field means in MDC: that is `blood_pressure`.
"""

from dataclasses import dataclass
from typing import Final

from protocols.ble.octets import DATE_TIME_OCTETS, GattReader, GattWriter
from protocols.device_time import DeviceTime, absolute_time_at
from protocols.observation import Scalar, Special

KILOPASCAL, TIME_STAMP, PULSE_RATE, USER_ID, STATUS, USER_FACING_TIME, EPOCH_2000 = 1, 2, 4, 8, 16, 32, 64
_FLAGS: Final = 0x1F
_ENHANCED_FLAGS: Final = 0x7F
_EPOCH_1900_S: Final = -2_208_988_800
_EPOCH_2000_S: Final = 946_684_800

BODY_MOVED, CUFF_LOOSE, IRREGULAR_PULSE, PULSE_HIGH, PULSE_LOW, POSITION_IMPROPER = 1, 2, 4, 8, 16, 32
"""Measurement status. Pulse high and low are one field of two bits, so both together mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PressureDetails:
    """What follows the pressures: pulse rate per minute, whose it is (0xFF unknown), measurement status as sent.

    None: the device does not say. Pressures are mmHg, or kPa where `kilopascal` is set.
    """

    kilopascal: bool = False
    pulse_rate: Scalar | None = None
    user_id: int | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BloodPressure(PressureDetails):
    """0x2A35. A pressure that the device does not measure is NaN; `time_stamp` is a Date Time as sent."""

    systolic: Scalar
    diastolic: Scalar
    mean: Scalar
    time_stamp: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CuffPressure(PressureDetails):
    """0x2A36: the pressure in the cuff while it measures. `unused` are the two that a device sends as NaN."""

    cuff: Scalar
    unused: tuple[Scalar, Scalar] = (Special.NAN, Special.NAN)
    time_stamp: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnhancedTimes(PressureDetails):
    """Seconds since 1900, or since 2000 where `epoch_2000` is set: on the device's base clock, and as its user sees
    it."""

    time_s: int | None = None
    user_facing_s: int | None = None
    epoch_2000: bool = True

    @property
    def tells_two_times(self) -> bool:
        """Whether the user sees another time than the base clock shows."""
        return self.time_s is not None and self.user_facing_s is not None and self.time_s != self.user_facing_s

    def device_time(self) -> DeviceTime | None:
        """The base time, else the user facing one. ABSOLUTE: nothing says that it is UTC."""
        seconds = self.user_facing_s if self.time_s is None else self.time_s
        if seconds is None:
            return None
        epoch_s = _EPOCH_2000_S if self.epoch_2000 else _EPOCH_1900_S
        return absolute_time_at((epoch_s + seconds) * 1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnhancedBloodPressure(EnhancedTimes):
    """0x2B34."""

    systolic: Scalar
    diastolic: Scalar
    mean: Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class EnhancedCuffPressure(EnhancedTimes):
    """0x2B35."""

    cuff: Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class BloodPressureRecord:
    """0x2B36: a part of another characteristic's value. `part` ends with a CRC where the device has that feature."""

    first: bool
    last: bool
    counter: int
    """0 to 63, rolling."""
    sequence_number: int
    characteristic: int
    part: bytes


def decode_blood_pressure(octets: bytes) -> BloodPressure:
    reader = GattReader(octets, clause="BPS 0x2A35")
    flags = reader.flags(1, _FLAGS)
    value = BloodPressure(
        kilopascal=bool(flags & KILOPASCAL),
        systolic=reader.sfloat(),
        diastolic=reader.sfloat(),
        mean=reader.sfloat(),
        time_stamp=_date_time(reader, flags),
        pulse_rate=_pulse_rate(reader, flags),
        user_id=_user_id(reader, flags),
        status=_status(reader, flags),
    )
    reader.finish()
    return value


def encode_blood_pressure(value: BloodPressure) -> bytes:
    writer = GattWriter().unsigned(_flags_of(value) | (TIME_STAMP if value.time_stamp is not None else 0), 1)
    writer.sfloat(value.systolic).sfloat(value.diastolic).sfloat(value.mean).raw(value.time_stamp or b"")
    _write_details(writer, value)
    return writer.value()


def decode_cuff_pressure(octets: bytes) -> CuffPressure:
    reader = GattReader(octets, clause="BPS 0x2A36")
    flags = reader.flags(1, _FLAGS)
    value = CuffPressure(
        kilopascal=bool(flags & KILOPASCAL),
        cuff=reader.sfloat(),
        unused=(reader.sfloat(), reader.sfloat()),
        time_stamp=_date_time(reader, flags),
        pulse_rate=_pulse_rate(reader, flags),
        user_id=_user_id(reader, flags),
        status=_status(reader, flags),
    )
    reader.finish()
    return value


def encode_cuff_pressure(value: CuffPressure) -> bytes:
    writer = GattWriter().unsigned(_flags_of(value) | (TIME_STAMP if value.time_stamp is not None else 0), 1)
    for pressure in (value.cuff, *value.unused):
        writer.sfloat(pressure)
    _write_details(writer.raw(value.time_stamp or b""), value)
    return writer.value()


def decode_enhanced_blood_pressure(octets: bytes) -> EnhancedBloodPressure:
    reader = GattReader(octets, clause="BPS 0x2B34")
    flags = reader.flags(1, _ENHANCED_FLAGS)
    value = EnhancedBloodPressure(
        kilopascal=bool(flags & KILOPASCAL),
        epoch_2000=bool(flags & EPOCH_2000),
        systolic=reader.sfloat(),
        diastolic=reader.sfloat(),
        mean=reader.sfloat(),
        time_s=reader.u32() if flags & TIME_STAMP else None,
        pulse_rate=_pulse_rate(reader, flags),
        user_id=_user_id(reader, flags),
        status=_status(reader, flags),
        user_facing_s=reader.u32() if flags & USER_FACING_TIME else None,
    )
    reader.finish()
    return value


def encode_enhanced_blood_pressure(value: EnhancedBloodPressure) -> bytes:
    writer = GattWriter().unsigned(_enhanced_flags_of(value), 1)
    _write_enhanced(writer.sfloat(value.systolic).sfloat(value.diastolic).sfloat(value.mean), value)
    return writer.value()


def decode_enhanced_cuff_pressure(octets: bytes) -> EnhancedCuffPressure:
    reader = GattReader(octets, clause="BPS 0x2B35")
    flags = reader.flags(1, _ENHANCED_FLAGS)
    value = EnhancedCuffPressure(
        kilopascal=bool(flags & KILOPASCAL),
        epoch_2000=bool(flags & EPOCH_2000),
        cuff=reader.sfloat(),
        time_s=reader.u32() if flags & TIME_STAMP else None,
        pulse_rate=_pulse_rate(reader, flags),
        user_id=_user_id(reader, flags),
        status=_status(reader, flags),
        user_facing_s=reader.u32() if flags & USER_FACING_TIME else None,
    )
    reader.finish()
    return value


def encode_enhanced_cuff_pressure(value: EnhancedCuffPressure) -> bytes:
    writer = GattWriter().unsigned(_enhanced_flags_of(value), 1)
    _write_enhanced(writer.sfloat(value.cuff), value)
    return writer.value()


def decode_feature(octets: bytes) -> int:
    """The bits as sent: 0 body movement, 1 cuff fit, 2 irregular pulse, 3 pulse range, 4 position, 5 multiple bonds,
    6 E2E-CRC, 7 User Data service, 8 user facing time."""
    reader = GattReader(octets, clause="BPS 0x2A49")
    feature = reader.u16()
    reader.finish()
    return feature


def encode_feature(feature: int) -> bytes:
    return GattWriter().unsigned(feature, 2).value()


def decode_record(octets: bytes) -> BloodPressureRecord:
    reader = GattReader(octets, clause="BPS 0x2B36")
    header = reader.u8()
    return BloodPressureRecord(
        first=bool(header & 1),
        last=bool(header & 2),
        counter=header >> 2,
        sequence_number=reader.u16(),
        characteristic=reader.u16(),
        part=reader.rest(),
    )


def encode_record(record: BloodPressureRecord) -> bytes:
    header = record.counter << 2 | record.last << 1 | record.first
    writer = GattWriter().unsigned(header, 1).unsigned(record.sequence_number, 2)
    return writer.unsigned(record.characteristic, 2).raw(record.part).value()


def _date_time(reader: GattReader, flags: int) -> bytes | None:
    return reader.take(DATE_TIME_OCTETS) if flags & TIME_STAMP else None


def _pulse_rate(reader: GattReader, flags: int) -> Scalar | None:
    return reader.sfloat() if flags & PULSE_RATE else None


def _user_id(reader: GattReader, flags: int) -> int | None:
    return reader.u8() if flags & USER_ID else None


def _status(reader: GattReader, flags: int) -> int | None:
    return reader.u16() if flags & STATUS else None


def _flags_of(value: PressureDetails) -> int:
    return (
        (KILOPASCAL if value.kilopascal else 0)
        | (PULSE_RATE if value.pulse_rate is not None else 0)
        | (USER_ID if value.user_id is not None else 0)
        | (STATUS if value.status is not None else 0)
    )


def _enhanced_flags_of(value: EnhancedTimes) -> int:
    return (
        _flags_of(value)
        | (TIME_STAMP if value.time_s is not None else 0)
        | (USER_FACING_TIME if value.user_facing_s is not None else 0)
        | (EPOCH_2000 if value.epoch_2000 else 0)
    )


def _write_details(writer: GattWriter, value: PressureDetails) -> None:
    if value.pulse_rate is not None:
        writer.sfloat(value.pulse_rate)
    if value.user_id is not None:
        writer.unsigned(value.user_id, 1)
    if value.status is not None:
        writer.unsigned(value.status, 2)


def _write_enhanced(writer: GattWriter, value: EnhancedTimes) -> None:
    if value.time_s is not None:
        writer.unsigned(value.time_s, 4)
    _write_details(writer, value)
    if value.user_facing_s is not None:
        writer.unsigned(value.user_facing_s, 4)
