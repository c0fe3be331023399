"""The languages of our pages. Names of scopes, routes and error codes stay in English (contract matrix C-006)."""

from collections.abc import Mapping
from enum import StrEnum

from multidict import CIMultiDictProxy


class Language(StrEnum):
    """A language of the pages, with its value for the HTML attribute `lang`."""

    EN = "en"
    PL = "pl"


Words = Mapping[str, tuple[str, str]]
"""Key → the English and the Polish text. `{name}` is replaced by the fact of that name."""

ACCEPT_LENGTH_MAX = 256


def language_of(headers: CIMultiDictProxy[str], asked: str | None = None) -> Language:
    """Return the language in the URL (`asked`) if the pages have it, or the browser's preferred one, or English."""
    if asked in set(Language):
        return Language(str(asked))
    accepted = headers.get("Accept-Language", "")[:ACCEPT_LENGTH_MAX]
    ranked = sorted(_ranked(accepted), key=lambda pair: -pair[0])
    return next((Language(name) for quality, name in ranked if quality > 0 and name in set(Language)), Language.EN)


def _ranked(accepted: str) -> list[tuple[float, str]]:
    """Return the quality and the primary subtag of each language in an Accept-Language header."""
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


def translate(words: Words, language: Language, key: str, **facts: object) -> str:
    """Return the text of a key in this language, with `facts` filled in. Raises KeyError for an unknown key."""
    text = words[key][language is Language.PL]
    return text.format(**facts) if facts else text
