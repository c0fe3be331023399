"""Codes of a measurement in FHIR: MDC and LOINC, its unit in UCUM, and its profiles.

An MDC code is always there. LOINC is added where the nomenclature has it and the unit measures the same quantity: the
LOINC code of a mass concentration would be wrong for mmol/L. Vital signs of R4 need their LOINC code, the category
vital-signs, and the unit that their profile permits.
"""

from collections.abc import Collection
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from protocols.fhir.datatypes import Json, coding, concept, mdc_coding
from protocols.fhir.systems import LOINC, MDC, OBSERVATION_CATEGORY, PHD_CATEGORY, UCUM, VITAL_SIGN_PROFILE
from protocols.ieee11073.nomenclature import Code, code_of, term_of
from protocols.ucum import same_quantity, without_annotations

PULSE_OXIMETRY = "59408-5"
"""LOINC code that the R4 profile of oxygen saturation needs beside 2708-6, where the value is from a pulse
oximeter."""
_OXIMETER = code_of("MDC_PULS_OXIM_SAT_O2")
UNKNOWN = code_of("0:0")
"""Type of a posted observation whose code the nomenclature does not have."""

_PROFILES: Final = MappingProxyType(
    {
        "8867-4": ("heartrate", ("/min",)),
        "2708-6": ("oxygensat", ("%",)),
        "9279-1": ("resprate", ("/min",)),
        "8310-5": ("bodytemp", ("Cel", "[degF]")),
        "8302-2": ("bodyheight", ("cm", "[in_i]")),
        "29463-7": ("bodyweight", ("g", "kg", "[lb_av]")),
        "39156-5": ("bmi", ("kg/m2",)),
        "9843-4": ("headcircum", ("cm", "[in_i]")),
        "85354-9": ("bp", ("mm[Hg]",)),
    }
)
"""LOINC code of a vital sign of R4: its profile, and the units that the profile permits."""
_PARTS = {"85354-9": frozenset({"8480-6", "8462-4"})}
_VITAL_SIGNS = _PROFILES.keys() | {PULSE_OXIMETRY, "8480-6", "8462-4", "8478-0"}

DIMENSIONLESS = "1"


@lru_cache(1024)
def ucum_of(unit: Code | None) -> str | None:
    """Return the UCUM unit, "1" for a value without a unit, and None for a unit that UCUM does not have."""
    return DIMENSIONLESS if unit is None else term_of(unit).ucum or None


def unit_members(unit: Code | None, written: str = "") -> Json:
    """Return the members of a Quantity that state the unit. `written`: the UCUM unit as an application posted it.
    Without a UCUM unit the code of the nomenclature is stated, as the guide permits."""
    ucum = written or ucum_of(unit)
    if ucum is None:
        assert unit is not None, "no unit is the UCUM unit 1"
        return {"unit": term_of(unit).display, "system": MDC, "code": str(unit.context_free)}
    return {"unit": ucum, "system": UCUM, "code": without_annotations(ucum)}


def loinc_codes(type_: Code, unit: Code | None, written: str = "") -> list[str]:
    """Return the LOINC codes of a measurement in this unit."""
    term = term_of(type_)
    if not term.loinc:
        return []
    ucum = written or ucum_of(unit)
    if term.units and (ucum is None or not same_quantity(ucum, term.ucum)):
        return []
    return [term.loinc, PULSE_OXIMETRY] if type_ == _OXIMETER else [term.loinc]


def code_concept(type_: Code, unit: Code | None, *, name: str = "", written: str = "") -> Json:
    """Return the code of a measurement. `name`: the code as an application posted it, for one that is not known."""
    if type_ == UNKNOWN:
        return concept(text=name or "unknown")
    codes = loinc_codes(type_, unit, written)
    displays = [term_of(type_).loinc_display, ""]
    return concept(
        mdc_coding(type_), *(coding(LOINC, code, display) for code, display in zip(codes, displays, strict=False))
    )


def categories(loinc: list[str]) -> list[Json]:
    """Return the categories of a device's observation: that of the guide, and vital-signs."""
    own = concept(coding(PHD_CATEGORY, "phd"))
    return [concept(coding(OBSERVATION_CATEGORY, "vital-signs")), own] if is_vital_sign(loinc) else [own]


def is_vital_sign(loinc: list[str]) -> bool:
    return not _VITAL_SIGNS.isdisjoint(loinc)


def vital_sign_profiles(loinc: list[str], unit: str, parts: Collection[str] = ()) -> list[str]:
    """Return the profiles of R4 that a vital sign in this UCUM unit has. `parts` are the LOINC codes of the components:
    the profile of a blood pressure needs both pressures."""
    found = [_PROFILES[code] for code in loinc if code in _PROFILES and _PARTS.get(code, frozenset()).issubset(parts)]
    return [f"{VITAL_SIGN_PROFILE}{name}" for name, units in found if without_annotations(unit) in units]
