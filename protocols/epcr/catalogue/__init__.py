"""Catalogue of the elements of the care record, and of the groups that they belong to."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from protocols.epcr.catalogue import (
    elements_arrest,
    elements_call,
    elements_closing,
    elements_exam,
    elements_patient,
    elements_treatment,
    elements_vitals,
)
from protocols.epcr.catalogue.groups import GROUPS
from protocols.epcr.catalogue.released import RELEASED
from protocols.epcr.element import Audience, Element, Group


def with_audience(elements: Iterable[Element]) -> tuple[Element, ...]:
    """Return the elements with the audience of those that are listed as released."""
    return tuple(
        replace(element, audience=Audience.PARTNERS) if element.key in RELEASED else element for element in elements
    )


ELEMENTS: tuple[Element, ...] = with_audience(
    (
        *elements_call.ELEMENTS,
        *elements_patient.ELEMENTS,
        *elements_vitals.ELEMENTS,
        *elements_exam.ELEMENTS,
        *elements_arrest.ELEMENTS,
        *elements_treatment.ELEMENTS,
        *elements_closing.ELEMENTS,
    )
)
"""All elements, in the order of a report."""

_BY_KEY: Mapping[str, Element] = MappingProxyType({element.key: element for element in ELEMENTS})
_GROUPS: Mapping[str, Group] = MappingProxyType({group.name: group for group in GROUPS})


def find_element(key: str) -> Element | None:
    """Return the element with this key, or None for a key that this version does not know."""
    return _BY_KEY.get(key)


def find_group(name: str) -> Group | None:
    """Return the group with this name, or None for a group that this version does not know."""
    return _GROUPS.get(name)
