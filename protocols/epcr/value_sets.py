"""Value sets of the care record: what the text of a value may be.

A value is always a text, as the author entered it, so that no digit of a dose is lost on the way ("0.50" stays "0.50").
`rule` is the sentence about the permitted values for people; it never repeats a value. Every check reads the text once.

The lists of NEMSIS have no licence, so this module does not contain them: a code is checked for its form, which is the
number of its list and three digits. The export compares with the complete lists.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

TEXT_LENGTH_MAX = 10_000
"""Longest text of a value: the narrative of NEMSIS (eNarrative.01)."""
NUMBER_LENGTH_MAX = 12
"""Longest number: nine digits, a sign, a decimal point and a spare."""
MOMENT_LENGTH_MAX = 40
REFERENCE_LENGTH_MAX = 128
_DIGITS = frozenset("0123456789")
_UPPER = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_ALPHANUMERIC = _DIGITS | _UPPER


class ValueSet(Protocol):
    """The permitted values of an element."""

    @property
    def kind(self) -> str:
        """Type of the value: text, code, whole, decimal, time, date or reference."""

    @property
    def rule(self) -> str:
        """Noun phrase about the permitted values, for errors and for people."""

    def permits(self, value: str) -> bool:
        """Return whether `value` is in the set."""


@dataclass(frozen=True, slots=True)
class Text:
    """Free text, which may contain anything that a person types."""

    length_max: int
    length_min: int = 1
    kind = "text"

    @property
    def rule(self) -> str:
        return f"a text of {self.length_min} to {self.length_max} characters"

    def permits(self, value: str) -> bool:
        return self.length_min <= len(value) <= self.length_max and bool(value.strip())


@dataclass(frozen=True, slots=True)
class ListCode:
    """Code of a list of NEMSIS: the four digits of the list, then three digits."""

    number: str
    kind = "code"

    @property
    def rule(self) -> str:
        return f"a code of the NEMSIS list {self.number}: {self.number} and three digits"

    def permits(self, value: str) -> bool:
        return len(value) == 7 and value.startswith(self.number) and _DIGITS.issuperset(value)


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few codes."""

    codes: tuple[str, ...]
    kind = "code"

    @property
    def rule(self) -> str:
        return f"one of {', '.join(self.codes)}"

    def permits(self, value: str) -> bool:
        return value in self.codes


@dataclass(frozen=True, slots=True)
class Icd10:
    """ICD-10 code of a chapter in `chapters`: a letter, two characters, and up to four after a point. It permits codes
    of the WHO's edition and of ICD-10-CM."""

    chapters: str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    kind = "code"

    @property
    def rule(self) -> str:
        return "an ICD-10 code such as I21.9" if len(self.chapters) > 5 else f"an ICD-10 code of {self.chapters}"

    def permits(self, value: str) -> bool:
        category, point, detail = value.partition(".")
        if len(category) != 3 or category[0] not in self.chapters or category[1] not in _DIGITS:
            return False
        if category[2] not in _ALPHANUMERIC:
            return False
        return (not point) or (1 <= len(detail) <= 4 and _ALPHANUMERIC.issuperset(detail))


@dataclass(frozen=True, slots=True)
class Digits:
    """Code of a terminology that numbers its concepts, such as SNOMED CT or RxNorm."""

    terminology: str
    length_min: int
    length_max: int
    kind = "code"

    @property
    def rule(self) -> str:
        return f"a code of {self.terminology}: {self.length_min} to {self.length_max} digits"

    def permits(self, value: str) -> bool:
        return self.length_min <= len(value) <= self.length_max and _DIGITS.issuperset(value)


@dataclass(frozen=True, slots=True)
class Letters:
    """Code of `length` small letters, such as a language of ISO 639-2."""

    what: str
    length: int
    kind = "code"

    @property
    def rule(self) -> str:
        return f"{self.what}: {self.length} small letters"

    def permits(self, value: str) -> bool:
        return len(value) == self.length and value.isascii() and value.isalpha() and value.islower()


@dataclass(frozen=True, slots=True)
class EitherOf:
    """A value of one of two sets."""

    first: ValueSet
    second: ValueSet
    kind = "code"

    @property
    def rule(self) -> str:
        return f"{self.first.rule}, or {self.second.rule}"

    def permits(self, value: str) -> bool:
        return self.first.permits(value) or self.second.permits(value)


@dataclass(frozen=True, slots=True)
class Whole:
    """Whole number from `least` to `most` in `unit` (UCUM; empty: no unit), or one of `words`, such as "High"."""

    least: int
    most: int
    unit: str = ""
    words: tuple[str, ...] = ()
    kind = "whole"

    @property
    def rule(self) -> str:
        return f"a whole number from {self.least} to {self.most}{_unit(self.unit)}" + "".join(
            f" or {word}" for word in self.words
        )

    def permits(self, value: str) -> bool:
        if value in self.words:
            return True
        return (
            0 < len(value) <= NUMBER_LENGTH_MAX and _DIGITS.issuperset(value) and self.least <= int(value) <= self.most
        )


@dataclass(frozen=True, slots=True)
class Decimal:
    """Decimal number from `least` to `most` with at most `places` digits after the point, in `unit` (UCUM)."""

    least: float
    most: float
    places: int
    unit: str = ""
    kind = "decimal"

    @property
    def rule(self) -> str:
        digits = f"{self.places} {'digit' if self.places == 1 else 'digits'} after the point"
        return f"a number from {self.least:g} to {self.most:.10g}{_unit(self.unit)} with at most {digits}"

    def permits(self, value: str) -> bool:
        whole, point, fraction = value.partition(".")
        if not whole or len(value) > NUMBER_LENGTH_MAX or not _DIGITS.issuperset(whole):
            return False
        if point and not (1 <= len(fraction) <= self.places and _DIGITS.issuperset(fraction)):
            return False
        return self.least <= float(value) <= self.most


@dataclass(frozen=True, slots=True)
class Moment:
    """Point in time with its offset from UTC, as in RFC 3339."""

    kind = "time"

    @property
    def rule(self) -> str:
        return "a time with an offset, such as 2026-05-06T07:08:09+02:00"

    def permits(self, value: str) -> bool:
        if not 20 <= len(value) <= MOMENT_LENGTH_MAX or value[10] != "T":
            return False
        try:
            return datetime.fromisoformat(value).tzinfo is not None
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Day:
    """Calendar day."""

    kind = "date"

    @property
    def rule(self) -> str:
        return "a day such as 1964-02-29"

    def permits(self, value: str) -> bool:
        if len(value) != 10:
            return False
        try:
            date.fromisoformat(value)
        except ValueError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Position:
    """Geographical position: latitude and longitude in degrees, with a comma between."""

    kind = "text"

    @property
    def rule(self) -> str:
        return "a latitude and a longitude in degrees, such as 52.2297,21.0122"

    def permits(self, value: str) -> bool:
        latitude, comma, longitude = value.partition(",")
        return bool(comma) and _within(latitude, 90.0) and _within(longitude, 180.0)


@dataclass(frozen=True, slots=True)
class Reference:
    """Id of a stored file (a picture, a document). The bytes of a file are never a value of the record."""

    kind = "reference"

    @property
    def rule(self) -> str:
        return f"the id of a stored file, of at most {REFERENCE_LENGTH_MAX} characters"

    def permits(self, value: str) -> bool:
        return 1 <= len(value) <= REFERENCE_LENGTH_MAX and value.isascii() and value.isprintable() and " " not in value


def _within(text: str, limit: float) -> bool:
    digits = text.removeprefix("-").removeprefix("+")
    whole, point, fraction = digits.partition(".")
    if not (1 <= len(whole) <= 3) or not _DIGITS.issuperset(whole):
        return False
    if point and not (1 <= len(fraction) <= 6 and _DIGITS.issuperset(fraction)):
        return False
    return float(digits) <= limit


def _unit(unit: str) -> str:
    return f" {unit}" if unit else ""
