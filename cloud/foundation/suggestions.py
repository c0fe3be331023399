"""Find the known word that is similar to a mistyped one, for error messages.

Only words that every caller may know are compared (codes, units, scopes, events, commands), and, on the console of the
installation, ids. rapidfuzz compares a word with the 2 000 codes of the nomenclature in 0.2 ms. difflib of the standard
library takes 7 ms, in which no other request of the process is served.
"""

from collections.abc import Iterable

from rapidfuzz import fuzz, process

LENGTH_MAX = 64
"""Characters of a word that are compared. The longest code of the nomenclature has 46."""
KNOWN_MAX = 5_000
"""Number of words that one is compared with: twice the nomenclature, which takes 1 ms."""
SIMILARITY_LEAST = 80.0
"""Percent of the letters that two words share in order: one wrong letter in five, two in ten."""


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the most similar known word, None when no word is similar. Ignores the case of letters."""
    words = [one for one, _ in zip(known, range(KNOWN_MAX), strict=False)]
    if not 0 < len(word) <= LENGTH_MAX:
        return None
    found = process.extractOne(word, words, scorer=fuzz.ratio, processor=str.casefold, score_cutoff=SIMILARITY_LEAST)
    return None if found is None or found[0] == word else found[0]


def mention(word: str, near: str | None) -> str:
    """Return a word of a request in quotation marks, with a space before it, if `near`, a known word, is close to it.

    Any other word may be patient data or a password in the wrong field, which no error repeats: the field's place
    identifies it.
    """
    return "" if near is None else f" {quoted(word)}"


def quoted(text: str) -> str:
    """Quote a word from outside for a message: at most 64 characters, none of them invisible."""
    cut = text if len(text) <= LENGTH_MAX else f"{text[: LENGTH_MAX - 1]}…"
    return "'" + "".join(letter if letter.isprintable() and letter not in "'\"\\" else "?" for letter in cut) + "'"
