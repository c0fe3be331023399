"""The consolidated list of financial sanctions of the European Union as XML, version 1.1."""

from collections.abc import Iterable, Iterator

from protocols.sanctions.dates import read_birth_date, read_date
from protocols.sanctions.document import Node, read_records
from protocols.sanctions.entry import EntryKind, ListedEntry, ListedName, Publication, Row, checked_entry, unique

_PARTS = ("firstName", "middleName", "lastName")


def read_eu_xml(pieces: Iterable[bytes]) -> Iterator[Row]:
    """Yield the publication of the list and its entries."""
    for node in read_records(pieces, "export", ("sanctionEntity",)):
        if node.name == "export":
            published_on = read_date(node.attributes.get("generationDate"))
            if published_on is not None:
                yield Publication(published_on)
        else:
            yield checked_entry(_entry(node))


def _entry(node: Node) -> ListedEntry:
    names: list[ListedName] = []
    for alias in node.all("nameAlias"):
        given = alias.attributes
        text = given.get("wholeName") or " ".join(unique(given.get(part) for part in _PARTS))
        if text:
            names.append(ListedName(text, bool(names), given.get("strong") == "false"))
    regulations = [one.attributes for one in node.all("regulation")]
    dates = [day for one in regulations if (day := read_date(one.get("publicationDate"))) is not None]
    is_person = any(one.attributes.get("code") == "person" for one in node.all("subjectType"))
    return ListedEntry(
        line=node.line,
        reference=node.attributes.get("euReferenceNumber") or node.attributes.get("logicalId", ""),
        kind=EntryKind.PERSON if is_person else EntryKind.ORGANIZATION,
        names=tuple(dict.fromkeys(names)),
        programmes=unique(one.get("programme") for one in regulations),
        listed_on=read_date(node.attributes.get("designationDate")) or min(dates, default=None),
        birth_dates=unique(_birth_date(one.attributes) for one in node.all("birthdate")),
        countries=unique(one.attributes.get("countryIso2Code") for one in node.all("citizenship")),
    )


def _birth_date(given: dict[str, str]) -> str | None:
    first, last = given.get("yearRangeFrom"), given.get("yearRangeTo")
    if first and last:
        return read_birth_date(f"{first} {last}")
    exact = None if given.get("circa") == "true" else read_birth_date(given.get("birthdate"))
    return exact or read_birth_date(given.get("year"))
