"""Hits as JSON, with everything from which a person can check them, and the reason in one sentence."""

from typing import Any

from cloud.clinical.screening.matching import Likeness, WordPair
from cloud.clinical.screening.model import BirthDates, Hit, ScreeningList
from cloud.clinical.screening.names import fold
from cloud.foundation.moments import write_moment

_LIKENESS = {
    Likeness.EQUAL: "is the same word as",
    Likeness.SOUND: "has the same consonants as",
    Likeness.SPELLING: "is spelled almost like",
    Likeness.JOINED: "without spaces is written almost like",
}
_BIRTH_DATES = {
    BirthDates.UNKNOWN: "",
    BirthDates.AGREE: " The years of birth agree.",
    BirthDates.DIFFER: " The years of birth differ, which lowers the score.",
}


def shown_list(one: ScreeningList) -> dict[str, Any]:
    """Return the list and edition in which a hit was found."""
    return {
        "name": one.name,
        "published_on": one.published_on,
        "imported_at": write_moment(one.current_from_us),
        "entries": one.entries,
        "sha256": one.sha256,
    }


def explain(hit: Hit) -> dict[str, Any]:
    """Return a hit of a name search."""
    entry, match = hit.entry, hit.match
    return {
        "score": round(hit.score, 3),
        "list": hit.list.name,
        "published_on": hit.list.published_on,
        "reference": entry.reference,
        "line": entry.line,
        "kind": entry.kind,
        "programmes": list(entry.programmes),
        "listed_on": entry.listed_on,
        "countries": list(entry.countries),
        "screened_name": hit.screened_name,
        "listed_name": hit.listed_name.text,
        "is_alias": hit.listed_name.is_alias,
        "is_weak_alias": hit.listed_name.is_weak,
        "explanation": {
            "text": _sentence(hit),
            "screened_words": list(fold(hit.screened_name)),
            "listed_words": list(fold(hit.listed_name.text)),
            "pairs": [_shown_pair(pair) for pair in match.pairs],
            "only_screened": list(match.only_screened),
            "only_listed": list(match.only_listed),
            "birth_dates": hit.birth_dates,
            "listed_birth_dates": list(entry.birth_dates),
        },
    }


def _shown_pair(pair: WordPair) -> dict[str, Any]:
    return {
        "screened": pair.screened,
        "listed": pair.listed,
        "likeness": pair.likeness,
        "similarity": round(pair.similarity, 3),
        "edits": pair.edits,
    }


def _sentence(hit: Hit) -> str:
    kind = ("weak alias" if hit.listed_name.is_weak else "alias") if hit.listed_name.is_alias else "primary name"
    pairs = [_pair_sentence(pair) for pair in hit.match.pairs]
    extra = [
        f"{label} {', '.join(words)}"
        for label, words in (
            ("only the screened name has", hit.match.only_screened),
            ("only the listed name has", hit.match.only_listed),
        )
        if words
    ]
    return (
        f"Compared with the {kind} {hit.listed_name.text}: {'; '.join([*pairs, *extra])}."
        + _BIRTH_DATES[hit.birth_dates]
    )


def _pair_sentence(pair: WordPair) -> str:
    edits = f" ({pair.edits} letter{'s' if pair.edits != 1 else ''} different)" if pair.edits else ""
    return f"{pair.screened} {_LIKENESS[pair.likeness]} {pair.listed}{edits}"
