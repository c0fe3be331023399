"""Values of sanctions lists and of lists of wallet labels, the same for every format."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from protocols.errors import RemoteProtocolError

NAMES_MAX = 512
"""Most names of an entry. The entries with most aliases have about 150."""
NAME_LENGTH_MAX = 512
"""Longest name. Some names of organisations are whole sentences of about 300 characters."""
VALUES_MAX = 256
"""Most programmes, birth dates, countries or wallets of an entry. One entry of OFAC has about 180 wallets."""
VALUE_LENGTH_MAX = 256
"""Longest programme, country, address or reference."""


class DocumentRefused(RemoteProtocolError):
    """The file cannot be read any further. The text has the reason and the line, and never repeats the file."""


class EntryKind(StrEnum):
    """The kind of the listed subject."""

    PERSON = "person"
    ORGANIZATION = "organization"
    VESSEL = "vessel"
    AIRCRAFT = "aircraft"


@dataclass(frozen=True, slots=True)
class ListedName:
    """A name of an entry. `is_alias`: not its first name. `is_weak`: the list itself calls the alias weak, since it is
    common or of low quality."""

    text: str
    is_alias: bool = False
    is_weak: bool = False


@dataclass(frozen=True, slots=True)
class ListedWallet:
    """The address of a wallet, with the asset as the list writes it, such as XBT."""

    asset: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedEntry:
    """A subject of a sanctions list. `birth_dates` are ISO dates, perhaps without day or month (1948, 1948-12), or two
    years with a slash. `listed_on` is an ISO date, None where the list does not state it."""

    line: int
    reference: str
    kind: EntryKind
    names: tuple[ListedName, ...]
    programmes: tuple[str, ...] = ()
    listed_on: str | None = None
    birth_dates: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    wallets: tuple[ListedWallet, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletLabel:
    """A statement about the holder of a wallet. `category` is one of `wallet_labels.CATEGORIES`."""

    line: int
    wallet: ListedWallet
    category: str
    label: str
    source: str
    labelled_on: str | None


@dataclass(frozen=True, slots=True)
class Publication:
    """The date on which a list was published (ISO), as the file states it."""

    published_on: str


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A record that cannot be used, with the line on which it begins. `reference` is its id, None if it has none."""

    line: int
    text: str
    reference: str | None = None


Row = ListedEntry | WalletLabel | Publication | RowProblem


def checked_entry(entry: ListedEntry) -> ListedEntry | RowProblem:
    """Return the entry, or the problem that makes it unusable."""
    text = _fault(entry)
    return entry if text is None else RowProblem(entry.line, text, entry.reference[:VALUE_LENGTH_MAX] or None)


def unique(values: Iterable[str | None]) -> tuple[str, ...]:
    """Return the values that are not empty, each once, without surrounding spaces."""
    return tuple(dict.fromkeys(trimmed for value in values if value and (trimmed := value.strip())))


def _fault(entry: ListedEntry) -> str | None:
    if not entry.reference:
        return "The entry has no reference."
    if not entry.names:
        return "The entry has no name."
    if len(entry.names) > NAMES_MAX:
        return f"The entry has more than {NAMES_MAX} names."
    if any(len(name.text) > NAME_LENGTH_MAX for name in entry.names):
        return f"A name of the entry has more than {NAME_LENGTH_MAX} characters."
    lists = entry.programmes, entry.birth_dates, entry.countries, entry.wallets
    if any(len(one) > VALUES_MAX for one in lists):
        return f"The entry has more than {VALUES_MAX} programmes, birth dates, countries or wallets."
    texts = (entry.reference, *entry.programmes, *entry.countries, *(wallet.address for wallet in entry.wallets))
    if any(len(text) > VALUE_LENGTH_MAX for text in texts):
        return f"A value of the entry has more than {VALUE_LENGTH_MAX} characters."
    if any("\0" in text for text in (*texts, *(name.text for name in entry.names))):
        return "A value of the entry has a NUL character."
    return None
