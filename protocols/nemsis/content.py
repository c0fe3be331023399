"""Rules of NEMSIS for the content of single elements: form, range, reasons for a missing value, and attributes.

The catalogue's value sets permit what a crew may enter in any country. NEMSIS is stricter about addresses, codes of
diagnoses and telephone numbers; see `forms`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType

from protocols.epcr.catalogue import ELEMENTS
from protocols.epcr.element import Element, NotRecorded, Usage
from protocols.nemsis.forms import BLOOD_PRODUCTS, FORMS

OFFSET_MAX = timedelta(hours=14)
"""Largest offset from UTC of a time in XML Schema."""
MOMENTS = (datetime(1950, 1, 1, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC))
"""First and last time that NEMSIS permits."""
DAYS = (date(1890, 1, 1), date(2050, 1, 1))
"""First and last date that NEMSIS permits."""
STREETS = frozenset(("ePatient.05", "eScene.15"))
"""Elements with a street: the lines after the first are an attribute."""
DIASTOLIC = "eVitals.07"
ETCO2 = "eVitals.16"
MMHG = "3340001"
"""Code of the unit in which the care record has the end-tidal CO2."""

_NATIONAL = frozenset((NotRecorded.NOT_APPLICABLE, NotRecorded.NOT_RECORDED))
_REASONS: Mapping[str, frozenset[NotRecorded]] = MappingProxyType(
    {"ePatient.25": frozenset(NotRecorded), "eProcedures.14": _NATIONAL, "eVitals.34": _NATIONAL}
)
"""Reasons of elements that NEMSIS added in version 3.5, with other reasons than their usage has."""
_NEVER_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BY_NAME: Mapping[str, Element] = MappingProxyType({element.nemsis: element for element in ELEMENTS})


@dataclass(frozen=True, slots=True)
class Demand:
    """The requirements of NEMSIS for one element. `element` is its row of the catalogue, None for an element that the
    care record does not have. `reasons` are the permitted reasons for a missing value."""

    name: str
    element: Element | None
    usage: Usage
    reasons: frozenset[NotRecorded]


def find_catalogued(name: str) -> Element | None:
    """Return the element of the catalogue with this name in NEMSIS, or None."""
    return _BY_NAME.get(name)


def demand_of(name: str) -> Demand:
    """Return the requirements for an element of our table. The schema requires those that the catalogue lacks."""
    element = find_catalogued(name)
    usage = Usage.REQUIRED if element is None else element.usage
    return Demand(name, element, usage, _REASONS.get(name, usage.reasons))


def spell(element: Element, value: str) -> str:
    """Return a permitted value in the spelling of NEMSIS: times with a numeric offset, whole numbers without leading
    zeros, other values as they are."""
    match element.values.kind:
        case "time":
            moment = datetime.fromisoformat(value)
            offset = moment.utcoffset()
            assert offset is not None, "a permitted time has an offset"
            is_plain = abs(offset) <= OFFSET_MAX and not offset.seconds % 60 and not offset.microseconds
            return (moment if is_plain else moment.astimezone(UTC)).isoformat()
        case "whole":
            return str(int(value)) if value.isdecimal() else value
        case _:
            return value


def find_fault(name: str, element: Element, value: str) -> str | None:
    """Return the rule that a value breaks, as a noun phrase, or None. The phrase never repeats the value."""
    if not element.values.permits(value):
        return element.values.rule
    if _NEVER_XML.search(value):
        return "a text without control characters, which XML cannot contain"
    if element.values.kind == "time" and not _is_within(value):
        return "a time from 1950 to 2050"
    if element.values.kind == "date" and not DAYS[0] <= date.fromisoformat(value) <= DAYS[1]:
        return "a date from 1890 to 2050"
    form = FORMS.get(name)
    return None if form is None or form.permits(spell(element, value)) else form.rule


def _is_within(value: str) -> bool:
    try:
        return MOMENTS[0] <= datetime.fromisoformat(value) <= MOMENTS[1]
    except OverflowError:  # in UTC it is before the year 1 or after the year 9999
        return False


def attributes_of(name: str, value: str) -> dict[str, str]:
    """Return the attributes that state the unit or the terminology of a value."""
    if name == ETCO2:
        return {"ETCO2Type": MMHG}
    if name == "eHistory.06":
        return {"CodeType": "9924001" if value.startswith("Z88.") else "9924003"}
    if name == "eMedications.03":
        return {"CodeType": "9924005" if value in BLOOD_PRODUCTS else "9924003"}
    return {}
