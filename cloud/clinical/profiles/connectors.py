"""The table of connectors, which enrich a profile with what other sources state. A new one is one declaration.

A connector that has no data returns `no_data`, which is no statement about the profile: no hit in no list is not clean.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cloud.clinical.profiles.model import Profile, ProfileKind
from cloud.clinical.screening import ScreeningList, Search, Subject, WalletHit, explain, shown_list
from cloud.foundation.db import Transaction
from cloud.foundation.viewer import Viewer
from protocols.sanctions.entry import EntryKind
from protocols.sanctions.wallet_labels import CATEGORIES


class Status(StrEnum):
    """The state of a connector's result."""

    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    NO_DATA = "no_data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of a connector. `risk_score` is 0 to 100; None without data. `lists_since_us` is the time since which
    all searched lists are current; 0 if none was searched."""

    status: Status
    risk_score: int | None
    sources: Sequence[Mapping[str, Any]]
    hits: Sequence[Mapping[str, Any]]
    lists_since_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """A source of statements about profiles of some kinds."""

    name: str
    meaning: str
    kinds: frozenset[ProfileKind]
    enrich: Callable[[Transaction, Viewer, Profile], Awaitable[Finding]]


_ENTRY_KINDS = {
    ProfileKind.PERSON: frozenset((EntryKind.PERSON,)),
    ProfileKind.ORGANIZATION: frozenset((EntryKind.ORGANIZATION, EntryKind.VESSEL, EntryKind.AIRCRAFT)),
}
_SEARCH = Search()


async def _screen(tx: Transaction, viewer: Viewer, profile: Profile) -> Finding:
    if profile.kind is ProfileKind.WALLET:
        return await _find_wallet(tx, viewer, profile, is_sanction=True)
    subject = Subject(names=profile.names, kinds=_ENTRY_KINDS[profile.kind], birth_date=profile.birth_date)
    found = await _SEARCH.screen(tx, viewer, subject)
    if not found.lists:
        return Finding(status=Status.NO_DATA, risk_score=None, sources=(), hits=())
    return Finding(
        status=Status.COMPLETED if found.is_complete else Status.INCOMPLETE,
        risk_score=round(100 * found.hits[0].score) if found.hits else 0,
        sources=[shown_list(one) for one in found.lists],
        hits=[explain(hit) for hit in found.hits],
        lists_since_us=_current_since_us(found.lists),
    )


async def _assess_wallet(tx: Transaction, viewer: Viewer, profile: Profile) -> Finding:
    return await _find_wallet(tx, viewer, profile, is_sanction=False)


async def _find_wallet(tx: Transaction, viewer: Viewer, profile: Profile, *, is_sanction: bool) -> Finding:
    """Return the statements about a wallet: those of sanctions lists (which have entries), or of lists of labels."""
    assert profile.address is not None, "a wallet has an address"
    found = await _SEARCH.wallet(tx, viewer, profile.address, is_sanction=is_sanction)
    if not found.lists:
        return Finding(status=Status.NO_DATA, risk_score=None, sources=(), hits=())
    return Finding(
        status=Status.COMPLETED if found.is_complete else Status.INCOMPLETE,
        risk_score=max((CATEGORIES[hit.category] for hit in found.hits), default=0),
        sources=[shown_list(one) for one in found.lists],
        hits=[_shown_wallet(hit, profile.address) for hit in found.hits],
        lists_since_us=_current_since_us(found.lists),
    )


def _current_since_us(lists: Sequence[ScreeningList]) -> int:
    return max(one.current_from_us or 0 for one in lists)


def _shown_wallet(hit: WalletHit, address: str) -> dict[str, Any]:
    stated = f"states that {hit.label} holds it" if hit.reference is None else f"has it for {hit.label}"
    same = "exactly" if hit.address == address else "with another case of letters, which has no meaning"
    return {
        "score": CATEGORIES[hit.category] / 100,
        "list": hit.list.name,
        "published_on": hit.list.published_on,
        "reference": hit.reference,
        "programmes": list(hit.programmes),
        "listed_on": hit.stated_on,
        "asset": hit.asset,
        "address": hit.address,
        "category": hit.category,
        "label": hit.label,
        "source": hit.source or None,
        "explanation": {"text": f"The address is in the list {hit.list.name} {same}. The list {stated}."},
    }


CONNECTORS: Mapping[str, Connector] = {
    one.name: one
    for one in (
        Connector(
            name="sanctions",
            meaning="entries of imported sanctions lists",
            kinds=frozenset(ProfileKind),
            enrich=_screen,
        ),
        Connector(
            name="wallet_risk",
            meaning="imported labels of wallets",
            kinds=frozenset((ProfileKind.WALLET,)),
            enrich=_assess_wallet,
        ),
    )
}
"""Name of a connector in requests → the connector, in the order in which results are shown."""
