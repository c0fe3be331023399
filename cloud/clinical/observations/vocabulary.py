"""Look up a posted code and unit: whether the code is known, is a measurement and fits the device's class.

A code is known when the nomenclature has its name. A well-formed code that is unknown is accepted and flagged, since a
reading is worth more than our table (contract A-105). Only values that cannot be right are rejected: a malformed name,
a code of a unit or a body site, a unit of another quantity, a thermometer that reports a blood pressure.

The table of device classes lists families of codes by prefix; the longest matching prefix decides. A known code of no
family (a body weight) is accepted from any class and flagged as unchecked. Defibrillators of ambulances are monitors
too, so their class has nearly every family.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache

from cloud.clinical.devices import DeviceClass
from cloud.clinical.observations.errors import (
    MdcCodeMalformed,
    MdcCodeNotMeasured,
    UnitCodeMalformed,
    UnitCodeMismatch,
)
from cloud.foundation.errors import DomainError, Mistake
from cloud.foundation.suggestions import closest, mention
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.nomenclature import Code, Term, UnknownName, all_terms, code_of, term_of
from protocols.plausibility import IMPLAUSIBLE_VALUE, Bounds, bounds_of
from protocols.ucum import dimension_of, without_annotations

MDC_CODE_LENGTH_MAX = 128
BATTERY = code_of("MDC_ATTR_VAL_BATT_CHARGE")
"""The battery charge: an attribute in the standard, and the only attribute that is posted like a measurement."""

_WELL_FORMED = re.compile(r"(MDC|X_PRIVATE)_[A-Z0-9_]+")
_PARTITION_UNITS = 4


class Flag(StrEnum):
    """A doubt about an accepted observation, for the reader of the observation."""

    CODE_UNKNOWN = "mdc_code_unknown"  # well-formed, but not in our nomenclature
    CLASS_UNCHECKED = "device_class_unchecked"  # a known code without an entry in the class table
    VALUE_IMPLAUSIBLE = IMPLAUSIBLE_VALUE  # beyond physiological bounds


class Family(StrEnum):
    """A family of codes that the same kind of sensor measures."""

    ECG = "ecg"
    OXIMETRY = "oximetry"
    PULSE = "pulse"
    PRESSURE = "pressure"
    GLUCOSE = "glucose"
    CAPNOGRAPHY = "capnography"
    RESPIRATION = "respiration"
    TEMPERATURE = "temperature"
    RESUSCITATION = "resuscitation"


_BEGINNINGS = {
    "MDC_ECG_": Family.ECG,
    "MDC_PULS_OXIM_": Family.OXIMETRY,
    "MDC_SAT_O2": Family.OXIMETRY,
    "MDC_SPO2_": Family.OXIMETRY,
    "MDC_PLETH_": Family.OXIMETRY,
    "MDC_CONC_HB_": Family.OXIMETRY,
    "X_PRIVATE_13": Family.OXIMETRY,  # SpCO, SpMet and SpHb have no public code
    "X_PRIVATE_14": Family.OXIMETRY,
    "X_PRIVATE_15": Family.OXIMETRY,
    "MDC_PULS_RATE": Family.PULSE,
    "MDC_PRESS_BLD": Family.PRESSURE,
    "MDC_PRESS_CUFF": Family.PRESSURE,
    "MDC_BLD_PULS_RATE": Family.PRESSURE,
    "MDC_CONC_GLU_": Family.GLUCOSE,
    "MDC_AWAY_CO2": Family.CAPNOGRAPHY,
    "MDC_CONC_AWAY_CO2": Family.CAPNOGRAPHY,
    "MDC_CO2_": Family.CAPNOGRAPHY,
    "MDC_AWAY_RESP_RATE": Family.CAPNOGRAPHY,
    "MDC_RESP_RATE": Family.RESPIRATION,
    "MDC_TTHOR_RESP_RATE": Family.RESPIRATION,
    "MDC_IMPED_TTHOR": Family.RESPIRATION,
    "MDC_TIME_PD_APNEA": Family.RESPIRATION,
    "MDC_TEMP": Family.TEMPERATURE,
    **{f"X_PRIVATE_{number:02}": Family.RESUSCITATION for number in range(1, 13)},
}

_CLASSES = {
    DeviceClass.DEFIB: frozenset(Family) - {Family.GLUCOSE},
    DeviceClass.ECG: frozenset({Family.ECG, Family.PULSE, Family.RESPIRATION}),
    DeviceClass.OXIMETER: frozenset({Family.OXIMETRY, Family.PULSE}),
    DeviceClass.BP: frozenset({Family.PRESSURE, Family.PULSE}),
    DeviceClass.GLUCOSE: frozenset({Family.GLUCOSE}),
    DeviceClass.ETCO2: frozenset({Family.CAPNOGRAPHY, Family.RESPIRATION}),
    DeviceClass.THERMOMETER: frozenset({Family.TEMPERATURE}),
    DeviceClass.MULTIPARAMETER: frozenset(Family),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """A posted code and unit with the result of their look-up. `type`, `unit`, `family` and `bounds` are None if
    unknown. `did_you_mean`: a known code that is close to an unknown one, or None."""

    mdc_code: str
    unit_code: str
    type: Code | None
    unit: Code | None
    family: Family | None
    flags: tuple[Flag, ...]
    bounds: Bounds | None = None
    did_you_mean: str | None = None

    def flags_of(self, value: float) -> tuple[Flag, ...]:
        """Return the flags of an observation of this code and unit with this value."""
        if self.bounds is None or self.bounds.low <= value <= self.bounds.high:
            return self.flags
        return (*self.flags, Flag.VALUE_IMPLAUSIBLE)

    def fits(self, device_class: DeviceClass) -> bool:
        """Return whether a device of this class can measure this code, as far as the table of device classes shows."""
        return self.family is None or self.family in _CLASSES[device_class]


@lru_cache(4096)
def understood(mdc_code: str, unit_code: str) -> Measured:
    """Look up a posted code and unit. Raises `MdcCodeMalformed`, `MdcCodeNotMeasured`, `UnitCodeMalformed`,
    `UnitCodeMismatch`."""
    term = _term(mdc_code)
    usual = [] if term is None or not term.units else term.units.split("|")
    try:
        dimension = dimension_of(unit_code)
    except RemoteProtocolError:
        near = closest(unit_code, usual) or closest(unit_code, _units())
        text = f"The unit{mention(unit_code, near)} is unknown." + _in_units(mdc_code, usual)
        suggested = near or (usual[0] if usual else None)
        raise UnitCodeMalformed(text, mistakes=[Mistake(text, "/unit_code", did_you_mean=suggested)]) from None
    unit = _units().get(unit_code) or _units().get(without_annotations(unit_code))
    if term is None:
        near = closest(mdc_code, _measurements())
        return Measured(mdc_code, unit_code, None, unit, None, (Flag.CODE_UNKNOWN,), did_you_mean=near)
    if term.kind != "metric" and term.code != BATTERY:
        text = f"{mdc_code} is of kind {term.kind}."
        raise MdcCodeNotMeasured(text, mistakes=[Mistake(text, "/mdc_code")])
    if usual and not any(dimension_of(one) == dimension for one in usual):
        text = f"The unit{mention(unit_code, None if unit is None else unit_code)} does not fit."
        text += _in_units(mdc_code, usual)
        raise UnitCodeMismatch(text, mistakes=[Mistake(text, "/unit_code", did_you_mean=usual[0])])
    family = _family(mdc_code)
    flags = () if family is not None or term.code == BATTERY else (Flag.CLASS_UNCHECKED,)
    return Measured(mdc_code, unit_code, term.code, unit, family, flags, bounds_of(mdc_code, unit_code))


def flags_of_posted(mdc_code: str, unit_code: str) -> tuple[Flag, ...]:
    """Return the flags of stored observations of this code and unit, without those that depend on the value. A code
    that would be refused today has none."""
    try:
        return understood(mdc_code, unit_code).flags
    except DomainError:
        return ()


def _in_units(mdc_code: str, usual: Sequence[str]) -> str:
    return f" {mdc_code} is measured in {' or '.join(usual)}." if usual else ""


@cache
def _measurements() -> tuple[str, ...]:
    """Return the names of all codes that are measurements."""
    return tuple(term.ref_id for term in all_terms() if term.kind == "metric")


def _malformed(mdc_code: str) -> MdcCodeMalformed:
    near = closest(mdc_code, _measurements())
    text = f"The code{mention(mdc_code, near)} is not one."
    return MdcCodeMalformed(text, mistakes=[Mistake(text, "/mdc_code", did_you_mean=near)])


def _term(mdc_code: str) -> Term | None:
    """Return the term with this name; None for a well-formed unknown name. Raises `MdcCodeMalformed`."""
    well_formed = len(mdc_code) <= MDC_CODE_LENGTH_MAX and _WELL_FORMED.fullmatch(mdc_code) is not None
    if not well_formed and ":" in mdc_code:
        raise _malformed(mdc_code)  # `code_of` would read "2:19384", our own notation for a code without a name
    try:
        term = term_of(code_of(mdc_code))
    except UnknownName:
        if not well_formed:
            raise _malformed(mdc_code) from None
        return None
    assert isinstance(term, Term), "what has a name has a row"
    return term


def _family(mdc_code: str) -> Family | None:
    for length in range(len(mdc_code), 0, -1):
        found = _BEGINNINGS.get(mdc_code[:length])
        if found is not None:
            return found
    return None


@cache
def _units() -> dict[str, Code]:
    """Return a mapping from each UCUM spelling to the code of its unit. Each unit has a list of spellings. If several
    units have the same spelling, the unit whose list has it in the earliest position is chosen."""
    units = [term for term in all_terms() if term.partition == _PARTITION_UNITS and term.units]
    found: dict[str, Code] = {}
    for place in range(max(len(term.units.split("|")) for term in units)):
        for term in units:
            spellings = term.units.split("|")
            if place < len(spellings):
                found.setdefault(spellings[place], term.code)
    return found
