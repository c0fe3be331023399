"""Texts of the crew's pages in each language, read from the TOML files of this folder.

`<language>/<part>.toml` has the texts of one part of the pages, so that a part can be added without a change here. A
text has placeholders in braces: "{count} readings". A table with the key `other` is one text in the plural forms of its
language (Unicode CLDR: one, few, many, other), chosen by the value of `count`; any other table is part of the key.
Templates and messages take texts by their full key, "live.devices"; scripts get a whole part (static/texts.js).

The titles of the record's elements and the names of findings are those of `protocols.epcr`, and in no file here.

The browser's language decides, unless the tablet has chosen another one, which it keeps in a cookie.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson

from protocols.epcr.catalogue import find_element
from protocols.epcr.catalogue.german import GERMAN
from protocols.epcr.handover.finding_words import FINDING_WORDS
from protocols.epcr.handover.language import Language as HandoverLanguage

_FOLDER = Path(__file__).parent
LANGUAGES = MappingProxyType({"en": "English", "pl": "Polski", "de": "Deutsch"})
"""The languages of the pages by their code (RFC 5646), each with its own name; the first is the default."""
COOKIE = "argus_language"
"""Cookie in which a tablet keeps its choice; a script of the page sets it."""
PLURAL_FORMS = MappingProxyType({"en": ("one", "other"), "pl": ("one", "few", "many", "other"), "de": ("one", "other")})
"""Plural forms of each language (Unicode CLDR, plural rules)."""
_DECIMAL_MARKS = MappingProxyType({"en": ".", "pl": ",", "de": ","})
_ACCEPTED_MAX = 16
"""Languages of an Accept-Language header that are read; browsers send fewer than ten."""

Text = str | Mapping[str, str]
"""One text, or its plural forms."""


@dataclass(frozen=True, slots=True)
class Language:
    """One language. `texts`: all texts by their full key, which begins with the part."""

    code: str
    texts: Mapping[str, Text]

    def text(self, key: str, /, **values: object) -> str:
        """Return the text with its placeholders filled; `count` chooses the plural form. Raises KeyError for a key or
        a value that is absent."""
        found = self.texts[key]
        if not isinstance(found, str):
            found = found[plural_form(self.code, int(str(values["count"])))]
        return found.format(**values)

    def text_or(self, key: str, default: str) -> str:
        """Return the text of a key that depends on data, or `default` where the files have no text for it."""
        found = self.texts.get(key)
        return found if isinstance(found, str) else default

    def number(self, value: float, decimals: int | None) -> str:
        """Format a number with the language's decimal mark. `decimals` None: as many as it has, at most six digits."""
        text = f"{value:g}" if decimals is None else f"{value:.{decimals}f}"
        return text.replace(".", _DECIMAL_MARKS[self.code])

    def part(self, part: str) -> dict[str, Text]:
        """Return the texts of one part, by their key within it; empty where no such part exists."""
        start = f"{part}."
        return {key.removeprefix(start): text for key, text in self.texts.items() if key.startswith(start)}


@cache
def language(code: str) -> Language:
    """Return one of `LANGUAGES` with its texts. Raises KeyError for another code."""
    if code not in LANGUAGES:
        raise KeyError(code)
    texts: dict[str, Text] = {}
    for file in sorted((_FOLDER / code).glob("*.toml")):
        _flatten(tomllib.loads(file.read_text(encoding="utf-8")), file.stem, texts)
    for answer, words in FINDING_WORDS.items():  # one name for a finding, on the tablet and in the hand-over
        name = words.of(HandoverLanguage(code))
        texts[f"choices.{answer}"] = name[:1].upper() + name[1:]
    for key, german in GERMAN.items():  # one title for an element, on the tablet and in the catalogue
        element = find_element(key)
        assert element is not None, key
        texts[f"report.fields.{key}"] = {"en": element.english, "pl": element.polish, "de": german}[code]
    return Language(code, MappingProxyType(texts))


def texts_module(code: str, part: str) -> bytes:
    """Return the texts of one part as a module for the pages' scripts (static/texts.js); b"" where no such part
    exists."""
    texts = language(code).part(part) if code in LANGUAGES else {}
    return b"export default " + orjson.dumps(texts) + b";\n" if texts else b""


def choose_language(chosen: str, accepted: str) -> Language:
    """Return the page's language. `chosen`: the tablet's choice, "" or unknown where it has none. `accepted`: the
    browser's Accept-Language header (RFC 9110 §12.5.4)."""
    if chosen in LANGUAGES:
        return language(chosen)
    ranked = sorted((_range(each) for each in accepted.split(",")[:_ACCEPTED_MAX]), key=lambda each: -each[1])
    return language(next((code for code, weight in ranked if weight > 0 and code in LANGUAGES), next(iter(LANGUAGES))))


def plural_form(code: str, count: int) -> str:
    """Return the plural form of a whole number (Unicode CLDR, plural rules of English, German and Polish)."""
    if count == 1:
        return "one"
    if code != "pl":
        return "other"
    return "few" if count % 10 in (2, 3, 4) and count % 100 not in (12, 13, 14) else "many"


def _range(given: str) -> tuple[str, float]:
    """Return the primary language and the weight of one element of an Accept-Language header."""
    name, _, parameter = given.partition(";")
    try:
        weight = float(parameter.strip().removeprefix("q=") or 1)
    except ValueError:
        weight = 0.0
    return name.strip().partition("-")[0].lower(), weight


def _flatten(table: Mapping[str, Any], prefix: str, texts: dict[str, Text]) -> None:
    for key, value in table.items():
        name = f"{prefix}.{key}"
        if isinstance(value, str) or "other" in value:
            texts[name] = value
        else:
            _flatten(value, name, texts)
