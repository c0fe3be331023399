"""Names in the form in which they are compared and found: words of Latin letters, and the keys of a word.

A name is transliterated to ASCII, in lower case, and cut into words. The skeleton of a word has its consonants, those
that are confused between languages and transliterations as one (Mohammed, Muhamad and محمد are all `mmd`). The keys of
a word are its skeleton and the skeleton without one of its letters. So two words with one wrong, missing, added or
exchanged consonant, and any wrong vowels, have a common key. Which words are similar enough is decided in `matching`.
"""

from collections.abc import Sequence
from functools import lru_cache

from anyascii import anyascii

WORDS_MAX = 24
"""Most words of a name that are compared. Longer names are sentences; their first words identify them."""
WORD_LENGTH_MAX = 48
"""Longest word in letters. Longer words do not occur in names."""
SKELETON_LENGTH_MAX = 10
"""Most letters of a skeleton. Words with more consonants have equal first ones."""
_SHORT = 2
"""Skeletons up to this length have no further keys, since too many words would have them."""

PARTICLES = frozenset({
    "al", "el", "ul", "ar", "as", "at", "az", "ad", "de", "del", "della", "der", "den", "di", "do", "da", "du",
    "la", "le", "les", "van", "von", "zu", "zum", "of", "the", "and", "und", "et", "y", "e", "i", "bin", "ibn",
    "ben", "bint", "bte",
})  # fmt: skip
"""Words that are written or left out at will, or written together with the next word. They are not compared."""
LEGAL_FORMS = frozenset({
    "ab", "ag", "as", "asa", "bv", "co", "comp", "company", "corp", "corporation", "fze", "fzc", "fzco", "gmbh",
    "inc", "incorporated", "kg", "kft", "limited", "llc", "llp", "lp", "ltd", "ltda", "nv", "oao", "ojsc", "ooo",
    "oy", "pao", "pjsc", "plc", "pte", "pt", "pty", "sa", "sae", "sal", "sarl", "sas", "spa", "spzoo", "srl",
    "zao", "jsc", "cjsc", "tov", "ent",
})  # fmt: skip
"""Legal forms, which are not compared either."""
TITLES = frozenset({
    "mr", "mrs", "ms", "miss", "dr", "prof", "sir", "haji", "hajji", "hajj", "sheikh", "shaykh", "mullah",
    "maulavi", "eng", "general", "gen", "col",
})  # fmt: skip
"""Titles, which are not compared either."""
GENERIC = frozenset({
    "agency", "airlines", "airways", "association", "bank", "center", "centre", "charity", "commercial",
    "committee", "construction", "cooperation", "council", "development", "electronics", "energy", "engineering",
    "enterprise", "enterprises", "establishment", "export", "factory", "financial", "foundation", "fund", "gas",
    "general", "global", "group", "holding", "holdings", "import", "industrial", "industries", "industry",
    "institute", "insurance", "international", "investment", "investments", "logistics", "management",
    "manufacturing", "marine", "maritime", "mining", "national", "navigation", "office", "oil", "organization",
    "petrochemical", "petroleum", "plant", "products", "project", "research", "service", "services", "shipping",
    "society", "state", "steel", "supply", "technical", "technologies", "technology", "telecom", "trade",
    "trading", "transport", "transportation", "union", "university", "works",
})  # fmt: skip
"""Words that many organisations have in their names. They are compared, and count less than the others."""
_OMITTED = PARTICLES | LEGAL_FORMS | TITLES

_SERVANTS = ("abdul", "abdel", "abdal", "abdur", "abder", "abdu", "abd")
"""The Arabic word for "servant of" with the article, longest first, as it is transliterated."""
_SERVED_LENGTH_MIN = 3
"""Letters after it in a compound. Abdi and Abdou are names of their own."""
_GROUPS = (
    ("tsch", "k"), ("sch", "s"), ("tch", "k"), ("cz", "k"), ("sh", "s"), ("zh", "s"), ("ch", "k"), ("kh", "k"),
    ("gh", "g"), ("ph", "f"), ("th", "t"), ("dh", "d"), ("dj", "g"), ("dz", "s"), ("ts", "s"), ("tz", "s"),
    ("ck", "k"), ("qu", "k"), ("x", "ks"),
)  # fmt: skip
"""Groups of letters that stand for one sound, longest first."""
_SOUNDS = str.maketrans("cqzjwvbp", "kksgffpp")
"""Letters that stand for the same consonant in another language."""
_VOWELS = frozenset("aeiouy")


def fold(name: str) -> tuple[str, ...]:
    """Return the words of a name that are compared. A name of omitted words only keeps them."""
    plain = anyascii(name).lower().replace("'", "").replace("`", "")
    words = "".join(letter if letter.isalnum() else " " for letter in plain).split()
    words = [word[:WORD_LENGTH_MAX] for word in words]
    kept = _join_servants([word for word in words if word not in _OMITTED])
    return tuple((kept or words)[:WORDS_MAX])


def _join_servants(words: Sequence[str]) -> list[str]:
    """Return the words with each name of the form "servant of" as one word: Abd al-Rahman, Abdul Rahman, Abdurrahman
    and Abdelrahman are all `abdrahman`."""
    found: list[str] = []
    is_open = False
    for word in words:
        prefix = next((one for one in _SERVANTS if word.startswith(one)), None)
        rest = word if prefix is None else word.removeprefix(prefix)
        if is_open:
            found[-1] += rest or word
            is_open = False
        elif prefix is None or (rest and len(rest) < _SERVED_LENGTH_MIN):
            found.append(word)
        else:
            found.append(_SERVANTS[-1] + rest)
            is_open = not rest
    return found


@lru_cache(maxsize=65_536)
def skeleton(word: str) -> str:
    """Return the consonants of a word. A first vowel is `a`; digits stay."""
    for group, sound in _GROUPS:
        word = word.replace(group, sound)
    found: list[str] = []
    last = ""
    for letter in word.translate(_SOUNDS):
        if letter == last:
            continue
        last = letter
        if letter in _VOWELS:
            if not found:
                found.append("a")
        elif letter != "h" or not found:
            found.append(letter)
    return "".join(found)[:SKELETON_LENGTH_MAX]


def keys_of(word: str) -> frozenset[str]:
    """Return the keys of a word. Two similar words have a common key."""
    whole = skeleton(word)
    if len(whole) <= _SHORT:
        return frozenset((whole,))
    return frozenset((whole, *(whole[:place] + whole[place + 1 :] for place in range(len(whole)))))
