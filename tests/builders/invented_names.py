"""Invented names of persons and organisations in large numbers, and the ways in which names are misspelled.

Names are made of syllables that occur in several languages, so that they share sounds and lengths with real names and
belong to no person. The misspellings are those that screening meets: wrong, missing, added and exchanged letters,
another transliteration, words in another order, left-out middle names, other word boundaries, and other scripts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from protocols.sanctions.entry import EntryKind, ListedEntry
from tests.builders.sanctions_lists import listed

_ONSETS = (
    "b", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z", "sh", "kh", "ch", "br", "dr", "kr",
    "st", "tr", "y", "w", "j",
)  # fmt: skip
_VOWELS = (
    "a", "a", "a", "e", "e", "i", "i", "o", "o", "u", "u",
)  # fmt: skip
_CODAS = ["", "", "", "n", "r", "l", "m", "s", "d", "k", "v", "sh", "z"]
_EVEN = 5
"""Ranks of given names that are about equally frequent; after them the frequency falls as 1/rank."""
_ENDINGS = ["", "", "", "ov", "ani", "ski", "zadeh", "ez", "in", "er", "ev", "uri", "oglu", "sen"]
_TRADES = (
    "Trading", "Shipping", "Petroleum", "Industries", "Bank", "Airlines", "Foundation", "Holding", "Mining",
    "Electronics", "Steel",
)  # fmt: skip
_FORMS = ["LLC", "Company", "GmbH", "JSC", "Ltd", ""]


@dataclass(frozen=True, slots=True)
class Variant:
    """A misspelled name of an entry, and how it was made."""

    name: str
    made_by: str
    reference: str


class InventedNames:
    """Makes names from a seed. Given names are few and family names are many, as in life."""

    def __init__(self, seed: int, *, given: int = 400, families: int = 6_000) -> None:
        self.random = Random(seed)
        self._given = self._words(given, 2)
        self._families = self._words(families, 3)

    def person(self) -> str:
        """Return a name of two or three words; the most frequent given name has one of 25."""
        middle = [self._frequent(self._given)] if self.random.random() < 0.4 else []
        return " ".join([self._frequent(self._given), *middle, self.random.choice(self._families)])

    def organization(self) -> str:
        words = [self.random.choice(self._families), self.random.choice(_TRADES), self.random.choice(_FORMS)]
        return " ".join(filter(None, words))

    def entries(self, count: int) -> list[ListedEntry]:
        """Return the entries of a list: four of five are persons, and half have an alias."""
        found = []
        for number in range(count):
            is_person = self.random.random() < 0.8
            make = self.person if is_person else self.organization
            names = [make(), *([make()] if self.random.random() < 0.5 else [])]
            kind = EntryKind.PERSON if is_person else EntryKind.ORGANIZATION
            found.append(listed(f"SYN-{number}", *names, kind=kind))
        return found

    def variant(self, entry: ListedEntry) -> Variant:
        """Return a name of the entry with a misspelling."""
        name = self.random.choice(entry.names).text
        made_by = self.random.choice(list(MISSPELLINGS))
        return Variant(MISSPELLINGS[made_by](name, self.random), made_by, entry.reference)

    def _frequent(self, words: Sequence[str]) -> str:
        return words[int(_EVEN * ((len(words) / _EVEN + 1) ** self.random.random() - 1))]

    def _words(self, count: int, syllables_max: int) -> list[str]:
        found: dict[str, None] = {}
        while len(found) < count:
            syllables = self.random.randint(2, syllables_max)
            word = "".join(self.random.choice(_ONSETS) + self.random.choice(_VOWELS) for _ in range(syllables))
            ending = self.random.choice(_ENDINGS if syllables_max > 2 else _CODAS)
            found[(word + ending).capitalize()] = None
        return list(found)


def _edited(name: str, random: Random) -> str:
    """Return the name with one letter of its longest word wrong, missing, added or exchanged with the next one."""
    words = name.split()
    at = max(range(len(words)), key=lambda place: len(words[place]))
    word = words[at]
    place = random.randrange(1, len(word) - 1)
    letter = random.choice("abdefgiklmnoprstuz")
    words[at] = random.choice(
        (
            word[:place] + letter + word[place + 1 :],
            word[:place] + word[place + 1 :],
            word[:place] + letter + word[place:],
            word[:place] + word[place + 1] + word[place] + word[place + 2 :],
        )
    )
    return " ".join(words)


_OTHER_SOUNDS = [("v", "w"), ("sh", "sch"), ("kh", "h"), ("y", "j"), ("k", "q"), ("z", "s"), ("u", "oo"), ("i", "ee")]
_CYRILLIC = str.maketrans("abvgdeziklmnoprstufhcwyj", "абвгдезиклмнопрстуфхцвйж")


def _transliterated(name: str, random: Random) -> str:
    pairs = [pair for pair in _OTHER_SOUNDS if pair[0] in name.lower()]
    before, after = random.choice(pairs or [("a", "aa")])
    return name.lower().replace(before, after)


def _reordered(name: str, random: Random) -> str:
    words = name.split()
    return ", ".join([words[-1], " ".join(words[:-1])])


def _shortened(name: str, random: Random) -> str:
    """Return a person without the middle name, and an organisation without the legal form."""
    words = name.split()
    if len(words) <= 2:
        return name.upper()
    return " ".join(words[:2] if words[-1] in _FORMS else [words[0], words[-1]])


def _joined(name: str, random: Random) -> str:
    return name.replace(" ", "-", 1) if random.random() < 0.5 else name.replace(" ", "", 1)


def _in_cyrillic(name: str, random: Random) -> str:
    """Return a name in Cyrillic letters, without the legal form, which is another one there."""
    plain = (
        " ".join(word for word in name.split() if word not in _FORMS)
        .lower()
        .replace("kh", "х")
        .replace("sh", "ш")
        .replace("ch", "ч")
    )
    return plain.translate(_CYRILLIC)


MISSPELLINGS: Mapping[str, Callable[[str, Random], str]] = {
    "one letter": _edited,
    "two letters": lambda name, random: _edited(_edited(name, random), random),
    "transliteration": _transliterated,
    "order": _reordered,
    "middle name": _shortened,
    "word boundary": _joined,
    "Cyrillic": _in_cyrillic,
    "accents": lambda name, random: name.replace("a", "á").replace("o", "ö").replace("u", "ü"),
}
"""Name of a way to misspell → the function that misspells a name."""
