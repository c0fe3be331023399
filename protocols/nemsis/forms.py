"""Forms of values for which NEMSIS permits less than the catalogue: regular expressions for the whole value.

The patterns are those of the schema, in its words, so that a test can compare them. Where the schema has a type or a
rule instead of a pattern, the pattern is ours.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Form(NamedTuple):
    """Form of a value: a regular expression for the whole value, and a noun phrase for errors."""

    pattern: re.Pattern[str]
    rule: str

    def permits(self, value: str) -> bool:
        """Return whether the whole value has this form."""
        return self.pattern.fullmatch(value) is not None


BLOOD_PRODUCTS = frozenset(("116762002", "116795008", "116861002", "116865006", "180208003", "33389009", "71493000"))
"""SNOMED CT codes that NEMSIS permits as a medication (rules e144 and e145). All others are codes of RxNorm."""

_TWO_DIGITS = re.compile(r"[0-9]{2}")
_FIVE_DIGITS = re.compile(r"[0-9]{5}")
_NINE_DIGITS = re.compile(r"[0-9]{9}")
_NUMBER = re.compile(r"[1-9][0-9]{0,11}")
_POSTCODE_PATTERN = re.compile(r"[0-9]{5}|[0-9]{5}-[0-9]{4}|[0-9]{5}-[0-9]{5}|[A-Z][0-9][A-Z] [0-9][A-Z][0-9]")
_PHONE = re.compile(r"([2-9][0-9][0-9]-[2-9][0-9][0-9]-[0-9][0-9][0-9][0-9])|(\+([0-9] ?){6,14}[0-9])")
_CONCEPT_PATTERN = re.compile(r"[1-9][0-9]{5,17}")
_PLACE = re.compile(r"Y92\.[0-9]{1,3}")
_DISEASE = re.compile(r"(R[0-6][0-9](\.[0-9]{1,4})?|(R73\.9)|(R99))|([A-QSTUZ][0-9][0-9A-Z])((\.[0-9A-Z]{1,4})?)")
_POSITION = re.compile(
    r"(\+|-)?(90(\.[0]{1,6})?|([1-8][0-9]|[0-9])(\.[0-9]{1,6})?),"
    r"(\+|-)?(180(\.[0]{1,6})?|(1[0-7][0-9]|[1-9][0-9]|[0-9])(\.[0-9]{1,6})?)"
)
_CAUSE = re.compile(r"([TV-Y][0-9]{2})((\.[0-9A-Z]{1,4})?)")
_ALLERGEN = re.compile(r"(Z88\.[0-9])|([a-zA-Z0-9]{2,7})")
_PAST_CONDITION = re.compile(r"([A-QRSTUZ][0-9][0-9A-Z])((\.[0-9A-Z]{1,3})?)|[0-9A-HJ-NP-Z]{3,7}")
_MEDICATION = re.compile("[0-9]{2,7}|" + "|".join(sorted(BLOOD_PRODUCTS)))

_STATE = Form(_TWO_DIGITS, "an ANSI code of a state: two digits")
_COUNTY = Form(_FIVE_DIGITS, "an ANSI code of a county: five digits")
_CITY = Form(_NUMBER, "a GNIS code of a city: a number")
_POSTCODE = Form(_POSTCODE_PATTERN, "a postal code of the United States, Mexico or Canada")
_CONCEPT = Form(_CONCEPT_PATTERN, "a SNOMED CT code of 6 to 18 digits without a leading zero")
_DIAGNOSIS = Form(_DISEASE, "an ICD-10-CM code of a symptom or disease, not of an external cause")

FORMS: Mapping[str, Form] = MappingProxyType(
    {
        "ePatient.06": _CITY,
        "ePatient.07": _COUNTY,
        "ePatient.08": _STATE,
        "ePatient.09": _POSTCODE,
        "ePatient.12": Form(_NINE_DIGITS, "a social security number: nine digits"),
        "ePatient.18": Form(_PHONE, "a telephone number such as 212-555-0123 or +48 601 234 567"),
        "eScene.09": Form(_PLACE, "an ICD-10-CM code of a place: Y92, a point, and up to three digits"),
        "eScene.11": Form(_POSITION, "a latitude and a longitude without leading zeros"),
        "eScene.17": _CITY,
        "eScene.18": _STATE,
        "eScene.19": _POSTCODE,
        "eScene.21": _COUNTY,
        "eSituation.09": _DIAGNOSIS,
        "eSituation.10": _DIAGNOSIS,
        "eSituation.11": _DIAGNOSIS,
        "eSituation.12": _DIAGNOSIS,
        "eInjury.01": Form(_CAUSE, "an ICD-10-CM code of T or V to Y"),
        "eHistory.06": Form(_ALLERGEN, "an RxNorm code of 2 to 7 digits, or Z88.0 to Z88.9"),
        "eHistory.07": _CONCEPT,
        "eHistory.08": Form(_PAST_CONDITION, "an ICD-10-CM code of a disease, or an ICD-10-PCS code"),
        "eMedications.03": Form(
            _MEDICATION,
            "an RxNorm code of 2 to 7 digits, or a SNOMED CT code of a blood product that NEMSIS lists",
        ),
        "eProcedures.03": _CONCEPT,
    }
)
"""Form of each element for which NEMSIS permits less than the catalogue."""
