"""Units of ages and doses by their codes in NEMSIS, and the canonical form of a number.

One table for the FHIR bundle and for the texts of a hand-over, so that both state the same unit.
"""

from types import MappingProxyType
from typing import Final

AGE_UNITS: Final = MappingProxyType({"2516001": "d", "2516003": "h", "2516005": "min", "2516007": "mo", "2516009": "a"})
DOSE_UNITS: Final = MappingProxyType(
    {
        "3706001": "g",
        "3706003": "[in_i]",
        "3706005": "[iU]",
        "3706009": "L",
        "3706013": "{dose}",
        "3706015": "ug",
        "3706019": "meq",
        "3706021": "mg",
        "3706025": "mL",
        "3706031": "cm",
        "3706033": "[drp]",
        "3706039": "mg/kg",
        "3706043": "{puff}",
        "3706047": "ug/kg",
        "3706049": "{unit}",
        "3706053": "{unit}/kg",
    }
)
"""UCUM units of doses, by the code of their NEMSIS list."""
RATE_UNITS: Final = MappingProxyType(
    {
        "3706017": "ug/kg/min",
        "3706023": "mg/kg/min",
        "3706027": "mL/h",
        "3706035": "L/min",
        "3706037": "ug/min",
        "3706041": "mg/min",
        "3706045": "{unit}/h",
        "3706051": "{unit}/kg/h",
        "3706055": "mg/h",
    }
)
"""UCUM units of rates, in the same list."""


def canonical_number(value: str) -> str:
    """Return a number without leading zeros, with the digits after its point: "007.50" becomes "7.50"."""
    whole, point, fraction = value.partition(".")
    return f"{whole.lstrip('0') or '0'}{point}{fraction}"
