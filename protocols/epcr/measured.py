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


class _Row(NamedTuple):
    type: str
    keys: tuple[str, ...]
    units: dict[str, float]
    """Factor from each UCUM unit to the record's unit."""
    places: int
    with_it: tuple[tuple[str, str], ...] = ()
    is_spot: bool = False


_RATE = {"/min": 1.0, "{beat}/min": 1.0, "{breath}/min": 1.0, "{resp}/min": 1.0, "1/min": 1.0}
_PRESSURE = {"mm[Hg]": 1.0, "kPa": 7.500_617}
_PERCENT = {"%": 1.0}
_CELSIUS = {"Cel": 1.0, "[degF]": 1.0}
_GLUCOSE = {"mg/dL": 1.0, "mmol/L": 18.016}
_MONITOR, _OXIMETER, _OTHER = "3311005", "3311007", "3311009"
_CUFF = ("vitals.pressure_method", "3308005")
_BLOOD_PRESSURE = ("vitals.systolic", "vitals.diastolic", "vitals.mean_pressure")


def _pulse(method: str) -> tuple[tuple[str, str], ...]:
    return (("vitals.heart_rate_method", method),)


def _site(code: str) -> tuple[tuple[str, str], ...]:
    return (("vitals.temperature_site", code),)


_ROWS = (
    _Row("MDC_ECG_HEART_RATE", ("vitals.heart_rate",), _RATE, 0, _pulse(_MONITOR)),
    _Row("MDC_PULS_OXIM_PULS_RATE", ("vitals.heart_rate",), _RATE, 0, _pulse(_OXIMETER)),
    _Row("MDC_PLETH_PULS_RATE", ("vitals.heart_rate",), _RATE, 0, _pulse(_OXIMETER)),
    _Row("MDC_PULS_RATE", ("vitals.heart_rate",), _RATE, 0, _pulse(_OTHER)),
    _Row("MDC_PULS_OXIM_SAT_O2", ("vitals.spo2",), _PERCENT, 0),
    _Row("MDC_PRESS_BLD_NONINV", _BLOOD_PRESSURE, _PRESSURE, 0, (_CUFF,), is_spot=True),
    _Row("MDC_AWAY_CO2_ET", ("vitals.etco2",), _PRESSURE, 0),
    _Row("MDC_CO2_RESP_RATE", ("vitals.breathing_rate",), _RATE, 0),
    _Row("MDC_RESP_RATE", ("vitals.breathing_rate",), _RATE, 0),
    _Row("MDC_TTHOR_RESP_RATE", ("vitals.breathing_rate",), _RATE, 0),
    _Row("MDC_TEMP_CORE", ("vitals.temperature",), _CELSIUS, 1, is_spot=True),
    _Row("MDC_TEMP_BODY", ("vitals.temperature",), _CELSIUS, 1, is_spot=True),
    _Row("MDC_TEMP_TYMP", ("vitals.temperature",), _CELSIUS, 1, _site("3325013"), is_spot=True),
    _Row("MDC_TEMP_EAR", ("vitals.temperature",), _CELSIUS, 1, _site("3325013"), is_spot=True),
    _Row("MDC_TEMP_ORAL", ("vitals.temperature",), _CELSIUS, 1, _site("3325007"), is_spot=True),
    _Row("MDC_TEMP_RECT", ("vitals.temperature",), _CELSIUS, 1, _site("3325009"), is_spot=True),
    _Row("MDC_TEMP_AXILLA", ("vitals.temperature",), _CELSIUS, 1, _site("3325001"), is_spot=True),
    _Row("MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD", ("vitals.glucose",), _GLUCOSE, 0, is_spot=True),
    _Row("MDC_CONC_GLU_CAPILLARY_PLASMA", ("vitals.glucose",), _GLUCOSE, 0, is_spot=True),
    _Row("MDC_CONC_GLU_UNDETERMINED_WHOLEBLOOD", ("vitals.glucose",), _GLUCOSE, 0, is_spot=True),
    _Row("X_PRIVATE_13", ("vitals.carboxyhaemoglobin",), _PERCENT, 1),
)
"""Types of measurements; of one element, the better source comes first."""

_BY_CODE: dict[Code, tuple[int, _Row]] = {code_of(row.type): (rank, row) for rank, row in enumerate(_ROWS)}


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
        value = _text(_celsius(number) if unit == "[degF]" else number * factor, row.places)
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
