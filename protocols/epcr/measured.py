"""Conversion of a device's observation to values of the care record, in the record's units.

A value is converted only from a unit that is known, and only if the element permits the result; anything else is left
to the crew. What the device sent stays in the source of the value (`protocols.epcr.proposal`).
"""

from dataclasses import dataclass
from typing import NamedTuple

from protocols.epcr.catalogue import find_element
from protocols.ieee11073.nomenclature import Code, code_of, term_of
from protocols.observation import MEASUREMENT_STATUS, Special, Value
from protocols.observation_record import ObservationRecord

_WITHHELD = sum(
    bit
    for bit, name in MEASUREMENT_STATUS.items()
    if name in ("invalid", "not-available", "calibration-ongoing", "test-data", "demo-data", "msmt-ongoing")
)
"""Status bits of a value that is no measurement of the patient, or not finished. It is never proposed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One value for an element. `with_it` are further values that follow from the way it was measured. A lower `rank`
    is the better source of the element. `is_spot`: measured once, not every few seconds."""

    key: str
    value: str
    with_it: tuple[tuple[str, str], ...]
    rank: int
    is_spot: bool
    record: ObservationRecord


class MeasuredType(NamedTuple):
    """A type of measurement. `keys`: the elements that its numbers state. `decimals`: those of the number as the device
    sent it, None: as many as it sent."""

    type: str
    keys: tuple[str, ...]
    units: dict[str, float]
    """Factor from each UCUM unit to the record's unit; empty where it cannot be converted."""
    decimals: int | None = 0
    with_it: tuple[tuple[str, str], ...] = ()
    is_spot: bool = False


_RATE = {"/min": 1.0, "{beat}/min": 1.0, "{breath}/min": 1.0, "{resp}/min": 1.0, "1/min": 1.0}
_PRESSURE = {"mm[Hg]": 1.0, "kPa": 7.500_617}
_PERCENT = {"%": 1.0}
_CELSIUS = {"Cel": 1.0, "[degF]": 1.0}
_GLUCOSE = {"mg/dL": 1.0, "mmol/L": 18.016}
_UNCONVERTED: dict[str, float] = {}
"""A concentration is no pressure without the pressure of the air, so the crew enters it."""
_MONITOR, _OXIMETER, _OTHER = "3311005", "3311007", "3311009"
_CUFF = ("vitals.pressure_method", "3308005")
_BLOOD_PRESSURE = ("vitals.systolic", "vitals.diastolic", "vitals.mean_pressure")


def _pulse(method: str) -> tuple[tuple[str, str], ...]:
    return (("vitals.heart_rate_method", method),)


def _site(code: str) -> tuple[tuple[str, str], ...]:
    return (("vitals.temperature_site", code),)


MEASURED_TYPES = (
    MeasuredType("MDC_ECG_HEART_RATE", ("vitals.heart_rate",), _RATE, with_it=_pulse(_MONITOR)),
    MeasuredType("MDC_PULS_OXIM_PULS_RATE", ("vitals.heart_rate",), _RATE, with_it=_pulse(_OXIMETER)),
    MeasuredType("MDC_PLETH_PULS_RATE", ("vitals.heart_rate",), _RATE, with_it=_pulse(_OXIMETER)),
    MeasuredType("MDC_PULS_RATE", ("vitals.heart_rate",), _RATE, with_it=_pulse(_OTHER)),
    MeasuredType("MDC_PULS_RATE_NON_INV", ("vitals.heart_rate",), _RATE, with_it=_pulse(_OTHER)),
    MeasuredType("MDC_PULS_OXIM_SAT_O2", ("vitals.spo2",), _PERCENT),
    MeasuredType("MDC_PRESS_BLD_NONINV", _BLOOD_PRESSURE, _PRESSURE, with_it=(_CUFF,), is_spot=True),
    MeasuredType("MDC_AWAY_CO2_ET", ("vitals.etco2",), _PRESSURE),
    MeasuredType("MDC_CONC_AWAY_CO2_ET", ("vitals.etco2",), _UNCONVERTED, 1),
    MeasuredType("MDC_CO2_RESP_RATE", ("vitals.breathing_rate",), _RATE),
    MeasuredType("MDC_RESP_RATE", ("vitals.breathing_rate",), _RATE),
    MeasuredType("MDC_TTHOR_RESP_RATE", ("vitals.breathing_rate",), _RATE),
    MeasuredType("MDC_TEMP_CORE", ("vitals.temperature",), _CELSIUS, 1, is_spot=True),
    MeasuredType("MDC_TEMP_BODY", ("vitals.temperature",), _CELSIUS, 1, is_spot=True),
    MeasuredType("MDC_TEMP_TYMP", ("vitals.temperature",), _CELSIUS, 1, _site("3325013"), is_spot=True),
    MeasuredType("MDC_TEMP_EAR", ("vitals.temperature",), _CELSIUS, 1, _site("3325013"), is_spot=True),
    MeasuredType("MDC_TEMP_ORAL", ("vitals.temperature",), _CELSIUS, 1, _site("3325007"), is_spot=True),
    MeasuredType("MDC_TEMP_RECT", ("vitals.temperature",), _CELSIUS, 1, _site("3325009"), is_spot=True),
    MeasuredType("MDC_TEMP_AXILLA", ("vitals.temperature",), _CELSIUS, 1, _site("3325001"), is_spot=True),
    MeasuredType("MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD", ("vitals.glucose",), _GLUCOSE, None, is_spot=True),
    MeasuredType("MDC_CONC_GLU_CAPILLARY_PLASMA", ("vitals.glucose",), _GLUCOSE, None, is_spot=True),
    MeasuredType("MDC_CONC_GLU_UNDETERMINED_WHOLEBLOOD", ("vitals.glucose",), _GLUCOSE, None, is_spot=True),
    MeasuredType("X_PRIVATE_13", ("vitals.carboxyhaemoglobin",), _PERCENT, 1),
)
"""Types of measurements for the record and the hand-over; of one element, the better source comes first."""

_BY_CODE: dict[Code, tuple[int, MeasuredType]] = {
    code_of(row.type): (rank, row) for rank, row in enumerate(MEASURED_TYPES)
}


def measured_type(code: Code) -> tuple[int, MeasuredType] | None:
    """Return the row of a type of measurement with its rank, the lowest for the best source; None without one."""
    return _BY_CODE.get(code)


def is_withheld(record: ObservationRecord) -> bool:
    """Return whether the device marked a value as no measurement of the patient."""
    return bool(record.status & _WITHHELD)


def readings_of(record: ObservationRecord) -> list[Reading]:
    """Return the values of the care record that an observation gives; none for other types, units and marks."""
    known = _BY_CODE.get(record.type)
    if known is None or is_withheld(record):
        return []
    rank, row = known
    unit = "" if record.unit is None else term_of(record.unit).ucum
    factor = row.units.get(unit)
    if factor is None:
        return []
    found: list[Reading] = []
    for key, number in zip(row.keys, _numbers(record.value), strict=False):
        if isinstance(number, Special):
            continue
        value = _text(_celsius(number) if unit == "[degF]" else number * factor, row.decimals or 0)
        element = find_element(key)
        assert element is not None, "each row names elements of the catalogue"
        if element.values.permits(value):
            with_it = () if found else row.with_it
            found.append(Reading(key=key, value=value, with_it=with_it, rank=rank, is_spot=row.is_spot, record=record))
    return found


def number_of(record: ObservationRecord) -> float | None:
    """Return the value of an observation as a number, or None."""
    value = record.value
    return float(value) if isinstance(value, int | float) and not is_withheld(record) else None


def _numbers(value: Value | None) -> tuple[float | Special, ...]:
    if isinstance(value, tuple):
        return value
    return (float(value),) if isinstance(value, int | float) else ()


def _celsius(fahrenheit: float) -> float:
    return (fahrenheit - 32.0) / 1.8


def _text(number: float, places: int) -> str:
    return f"{number:.{places}f}" if places else str(round(number))
