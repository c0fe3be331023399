"""Search the current lists for a name, in milliseconds for lists of any size.

No list is read as a whole. The keys of the words of the name select the words of the lists that are similar, these
select listed names, and only names that have two similar words (one, if a name has only one) are compared. Because two
words are needed, the names of the most frequent word need not be read. Every step has a limit, and the
result of a search that reaches one is marked as not complete.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from cloud.clinical.screening.matching import NameMatch, compare, pair_words
from cloud.clinical.screening.model import (
    BirthDates,
    Hit,
    Screened,
    ScreenedWallet,
    ScreeningList,
    Subject,
    WalletHit,
)
from cloud.clinical.screening.names import fold, keys_of, skeleton
from cloud.clinical.screening.store import ListStore, NameRow
from cloud.clinical.screening.wallets import normalized_address
from cloud.foundation.db import Transaction
from cloud.foundation.viewer import Viewer
from protocols.sanctions.entry import ListedEntry

SCORE_MIN = 0.82
"""Lowest score of a hit. The figures for this and other values are in the operator's guide; a test measures them."""
WORD_ROWS_MAX = 10_000
"""Most rows of words that are read for one name. A name reads at most 1,100 from the 6,400 words of 50,000 synthetic
entries. Each word is a variable of the statement that reads names, of which SQLite allows 32,766."""
NAME_ROWS_MAX = 20_000
"""Most rows of names that are read for one name. The most frequent word of 50,000 synthetic entries has 1,500 names."""
COMPARED_MAX = 1_000
"""Most listed names that are compared with one name, those with most similar words first: 15 ms."""
HITS_MAX = 50
"""Most hits that are kept, the best ones. No person checks more of one name."""
WALLET_HITS_MAX = 50
"""Most statements about one wallet that are kept, of sanctions lists or of labels."""
DIFFERENT_BIRTH_FACTOR = 0.85
"""Factor of the score when the years of birth differ. It is no proof: lists have wrong and approximate years."""
YEARS_APART_MAX = 1
"""Difference of the years of birth that is none: calendars differ, and a year is often derived from an age."""

WHOLE = "="
"""Beginning of the word (and of its key) that is a whole name without spaces, for scripts that write none."""


@dataclass(slots=True)
class _Candidates:
    """Listed names that may be alike. `is_complete` is False if some were left out."""

    rows: Sequence[NameRow]
    is_complete: bool


@dataclass(slots=True)
class _Similar:
    """The words of the lists that are similar to the words of a name: by list and word, the places of the words; and by
    place, the words of each list and the number of their names. `is_complete` is False if some were left out."""

    places: dict[tuple[int, str], set[int]] = field(default_factory=lambda: defaultdict(set))
    words: dict[int, dict[int, set[str]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(set)))
    frequency: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    whole: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    is_complete: bool = True


class Search:
    """Search the lists of a tenant."""

    def __init__(self) -> None:
        self._store = ListStore()

    async def screen(self, tx: Transaction, viewer: Viewer, subject: Subject) -> Screened:
        """Return the entries of sanctions lists that may be the subject, best first."""
        lists = {one.id: one for one in await self._store.current(tx, viewer) if one.names}
        best: dict[tuple[int, int], Hit] = {}
        is_complete = True
        for name in subject.names if lists else ():
            words = fold(name)
            if not words:
                continue
            candidates = await self._candidates(tx, list(lists), words)
            is_complete &= candidates.is_complete
            entries = await self._store.entries(
                tx, list({(row.list_id, row.entry): None for row in candidates.rows}), subject.kinds
            )
            for row in candidates.rows:
                entry = entries.get((row.list_id, row.entry))
                if entry is None:
                    continue
                match = compare(words, row.folded.split(" "))
                hit = _hit(subject, name, lists[row.list_id], entry, row.position, match)
                known = best.get((row.list_id, row.entry))
                if hit.score >= SCORE_MIN and (known is None or hit.score > known.score):
                    best[(row.list_id, row.entry)] = hit
        hits = sorted(best.values(), key=lambda hit: (-hit.score, hit.list.name, hit.entry.reference))
        return Screened(
            lists=list(lists.values()), hits=hits[:HITS_MAX], is_complete=is_complete and len(hits) <= HITS_MAX
        )

    async def wallet(self, tx: Transaction, viewer: Viewer, address: str, *, is_sanction: bool) -> ScreenedWallet:
        """Return the statements about an address: those of sanctions lists, or those of lists of labels. The other
        lists are not read, so their statements do not count towards the limit."""
        current = await self._store.current(tx, viewer)
        lists = {one.id: one for one in current if one.wallets and one.is_sanctions_list is is_sanction}
        found: Sequence[WalletHit] = ()
        if lists:
            found = await self._store.wallets(tx, lists, normalized_address(address), count=WALLET_HITS_MAX + 1)
        return ScreenedWallet(
            lists=list(lists.values()), hits=found[:WALLET_HITS_MAX], is_complete=len(found) <= WALLET_HITS_MAX
        )

    async def _candidates(self, tx: Transaction, lists: Collection[int], words: Sequence[str]) -> _Candidates:
        """Return the listed names that have enough similar words to be alike."""
        similar = await self._similar(tx, lists, words)
        wanted: dict[int, set[str]] = defaultdict(set)
        for list_id, whole in similar.whole.items():
            wanted[list_id] |= whole
        places = sorted(similar.words, key=lambda place: similar.frequency[place])
        # A hit needs two similar words if either name has two, and the most frequent one alone is not enough.
        for place in places[:-1] if len(words) > 1 else places:
            for list_id, of_list in similar.words[place].items():
                wanted[list_id] |= of_list
        if not wanted:
            return _Candidates((), similar.is_complete)
        rows = await self._store.names(tx, wanted, count=NAME_ROWS_MAX + 1)
        names: dict[tuple[int, int, int], tuple[int, NameRow]] = {}
        for row in rows[:NAME_ROWS_MAX]:
            key = row.list_id, row.entry, row.position
            if key not in names:
                alike = _count_alike(similar.places, row)
                is_whole = row.word.startswith(WHOLE)
                if is_whole or alike >= min(2, max(len(words), row.folded.count(" ") + 1)):
                    names[key] = len(words) if is_whole else alike, row
            elif row.word.startswith(WHOLE):
                names[key] = len(words), row
        ordered = sorted(names.values(), key=lambda one: -one[0])
        is_complete = similar.is_complete and len(rows) <= NAME_ROWS_MAX and len(ordered) <= COMPARED_MAX
        return _Candidates([row for _, row in ordered[:COMPARED_MAX]], is_complete)

    async def _similar(self, tx: Transaction, lists: Collection[int], words: Sequence[str]) -> _Similar:
        by_key: dict[str, list[int]] = defaultdict(list)
        for place, word in enumerate(words):
            for key in keys_of(word):
                by_key[key].append(place)
        whole = WHOLE + skeleton("".join(words))
        rows = await self._store.words(tx, lists, [*by_key, whole], count=WORD_ROWS_MAX + 1)
        found = _Similar(is_complete=len(rows) <= WORD_ROWS_MAX)
        for row in rows[:WORD_ROWS_MAX]:
            if row.key == whole:
                found.whole[row.list_id].add(row.word)
                continue
            for place in by_key[row.key]:
                if row.word not in found.words[place][row.list_id] and pair_words(words[place], row.word) is not None:
                    found.words[place][row.list_id].add(row.word)
                    found.frequency[place] += row.names
                    found.places[row.list_id, row.word].add(place)
        return found


def _count_alike(places: Mapping[tuple[int, str], Collection[int]], row: NameRow) -> int:
    """Return the number of words of a listed name that are similar to a word of the screened name."""
    return sum((row.list_id, word) in places for word in row.folded.split(" "))


def _hit(subject: Subject, name: str, of: ScreeningList, entry: ListedEntry, position: int, match: NameMatch) -> Hit:
    birth = compare_birth_dates(subject.birth_date, entry.birth_dates)
    score = match.score * (DIFFERENT_BIRTH_FACTOR if birth is BirthDates.DIFFER else 1)
    return Hit(
        score=score,
        list=of,
        entry=entry,
        screened_name=name,
        listed_name=entry.names[position],
        match=match,
        birth_dates=birth,
    )


def compare_birth_dates(screened: str | None, listed: Sequence[str]) -> BirthDates:
    """Compare a date of birth with those of an entry, by their years."""
    if screened is None or not listed:
        return BirthDates.UNKNOWN
    year = int(screened[:4])
    for date in listed:
        first, _, last = date.partition("/")
        if int(first[:4]) - YEARS_APART_MAX <= year <= int((last or first)[:4]) + YEARS_APART_MAX:
            return BirthDates.AGREE
    return BirthDates.DIFFER
