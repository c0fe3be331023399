"""Compare two names: a score from 0 to 1, and the pairs of words from which a person can check it.

Each word of one name is paired with at most one word of the other, the most similar pairs first. The score is the share
of the letters that have a counterpart, of both names, weighted by the similarity of the pair. So the order of the
words does not matter, a listed name may have more words than the screened one, and a name that is cut into other words
(`Wang Xiaoming`, `Wangxiaoming`) is also compared without its spaces.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rapidfuzz.distance import OSA

from cloud.clinical.screening.names import GENERIC, skeleton

PAIR_SIMILARITY_MIN = 0.7
"""Similarity below which two words are different words. Words of four letters with two wrong ones have 0.5."""
SOUND_SIMILARITY = 0.9
"""Similarity of two words with equal skeletons: they may be transliterations of one word, or two words."""
SOUND_SPELLING_MIN = 0.4
"""Similarity of the spelling below which equal skeletons are chance. Words of scripts that write no vowels have 0.5:
`mhmd` and `mohammed`."""
SOUND_LENGTH_MIN = 3
"""Letters of a skeleton that are evidence. `li`, `lu` and `lao` have the same one."""
LONGER_NAME_SHARE = 0.3
"""Weight of the words that only the longer name has, against the words of the shorter one. Lists write full names, and
most profiles have two words."""
GENERIC_WEIGHT = 0.4
"""Weight of the letters of a generic word of organisations. Two firms are not alike because both are for trading."""
ONE_WORD_FACTOR = 0.6
"""Factor when only one word of a name of several words has a counterpart: a family name alone is no hit."""
JOINED_FACTOR = 0.98
"""Factor of the comparison without spaces, so that a pair of words that are equal is the better explanation."""


class Likeness(StrEnum):
    """The reason for which two words are a pair."""

    EQUAL = "equal"
    SPELLING = "spelling"
    SOUND = "sound"
    JOINED = "joined"


@dataclass(frozen=True, slots=True)
class WordPair:
    """A word of the screened name, and its counterpart in the listed name. `edits` is the number of letters that are
    wrong, missing, added or exchanged."""

    screened: str
    listed: str
    similarity: float
    likeness: Likeness
    edits: int


@dataclass(frozen=True, slots=True)
class NameMatch:
    """The result of a comparison: the score, the pairs, and the words without a counterpart."""

    score: float
    pairs: tuple[WordPair, ...]
    only_screened: tuple[str, ...] = ()
    only_listed: tuple[str, ...] = ()


def compare(screened: Sequence[str], listed: Sequence[str]) -> NameMatch:
    """Compare the words of two names, as `names.fold` returns them."""
    by_words = _compare_words(screened, listed)
    if len(screened) == len(listed) == 1:
        return by_words
    joined = "".join(screened), "".join(listed)
    similarity = OSA.normalized_similarity(*joined) * JOINED_FACTOR
    if similarity <= max(by_words.score, PAIR_SIMILARITY_MIN):
        return by_words
    return NameMatch(similarity, (WordPair(*joined, similarity, Likeness.JOINED, OSA.distance(*joined)),))


def pair_words(screened: str, listed: str) -> WordPair | None:
    """Return two words as a pair, None if they are different words."""
    if screened == listed:
        return WordPair(screened, listed, 1.0, Likeness.EQUAL, 0)
    edits = OSA.distance(screened, listed)
    similarity = 1 - edits / max(len(screened), len(listed))
    if SOUND_SPELLING_MIN <= similarity < SOUND_SIMILARITY:
        sound = skeleton(screened)
        if len(sound) >= SOUND_LENGTH_MIN and sound == skeleton(listed):
            return WordPair(screened, listed, SOUND_SIMILARITY, Likeness.SOUND, edits)
    if similarity < PAIR_SIMILARITY_MIN:
        return None
    return WordPair(screened, listed, similarity, Likeness.SPELLING, edits)


def _compare_words(screened: Sequence[str], listed: Sequence[str]) -> NameMatch:
    candidates = [
        (pair, place, counterpart)
        for place, word in enumerate(screened)
        for counterpart, other in enumerate(listed)
        if (pair := pair_words(word, other)) is not None
    ]
    candidates.sort(key=lambda one: (-one[0].similarity, -len(one[0].screened)))
    pairs: list[WordPair] = []
    left, right = set(range(len(screened))), set(range(len(listed)))
    for pair, place, counterpart in candidates:
        if place in left and counterpart in right:
            left.remove(place)
            right.remove(counterpart)
            pairs.append(pair)
    only_screened = tuple(screened[place] for place in sorted(left))
    only_listed = tuple(listed[place] for place in sorted(right))
    of_screened = _share([(pair.screened, pair.similarity) for pair in pairs], only_screened)
    of_listed = _share([(pair.listed, pair.similarity) for pair in pairs], only_listed)
    score = (1 - LONGER_NAME_SHARE) * max(of_screened, of_listed) + LONGER_NAME_SHARE * min(of_screened, of_listed)
    if len(pairs) == 1 and max(len(screened), len(listed)) > 1:
        score *= ONE_WORD_FACTOR
    return NameMatch(score, tuple(pairs), only_screened, only_listed)


def _share(paired: Sequence[tuple[str, float]], alone: Sequence[str]) -> float:
    """Return the share of the letters of a name that have a counterpart."""
    found = sum(_weight(word) * similarity for word, similarity in paired)
    whole = sum(_weight(word) for word, _ in paired) + sum(map(_weight, alone))
    return found / whole if whole else 0.0


def _weight(word: str) -> float:
    return len(word) * (GENERIC_WEIGHT if word in GENERIC else 1)
