"""Layouts of the Blood Pressure service (reference BLE §3): measurement, intermediate cuff pressure, the enhanced forms
of both, feature, and record. In every value, a `time_stamp` is a Date Time as sent, and None marks an absent field.

Measurement and cuff pressure differ in the number of pressures; the plain and the enhanced forms differ in the time
stamp. All four share the layout of the other fields. A record (0x2B36) carries a part of another value. This part stays
bytes: on some devices it ends in a CRC, and the use of records is not confirmed. The MDC codes are in `blood_pressure`.
"""

from dataclasses import dataclass
from typing import Final

from protocols.ble.layout import DATE_TIME, REST, SFLOAT, U8, U16, U32, Field, Flag, SingleField, ValueLayout, pair
from protocols.device_time import DeviceTime, absolute_time_at
from protocols.observation import Scalar, Special

_EPOCH_1900_S: Final = -2_208_988_800
_EPOCH_2000_S: Final = 946_684_800

BODY_MOVED, CUFF_LOOSE, IRREGULAR_PULSE, PULSE_HIGH, PULSE_LOW, POSITION_IMPROPER = 1, 2, 4, 8, 16, 32
"""Measurement status. Pulse high and low are one field of two bits; both together have no meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PressureDetails:
    """Fields that all four pressure characteristics share (None: absent). The pulse rate is per minute, user id 0xFF is
    an unknown user, and the measurement status is as sent. Pressures are in mmHg, or in kPa where `kilopascal` is set.
    """

    kilopascal: bool = False
    pulse_rate: Scalar | None = None
    user_id: int | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BloodPressure(PressureDetails):
    """Blood Pressure Measurement (0x2A35). A pressure that the device does not measure is NaN."""

    systolic: Scalar
    diastolic: Scalar
    mean: Scalar
    time_stamp: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CuffPressure(PressureDetails):
    """Intermediate Cuff Pressure (0x2A36), sent during a measurement. `unused` holds the two other pressure fields of
    the value, which are sent as NaN."""

    cuff: Scalar
    unused: tuple[Scalar, Scalar] = (Special.NAN, Special.NAN)
    time_stamp: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnhancedTimes(PressureDetails):
    """Times of the enhanced forms: `time_s` on the device's base clock, and `user_facing_s` as the device displays it.
    Both count seconds from 2000 where `epoch_2000` is set, else from 1900."""

    time_s: int | None = None
    user_facing_s: int | None = None
    epoch_2000: bool = True

    @property
    def has_two_times(self) -> bool:
        """True where an enhanced blood pressure value has a base time and a user facing time, and these differ."""
        return self.time_s is not None and self.user_facing_s is not None and self.time_s != self.user_facing_s

    def device_time(self) -> DeviceTime | None:
        """Return the base time of an enhanced blood pressure value. Without a base time, return the user facing time;
        without any time, None. The kind is ABSOLUTE, since the standard does not define the time as UTC."""
        seconds = self.user_facing_s if self.time_s is None else self.time_s
        if seconds is None:
            return None
        epoch_s = _EPOCH_2000_S if self.epoch_2000 else _EPOCH_1900_S
        return absolute_time_at((epoch_s + seconds) * 1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnhancedBloodPressure(EnhancedTimes):
    """Enhanced Blood Pressure Measurement (0x2B34). A pressure that the device does not measure is NaN."""

    systolic: Scalar
    diastolic: Scalar
    mean: Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class EnhancedCuffPressure(EnhancedTimes):
    """Enhanced Intermediate Cuff Pressure (0x2B35): the pressure in the cuff during a measurement."""

    cuff: Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class BloodPressureRecord:
    """Blood Pressure Record (0x2B36): one segment of a value of the characteristic `characteristic`. `part` holds the
    bytes of this segment, and ends in a CRC where the device has the E2E-CRC feature."""

    first: bool
    last: bool
    counter: int
    """Number of the segment, 0 to 63; 0 follows 63."""
    sequence_number: int
    characteristic: int
    part: bytes


_UNIT = Flag("kilopascal", 0)
_EPOCH = Flag("epoch_2000", 6)
_PRESSURES = (Field("systolic", SFLOAT), Field("diastolic", SFLOAT), Field("mean", SFLOAT))
_CUFF = Field("cuff", SFLOAT)
_DATE = Field("time_stamp", DATE_TIME, bit=1)
_DETAILS = (Field("pulse_rate", SFLOAT, bit=2), Field("user_id", U8, bit=3), Field("status", U16, bit=4))
_TIMED_DETAILS = (Field("time_s", U32, bit=1), *_DETAILS, Field("user_facing_s", U32, bit=5))

_PLAIN = ValueLayout(BloodPressure, "BPS 0x2A35", _UNIT, *_PRESSURES, _DATE, *_DETAILS, flags_bytes=1)
_PLAIN_CUFF = ValueLayout(
    CuffPressure, "BPS 0x2A36", _UNIT, _CUFF, Field("unused", pair(SFLOAT, SFLOAT)), _DATE, *_DETAILS, flags_bytes=1
)
_ENHANCED = ValueLayout(EnhancedBloodPressure, "BPS 0x2B34", _UNIT, _EPOCH, *_PRESSURES, *_TIMED_DETAILS, flags_bytes=1)
_ENHANCED_CUFF = ValueLayout(EnhancedCuffPressure, "BPS 0x2B35", _UNIT, _EPOCH, _CUFF, *_TIMED_DETAILS, flags_bytes=1)
_FEATURE: SingleField[int] = SingleField("BPS 0x2A49", U16)
"""The bits as sent: 0 body movement, 1 cuff fit, 2 irregular pulse, 3 pulse range, 4 position, 5 multiple bonds,
6 E2E-CRC, 7 User Data service, 8 user facing time."""
_RECORD = ValueLayout(
    BloodPressureRecord,
    "BPS 0x2B36",
    Flag("first", 0),
    Flag("last", 1),
    Flag("counter", 2, values=(), width=6),
    Field("sequence_number", U16),
    Field("characteristic", U16),
    Field("part", REST),
    flags_bytes=1,
)
decode_blood_pressure, encode_blood_pressure = _PLAIN.decode, _PLAIN.encode
decode_cuff_pressure, encode_cuff_pressure = _PLAIN_CUFF.decode, _PLAIN_CUFF.encode
decode_enhanced_blood_pressure, encode_enhanced_blood_pressure = _ENHANCED.decode, _ENHANCED.encode
decode_enhanced_cuff_pressure, encode_enhanced_cuff_pressure = _ENHANCED_CUFF.decode, _ENHANCED_CUFF.encode
decode_feature, encode_feature = _FEATURE.decode, _FEATURE.encode
decode_record, encode_record = _RECORD.decode, _RECORD.encode
