"""Target of an element of the care record in FHIR, parsed from its row of the catalogue."""

from dataclasses import dataclass
from functools import lru_cache

from protocols.epcr.element import Element

OBSERVATION = "Observation"


@dataclass(frozen=True, slots=True)
class Target:
    """Resource and path within it, both empty for an element that is not exported. `loinc` is the code of an
    observation or of a section of the Composition."""

    resource: str
    path: str = ""
    loinc: str = ""


class TargetMalformed(ValueError):
    """A row of the catalogue has a target that is neither "Resource.path" nor a resource with its LOINC code."""


@lru_cache(1024)
def target_of(element: Element) -> Target:
    """Return the target of an element. Raises `TargetMalformed`; a test parses every row."""
    place, _, loinc = element.fhir.partition(" ")
    resource, _, path = place.partition(".")
    if loinc and not _is_loinc(loinc):
        raise TargetMalformed(f"{element.key}: {element.fhir}")
    if resource and not (resource.isalpha() and resource[0].isupper()):
        raise TargetMalformed(f"{element.key}: {element.fhir}")
    return Target(resource, path, loinc)


def _is_loinc(code: str) -> bool:
    """Return whether a code has the form and the check digit (Luhn) of LOINC."""
    number, dash, check = code.partition("-")
    if not dash or not number.isdecimal() or not check.isdecimal() or len(check) != 1:
        return False
    total = 0
    for place, digit in enumerate(reversed(number)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled // 10 + doubled % 10
    return (10 - total % 10) % 10 == int(check)
