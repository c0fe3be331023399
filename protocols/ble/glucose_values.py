"""Values of the Glucose characteristics: Measurement (0x2A18), Context (0x2A34), Feature (0x2A51) (reference BLE §7).

Amounts are in customary units (mg/dL, mmol/L, g, mg, mL), while the wire units are kg, litre and mole. The conversion
is exact: an SFLOAT is decimal, so it is scaled by a power of ten and rounded to the remaining decimals. Converting back
gives the same mantissa. The MDC codes of the fields are in `glucose`.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from protocols.ble.layout import (
    DATE_TIME,
    I16,
    SFLOAT,
    U8,
    U16,
    Either,
    Field,
    FieldType,
    Flag,
    ValueLayout,
    one_column,
    pair,
    record,
)
from protocols.medfloat import sfloat_of, sfloat_raw
from protocols.observation import Scalar, Special

GLUCOSE_MEASUREMENT: Final = 0x2A18
GLUCOSE_CONTEXT: Final = 0x2A34
GLUCOSE_FEATURE: Final = 0x2A51

_SFLOAT_DECIMALS = 8
"""The smallest exponent of an SFLOAT is -8."""

DURATION_OVERRUN_S: Final = 0xFFFF
"""Code for an exercise that was longer than the field can express."""
NOT_AVAILABLE_NIBBLE: Final = 15
"""Location, tester or health unknown to the device."""


class ConcentrationUnit(IntEnum):
    """Unit of a concentration. The enum value is an exponent n: the number in this unit is the wire number × 10^n."""

    MG_PER_DL = 5
    MMOL_PER_L = 3


class MedicationUnit(IntEnum):
    MILLIGRAM = 6
    MILLILITRE = 3


@dataclass(frozen=True, slots=True)
class Concentration:
    """Glucose concentration. `sample_type` and `location` are two nibbles as sent."""

    value: Scalar
    sample_type: int
    location: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GlucoseMeasurement:
    """Glucose Measurement (0x2A18). `base_time` is a Date Time as sent; `offset_min` is added to it (None: absent).
    `unit` is the unit of the concentration; without a concentration it has no meaning. `status` holds the sensor status
    bits as sent. `context_follows`: the meter announces a context value."""

    sequence_number: int
    base_time: bytes
    offset_min: int | None = None
    unit: ConcentrationUnit = ConcentrationUnit.MG_PER_DL
    concentration: Concentration | None = None
    status: int | None = None
    context_follows: bool = False


@dataclass(frozen=True, slots=True)
class Exercise:
    """Exercise in a context. `duration_s` 65535 means longer than the field can express."""

    duration_s: int
    intensity_percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GlucoseContext:
    """Glucose Measurement Context (0x2A34). Enumerated fields are numbers as sent; the low nibble of `tester_health` is
    the tester. `medication_unit` is the unit of the medication; without a medication it has no meaning."""

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
    supported: int


def scaled(value: Scalar, exponent: int) -> Scalar:
    """Return `value` × 10^`exponent`, rounded so that converting back gives the same SFLOAT."""
    if isinstance(value, Special):
        return value
    if exponent < 0:
        return round(value / 10.0**-exponent, _SFLOAT_DECIMALS)
    return round(value * 10.0**exponent, _SFLOAT_DECIMALS - exponent)


def _amount(exponent: int) -> FieldType:
    """Declare an SFLOAT field. The decoded value is the number on the wire × 10^`exponent`."""
    return one_column(
        "H", lambda raw: scaled(sfloat_of(raw), exponent), lambda value: sfloat_raw(scaled(value, -exponent))
    )


def _concentration(unit: ConcentrationUnit) -> FieldType:
    amount = _amount(unit)

    def decode(raw: int, kind: int) -> Concentration:
        return Concentration(amount.decode(raw), kind & 0x0F, kind >> 4)

    def encode(value: Concentration) -> tuple[int, int]:
        return (*amount.encode(value.value), value.location << 4 | value.sample_type)

    return FieldType("HB", decode, encode)


_MEASUREMENT = ValueLayout(
    GlucoseMeasurement,
    "GLS 0x2A18",
    Flag("unit", 2, values=(ConcentrationUnit.MG_PER_DL, ConcentrationUnit.MMOL_PER_L)),
    Flag("context_follows", 4),
    Field("sequence_number", U16),
    Field("base_time", DATE_TIME),
    Field("offset_min", I16, bit=0),
    Field(
        "concentration",
        Either(
            2,
            where_set=_concentration(ConcentrationUnit.MMOL_PER_L),
            where_clear=_concentration(ConcentrationUnit.MG_PER_DL),
        ),
        bit=1,
    ),
    Field("status", U16, bit=3),
    flags_bytes=1,
)
_CONTEXT = ValueLayout(
    GlucoseContext,
    "GLS 0x2A34",
    Flag("medication_unit", 5, values=(MedicationUnit.MILLIGRAM, MedicationUnit.MILLILITRE)),
    Field("sequence_number", U16),
    Field("extended_flags", U8, bit=7),
    Field("carbohydrate_g", pair(U8, _amount(3)), bit=0),
    Field("meal", U8, bit=1),
    Field("tester_health", U8, bit=2),
    Field("exercise", record(Exercise, duration_s=U16, intensity_percent=U8), bit=3),
    Field(
        "medication",
        Either(
            5,
            where_set=pair(U8, _amount(MedicationUnit.MILLILITRE)),
            where_clear=pair(U8, _amount(MedicationUnit.MILLIGRAM)),
        ),
        bit=4,
    ),
    Field("hba1c_percent", SFLOAT, bit=6),
    flags_bytes=1,
)
_FEATURE = ValueLayout(GlucoseFeature, "GLS 0x2A51", Field("supported", U16))
decode_measurement, encode_measurement = _MEASUREMENT.decode, _MEASUREMENT.encode
decode_context, encode_context = _CONTEXT.decode, _CONTEXT.encode
decode_feature, encode_feature = _FEATURE.decode, _FEATURE.encode
