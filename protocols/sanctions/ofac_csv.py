"""The SDN list and the consolidated list of OFAC (United States) as CSV: `SDN.CSV`, with the aliases in `ALT.CSV`."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from protocols.sanctions.dates import read_birth_date
from protocols.sanctions.entry import (
    NAMES_MAX,
    DocumentRefused,
    EntryKind,
    ListedEntry,
    ListedName,
    ListedWallet,
    Row,
    RowProblem,
    checked_entry,
    unique,
)
from protocols.sanctions.ofac_xml import KINDS, WALLET_ID
from protocols.sanctions.table import read_rows

ALIASES_MAX = 500_000
"""Most rows of the file of aliases, which is in memory while the list is read. OFAC publishes about 20,000."""
_NULL = "-0-"
_FIELDS, _ALIAS_FIELDS = 12, 5
_BIRTH = ("DOB ", "alt. DOB ")
_COUNTRY = ("nationality ", "alt. nationality ", "citizen ", "alt. citizen ")


def read_ofac_csv(pieces: Iterable[bytes], aliases: Iterable[bytes] = ()) -> Iterator[Row]:
    """Yield the entries of a list. `aliases` is the file of the aliases."""
    known = _read_aliases(aliases)
    for line, row in read_rows(pieces):
        if len(row) != _FIELDS:
            yield RowProblem(line, f"The row has {len(row)} fields instead of {_FIELDS}.", row[0][:20] or None)
            continue
        reference, name, kind, programmes = (_value(field) for field in row[:4])
        remarks = [part.strip().rstrip(".") for part in _value(row[11]).split(";")]
        names = [ListedName(_ordered(name)), *known.pop(reference, _NO_ALIASES).names]
        yield checked_entry(
            ListedEntry(
                line=line,
                reference=reference,
                kind=KINDS.get(kind.lower(), EntryKind.ORGANIZATION),
                names=tuple(dict.fromkeys(one for one in names if one.text)),
                programmes=unique(programmes.split("] [")),
                birth_dates=unique(map(read_birth_date, _after(remarks, *_BIRTH))),
                countries=unique(_after(remarks, *_COUNTRY)),
                wallets=tuple(_wallets(_after(remarks, WALLET_ID, f"alt. {WALLET_ID}"))),
            )
        )
    for reference, left in known.items():
        text = f"The file of aliases has {len(left.names)} aliases for this entry, which is not in the list."
        yield RowProblem(left.line, text, reference)


class _Aliases(NamedTuple):
    line: int
    names: list[ListedName]


_NO_ALIASES = _Aliases(0, [])


def _read_aliases(pieces: Iterable[bytes]) -> dict[str, _Aliases]:
    found: dict[str, _Aliases] = {}
    for count, (line, row) in enumerate(read_rows(pieces)):
        if len(row) != _ALIAS_FIELDS:
            raise DocumentRefused(f"The row in line {line} of the file of aliases has {len(row)} fields instead of 5.")
        if count >= ALIASES_MAX:
            raise DocumentRefused(f"The file of aliases has more than {ALIASES_MAX} rows.")
        of_entry = found.setdefault(_value(row[0]), _Aliases(line, [])).names
        if len(of_entry) <= NAMES_MAX:
            of_entry.append(ListedName(_ordered(_value(row[3])), True, "weak" in row[4].lower()))
    return found


def _value(field: str) -> str:
    return "" if field == _NULL else field


def _ordered(name: str) -> str:
    """Return a name that is written "FAMILY NAME, Given names" in the order of speech."""
    family, comma, given = name.partition(", ")
    return f"{given} {family}" if comma else name


def _after(remarks: Iterable[str], *begins: str) -> Iterator[str]:
    for remark in remarks:
        for begin in begins:
            if remark.startswith(begin):
                yield remark.removeprefix(begin)


def _wallets(remarks: Iterable[str]) -> Iterator[ListedWallet]:
    for remark in remarks:
        asset, _, address = remark.partition(" ")
        yield ListedWallet(asset, address.strip())
