"""The consolidated list of the United Nations Security Council as XML."""

from collections.abc import Iterable, Iterator

from protocols.sanctions.dates import read_birth_date, read_date
from protocols.sanctions.document import Node, read_records
from protocols.sanctions.entry import EntryKind, ListedEntry, ListedName, Publication, Row, checked_entry, unique

_PARTS = ("FIRST_NAME", "SECOND_NAME", "THIRD_NAME", "FOURTH_NAME")
_CENTURIES = ("19", "20")
_PERSON, _ORGANIZATION = "INDIVIDUAL", "ENTITY"


def read_un_xml(pieces: Iterable[bytes]) -> Iterator[Row]:
    """Yield the publication of the list and its entries."""
    for node in read_records(pieces, "CONSOLIDATED_LIST", (_PERSON, _ORGANIZATION)):
        if node.name == "CONSOLIDATED_LIST":
            published_on = read_date(node.attributes.get("dateGenerated"))
            if published_on is not None:
                yield Publication(published_on)
        else:
            yield checked_entry(_entry(node))


def _entry(node: Node) -> ListedEntry:
    names = [
        ListedName(" ".join(unique(map(node.first, _PARTS)))),
        ListedName(node.first("NAME_ORIGINAL_SCRIPT"), True),
    ]
    for alias in node.all(f"{node.name}_ALIAS"):
        # Low-quality aliases are of the list's own words: they may not identify the person.
        names.append(ListedName(alias.first("ALIAS_NAME"), True, alias.first("QUALITY").lower() == "low"))
    return ListedEntry(
        line=node.line,
        reference=node.first("REFERENCE_NUMBER") or node.first("DATAID"),
        kind=EntryKind.PERSON if node.name == _PERSON else EntryKind.ORGANIZATION,
        names=tuple(dict.fromkeys(name for name in names if name.text)),
        programmes=unique((node.first("UN_LIST_TYPE"),)),
        listed_on=read_date(node.first("LISTED_ON")),
        birth_dates=unique(map(_birth_date, node.all("INDIVIDUAL_DATE_OF_BIRTH"))),
        countries=unique(node.texts("NATIONALITY", "VALUE")),
    )


def _birth_date(node: Node) -> str | None:
    first, last = node.first("FROM_YEAR"), node.first("TO_YEAR")
    if first and last:
        return read_birth_date(f"{first} {last}")
    if stated := node.first("DATE") or node.first("YEAR"):
        return read_birth_date(stated)
    # Some dates are in the note only: "Nov. 1973". A year of another century is one of another calendar.
    noted = read_birth_date(node.first("NOTE"))
    return noted if noted is not None and noted.startswith(_CENTURIES) else None
