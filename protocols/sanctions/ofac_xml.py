"""The SDN list and the consolidated list of OFAC (United States) as XML, the format `sdn.xml`."""

from collections.abc import Iterable, Iterator

from protocols.sanctions.dates import read_birth_date, read_date
from protocols.sanctions.document import Node, read_records
from protocols.sanctions.entry import EntryKind, ListedEntry, ListedName, ListedWallet, Publication, Row, unique
from protocols.sanctions.entry import checked_entry as checked

WALLET_ID = "Digital Currency Address - "
"""The kind of an identifier that is a wallet's address; the code of the asset follows."""

KINDS = {
    "individual": EntryKind.PERSON,
    "entity": EntryKind.ORGANIZATION,
    "vessel": EntryKind.VESSEL,
    "aircraft": EntryKind.AIRCRAFT,
}


def read_ofac_xml(pieces: Iterable[bytes]) -> Iterator[Row]:
    """Yield the entries of a list, and its publication."""
    for node in read_records(pieces, "sdnList", ("sdnEntry", "publshInformation")):
        if node.name == "publshInformation":
            published_on = read_date(node.first("Publish_Date"))
            if published_on is not None:
                yield Publication(published_on)
        elif node.name == "sdnEntry":
            yield checked(_entry(node))


def _entry(node: Node) -> ListedEntry:
    names = [ListedName(_name(node))]
    for alias in node.all("akaList", "aka"):
        names.append(ListedName(_name(alias), True, alias.first("category").lower() == "weak"))
    ids = node.all("idList", "id")
    return ListedEntry(
        line=node.line,
        reference=node.first("uid"),
        kind=KINDS.get(node.first("sdnType").lower(), EntryKind.ORGANIZATION),
        names=tuple(dict.fromkeys(name for name in names if name.text)),
        programmes=unique(node.texts("programList", "program")),
        birth_dates=unique(map(read_birth_date, node.texts("dateOfBirthList", "dateOfBirthItem", "dateOfBirth"))),
        countries=unique(
            (
                *node.texts("nationalityList", "nationality", "country"),
                *node.texts("citizenshipList", "citizenship", "country"),
            )
        ),
        wallets=tuple(
            ListedWallet(one.first("idType").removeprefix(WALLET_ID).strip(), one.first("idNumber"))
            for one in ids
            if one.first("idType").startswith(WALLET_ID)
        ),
    )


def _name(node: Node) -> str:
    return " ".join(unique((node.first("firstName"), node.first("lastName"))))
