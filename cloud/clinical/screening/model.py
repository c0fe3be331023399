"""Values of screening: lists, the subject of a search, and its hits."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from cloud.clinical.screening.matching import NameMatch
from protocols.sanctions.entry import EntryKind, ListedEntry, ListedName


class ListState(StrEnum):
    """The state of an imported list. Only current lists are searched."""

    STAGED = "staged"
    CURRENT = "current"
    REPLACED = "replaced"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreeningList:
    """An imported edition of a list. `entries`, `names` and `wallets` are numbers of rows, and `problems` is the number
    of records that could not be used. `largest` is the size of the largest edition since the operator last confirmed
    the size of one (`--accept-smaller`); None if the edition was imported by the release before."""

    id: int
    tenant_id: str
    name: str
    format: str
    state: ListState
    published_on: str | None
    sha256: str | None
    entries: int
    names: int
    wallets: int
    problems: int
    largest: int | None = None
    started_at_us: int
    current_from_us: int | None
    current_until_us: int | None

    @property
    def size_to_keep(self) -> int:
        """The number of entries and wallets that the next edition is compared with."""
        return max(self.entries + self.wallets, self.largest or 0)

    @property
    def is_sanctions_list(self) -> bool:
        """True for a list with entries, False for one of labels of wallets."""
        return self.entries > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The person or organisation to search for. `birth_date` is an ISO date, perhaps without day or month."""

    names: Sequence[str]
    kinds: frozenset[EntryKind]
    birth_date: str | None = None


class BirthDates(StrEnum):
    """The comparison of dates of birth."""

    UNKNOWN = "unknown"
    AGREE = "agree"
    DIFFER = "differ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An entry that may be the subject. `screened_name` and `listed_name` are the names that are most alike."""

    score: float
    list: ScreeningList
    entry: ListedEntry
    screened_name: str
    listed_name: ListedName
    match: NameMatch
    birth_dates: BirthDates


@dataclass(frozen=True, slots=True, kw_only=True)
class Screened:
    """The result of a search. `lists` are those that were searched. `is_complete` is False if a name was so common that
    not all of its candidates were compared, or more hits were found than are kept."""

    lists: Sequence[ScreeningList]
    hits: Sequence[Hit]
    is_complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletHit:
    """A statement of a list about a wallet: an entry of a sanctions list (`reference`, `programmes`), or a label."""

    list: ScreeningList
    asset: str
    address: str
    category: str
    label: str
    source: str
    stated_on: str | None
    reference: str | None = None
    programmes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenedWallet:
    """The result of a search for a wallet. `lists` are those that were searched. `is_complete` is False if they have
    more statements about the wallet than are kept."""

    lists: Sequence[ScreeningList]
    hits: Sequence[WalletHit]
    is_complete: bool
