"""The languages of our pages, and which one a reader wants: what the address says, then what the browser says.

Names of scopes, routes and error codes stay in canonical English whatever the language (C-006).
"""

from collections.abc import Mapping
from enum import StrEnum

from multidict import CIMultiDictProxy


class Language(StrEnum):
    """As in the `lang` attribute."""

    EN = "en"
    PL = "pl"


Words = Mapping[str, tuple[str, str]]
"""Key → the English and the Polish text. `{name}` stands for a fact of the page."""

ACCEPT_LENGTH_MAX = 256


def language_of(headers: CIMultiDictProxy[str], asked: str | None = None) -> Language:
    """The first language that we have of those that are wanted; English when we have none."""
    if asked in set(Language):
        return Language(str(asked))
    accepted = headers.get("Accept-Language", "")[:ACCEPT_LENGTH_MAX]
    ranked = sorted(_ranked(accepted), key=lambda pair: -pair[0])
    return next((Language(name) for quality, name in ranked if quality > 0 and name in set(Language)), Language.EN)


def _ranked(accepted: str) -> list[tuple[float, str]]:
    """Quality and primary subtag of each language range, in the order of the header."""
    found = []
    for one in accepted.split(","):
        name, _, parameter = one.strip().lower().partition(";")
        text = parameter.strip().removeprefix("q=")
        try:
            quality = float(text) if text else 1.0
        except ValueError:
            quality = 0.0
        found.append((quality, name.partition("-")[0]))
    return found


def say(words: Words, language: Language, key: str, **facts: object) -> str:
    """The text of a key. A key that nobody wrote is a mistake of ours and raises `KeyError`."""
    text = words[key][language is Language.PL]
    return text.format(**facts) if facts else text
