"""Languages of a hand-over, and texts in each of them."""

from enum import StrEnum
from typing import NamedTuple


class Language(StrEnum):
    """Language of a hand-over, as its code of RFC 5646."""

    ENGLISH = "en"
    POLISH = "pl"
    GERMAN = "de"

    @property
    def decimal_mark(self) -> str:
        return "." if self is Language.ENGLISH else ","


class Words(NamedTuple):
    """One text in each language, so that none can be absent."""

    english: str
    polish: str
    german: str

    def of(self, language: Language) -> str:
        """Return the text in this language."""
        match language:
            case Language.ENGLISH:
                return self.english
            case Language.POLISH:
                return self.polish
            case Language.GERMAN:
                return self.german
