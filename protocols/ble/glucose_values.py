"""Glucose characteristics as values: Measurement (0x2A18), Context (0x2A34), Feature (0x2A51) (reference BLE §7).

Amounts are in the units in which people know them (mg/dL, mmol/L, g, mg, mL); the wire has kg, litre and mole. An
SFLOAT is decimal, so scaling by a power of ten and rounding to the decimals that are left loses nothing, and the way
back gives the same mantissa.

Does not say what a value means for a record: that is `glucose`.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from protocols.ble.codec import Codec
from protocols.ble.octets import DATE_TIME_OCTETS, GattReader, GattWriter
from protocols.observation import Scalar, Special

GLUCOSE_MEASUREMENT: Final = 0x2A18
GLUCOSE_CONTEXT: Final = 0x2A34
GLUCOSE_FEATURE: Final = 0x2A51

_OFFSET, _CONCENTRATION, _MOLE, _STATUS, _CONTEXT = 1, 2, 4, 8, 16
_MEASUREMENT_FLAGS = 0x1F
_CARBOHYDRATE, _MEAL, _TESTER, _EXERCISE, _MEDICATION, _LITRE, _HBA1C, _EXTENDED = (1 << bit for bit in range(8))

_SFLOAT_DECIMALS = 8
"""The smallest exponent of an SFLOAT is -8."""

DURATION_OVERRUN_S: Final = 0xFFFF
"""An exercise that was longer than the field can say."""
NOT_AVAILABLE_NIBBLE: Final = 15
"""Location, tester or health that the device does not know."""


class ConcentrationUnit(IntEnum):
    """The exponent of ten between the wire's unit and this one."""

    MG_PER_DL = 5
    MMOL_PER_L = 3


class MedicationUnit(IntEnum):
    MILLIGRAM = 6
    MILLILITRE = 3


@dataclass(frozen=True, slots=True)
class Concentration:
    """`sample_type` and `location` are the nibbles as sent."""

    value: Scalar
    sample_type: int
    location: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GlucoseMeasurement:
    """0x2A18. `base_time` is a Date Time as sent; the time of the measurement is `offset_min` later (None: no such
    field). `unit` is said also where no concentration is. `status` holds the sensor status bits as sent."""

    sequence_number: int
    base_time: bytes
    offset_min: int | None = None
    unit: ConcentrationUnit = ConcentrationUnit.MG_PER_DL
    concentration: Concentration | None = None
    status: int | None = None
    context_follows: bool = False


@dataclass(frozen=True, slots=True)
class Exercise:
    """`duration_s` 65535: longer than can be said."""

    duration_s: int
    intensity_percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GlucoseContext:
    """0x2A34. Numbers of a list are as sent; `tester_health` has the tester in its low nibble. `medication_unit` is
    said also where no medication is."""

    sequence_number: int
    extended_flags: int | None = None
    carbohydrate_g: tuple[int, Scalar] | None = None
    meal: int | None = None
    tester_health: int | None = None
    exercise: Exercise | None = None
    medication: tuple[int, Scalar] | None = None
    medication_unit: MedicationUnit = MedicationUnit.MILLIGRAM
    hba1c_percent: Scalar | None = None


@dataclass(frozen=True, slots=True)
class GlucoseFeature:
    """0x2A51: what the meter can tell, bits as sent."""

    supported: int


def decode_measurement(octets: bytes) -> GlucoseMeasurement:
    reader = GattReader(octets, clause="GLS 0x2A18")
    flags = reader.flags(1, _MEASUREMENT_FLAGS)
    unit = ConcentrationUnit.MMOL_PER_L if flags & _MOLE else ConcentrationUnit.MG_PER_DL
    value = GlucoseMeasurement(
        sequence_number=reader.u16(),
        base_time=reader.take(DATE_TIME_OCTETS),
        offset_min=reader.signed(2) if flags & _OFFSET else None,
        unit=unit,
        concentration=_read_concentration(reader, unit) if flags & _CONCENTRATION else None,
        status=reader.u16() if flags & _STATUS else None,
        context_follows=bool(flags & _CONTEXT),
    )
    reader.finish()
    return value


def _read_concentration(reader: GattReader, unit: ConcentrationUnit) -> Concentration:
    value = scaled(reader.sfloat(), unit)
    kind = reader.u8()
    return Concentration(value, kind & 0x0F, kind >> 4)


def encode_measurement(value: GlucoseMeasurement) -> bytes:
    flags = (
        (_OFFSET if value.offset_min is not None else 0)
        | (_CONCENTRATION if value.concentration is not None else 0)
        | (_MOLE if value.unit is ConcentrationUnit.MMOL_PER_L else 0)
        | (_STATUS if value.status is not None else 0)
        | (_CONTEXT if value.context_follows else 0)
    )
    writer = GattWriter().unsigned(flags, 1).unsigned(value.sequence_number, 2).raw(value.base_time)
    if value.offset_min is not None:
        writer.signed(value.offset_min, 2)
    if value.concentration is not None:
        writer.sfloat(scaled(value.concentration.value, -value.unit))
        writer.unsigned(value.concentration.location << 4 | value.concentration.sample_type, 1)
    if value.status is not None:
        writer.unsigned(value.status, 2)
    return writer.value()


def decode_context(octets: bytes) -> GlucoseContext:
    reader = GattReader(octets, clause="GLS 0x2A34")
    flags = reader.u8()
    unit = MedicationUnit.MILLILITRE if flags & _LITRE else MedicationUnit.MILLIGRAM
    value = GlucoseContext(
        sequence_number=reader.u16(),
        extended_flags=reader.u8() if flags & _EXTENDED else None,
        carbohydrate_g=(reader.u8(), scaled(reader.sfloat(), 3)) if flags & _CARBOHYDRATE else None,
        meal=reader.u8() if flags & _MEAL else None,
        tester_health=reader.u8() if flags & _TESTER else None,
        exercise=Exercise(reader.u16(), reader.u8()) if flags & _EXERCISE else None,
        medication=(reader.u8(), scaled(reader.sfloat(), unit)) if flags & _MEDICATION else None,
        medication_unit=unit,
        hba1c_percent=reader.sfloat() if flags & _HBA1C else None,
    )
    reader.finish()
    return value


def encode_context(value: GlucoseContext) -> bytes:
    flags = (
        (_CARBOHYDRATE if value.carbohydrate_g is not None else 0)
        | (_MEAL if value.meal is not None else 0)
        | (_TESTER if value.tester_health is not None else 0)
        | (_EXERCISE if value.exercise is not None else 0)
        | (_MEDICATION if value.medication is not None else 0)
        | (_LITRE if value.medication_unit is MedicationUnit.MILLILITRE else 0)
        | (_HBA1C if value.hba1c_percent is not None else 0)
        | (_EXTENDED if value.extended_flags is not None else 0)
    )
    writer = GattWriter().unsigned(flags, 1).unsigned(value.sequence_number, 2)
    if value.extended_flags is not None:
        writer.unsigned(value.extended_flags, 1)
    if value.carbohydrate_g is not None:
        writer.unsigned(value.carbohydrate_g[0], 1).sfloat(scaled(value.carbohydrate_g[1], -3))
    if value.meal is not None:
        writer.unsigned(value.meal, 1)
    if value.tester_health is not None:
        writer.unsigned(value.tester_health, 1)
    if value.exercise is not None:
        writer.unsigned(value.exercise.duration_s, 2).unsigned(value.exercise.intensity_percent, 1)
    if value.medication is not None:
        writer.unsigned(value.medication[0], 1).sfloat(scaled(value.medication[1], -value.medication_unit))
    if value.hba1c_percent is not None:
        writer.sfloat(value.hba1c_percent)
    return writer.value()


def decode_feature(octets: bytes) -> GlucoseFeature:
    reader = GattReader(octets, clause="GLS 0x2A51")
    value = GlucoseFeature(reader.u16())
    reader.finish()
    return value


def encode_feature(value: GlucoseFeature) -> bytes:
    return GattWriter().unsigned(value.supported, 2).value()


def scaled(value: Scalar, exponent: int) -> Scalar:
    """`value` × 10^`exponent`, with the decimals that an SFLOAT can have before or after."""
    if isinstance(value, Special):
        return value
    if exponent < 0:
        return round(value / 10.0**-exponent, _SFLOAT_DECIMALS)
    return round(value * 10.0**exponent, _SFLOAT_DECIMALS - exponent)


CODECS: Final = (
    Codec(GLUCOSE_MEASUREMENT, "Glucose Measurement", decode_measurement, encode_measurement),
    Codec(GLUCOSE_CONTEXT, "Glucose Measurement Context", decode_context, encode_context),
    Codec(GLUCOSE_FEATURE, "Glucose Feature", decode_feature, encode_feature),
)
