"""Search of the documentation: each word of the query must begin a word of the page.

The index is made once from titles and texts. It has about a hundred pages, so a query compares sorted words by
bisection and takes less than a millisecond.
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

QUERY_LENGTH_MAX = 100
WORDS_MAX = 8
RESULTS_MAX = 20
_WORD = re.compile(r"[a-z0-9]+")
_CAMEL_CASE = re.compile(r"([a-z])([A-Z])")
# A word of the title describes a page better than one of its text.
_TITLE, _TEXT = 10, 1
# Letters that Unicode does not decompose.
_PLAIN = str.maketrans({"ł": "l", "ß": "s"})


@dataclass(frozen=True, slots=True)
class Entry:
    """A page that can be found. `kind` is `guide` or `operation`; `about` is one sentence."""

    kind: str
    title: str
    url: str
    about: str


class SearchIndex:
    """The words of the pages of one language."""

    def __init__(self, pages: Iterable[tuple[Entry, str]]) -> None:
        """`pages` are the entries, each with the text of its page."""
        self._pages = [
            (entry, sorted(set(words_of(f"{entry.title} {entry.url}"))), sorted(set(words_of(text))))
            for entry, text in pages
        ]

    def find(self, query: str) -> list[Entry]:
        """Return the pages that have all words of the query, the best first, at most `RESULTS_MAX`."""
        words = words_of(query[:QUERY_LENGTH_MAX])[:WORDS_MAX]
        if not words:
            return []
        scored = [(_score(words, title, text), number) for number, (_, title, text) in enumerate(self._pages)]
        best = sorted((-score, number) for score, number in scored if score)
        return [self._pages[number][0] for _, number in best[:RESULTS_MAX]]


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case, without marks on letters; an identifier in camel case has its parts and
    itself."""
    split = _CAMEL_CASE.sub(r"\1 \2", text)
    return _WORD.findall(_folded(split)) + (_WORD.findall(_folded(text)) if split != text else [])


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text.lower().translate(_PLAIN))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def _score(words: Sequence[str], title: Sequence[str], text: Sequence[str]) -> int:
    """Return the score of a page; 0 if it lacks a word."""
    scores = [_TITLE * _begins(title, word) + _TEXT * _begins(text, word) for word in words]
    return sum(scores) if all(scores) else 0


def _begins(words: Sequence[str], beginning: str) -> bool:
    at = bisect_left(words, beginning)
    return at < len(words) and words[at].startswith(beginning)
