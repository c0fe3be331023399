"""Sanctions lists of the size of the published ones, with invented subjects, as files.

The numbers of entries and aliases are those of the published lists in 2026, rounded. Each record also has what the
published ones have and the readers skip, such as addresses and documents, so that the files have the published sizes.
The files depend on the seed alone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from protocols.sanctions.entry import ListedEntry, ListedName, ListedWallet
from tests.builders.invented_names import MISSPELLINGS, InventedNames
from tests.builders.sanctions_lists import eu_xml, ofac_csv, ofac_xml, un_xml

_ADDRESS = "<city>Nowhere</city><country>Invented</country><postalCode>00-000</postalCode>"
_OFAC_SKIPPED = (
    "<remarks>Synthetic remark of the usual length, with nothing in it that identifies a subject.</remarks>"
    f"<addressList>{f'<address><uid>7</uid><address1>1 Invented Way</address1>{_ADDRESS}</address>' * 3}</addressList>"
    f"<placeOfBirthList>{'<placeOfBirthItem><uid>6</uid><placeOfBirth>Nowhere</placeOfBirth></placeOfBirthItem>' * 2}"
    "</placeOfBirthList>"
)
_UN_SKIPPED = (
    "<VERSIONNUM>1</VERSIONNUM><COMMENTS1>Synthetic comment. Review pursuant to an invented resolution.</COMMENTS1>"
    + "<INDIVIDUAL_ADDRESS><STREET>1 Invented Street</STREET><CITY>Nowhere</CITY></INDIVIDUAL_ADDRESS>" * 3
    + "<INDIVIDUAL_DOCUMENT><TYPE_OF_DOCUMENT>Passport</TYPE_OF_DOCUMENT><NUMBER>X0</NUMBER></INDIVIDUAL_DOCUMENT>" * 3
)
_EU_SKIPPED = (
    '<address city="Nowhere" street="1 Invented Street" poBox="" zipCode="00-000" region="" place="" '
    'asAtListingTime="false" countryIso2Code="00" countryDescription="UNKNOWN" regulationLanguage="en" logicalId="7">'
    '<regulationSummary regulationType="amendment" publicationDate="2026-01-01" numberTitle="0/0"/></address>'
    * 4
    + '<identification diplomatic="false" knownExpired="false" identificationTypeCode="passport" number="X0" '
    'countryIso2Code="00" regulationLanguage="en" logicalId="8"><remark>Synthetic</remark></identification>' * 3
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSize:
    """The size of a list: its entries, the mean number of aliases, and the most that an entry has. `skipped_times` is
    the number of times that each record has the text which the readers skip."""

    format: str
    entries: int
    aliases_mean: float
    aliases_max: int
    skipped_times: int = 1


OFAC = ListSize(format="ofac-xml", entries=18_000, aliases_mean=1.15, aliases_max=150)
OFAC_100_MB = replace(OFAC, skipped_times=6)
OFAC_CSV = replace(OFAC, format="ofac-csv")
UN = ListSize(format="un-xml", entries=1_000, aliases_mean=3, aliases_max=30)
EU = ListSize(format="eu-xml", entries=5_000, aliases_mean=6, aliases_max=120)


@dataclass(frozen=True, slots=True)
class LargeList:
    """A list in a file. `aliases` is its second file, None for a format without one."""

    size: ListSize
    entries: list[ListedEntry]
    path: Path
    aliases: Path | None = None


def large_list(size: ListSize, folder: Path, seed: int = 1) -> LargeList:
    """Write a list into `folder`."""
    entries = list(_entries(size, InventedNames(seed)))
    path = folder / f"{size.format}-{size.skipped_times}"
    if size.format == "ofac-csv":
        main, aliases = ofac_csv(entries)
        path.write_bytes(main)
        second = folder / "aliases.csv"
        second.write_bytes(aliases)
        return LargeList(size, entries, path, second)
    write, ends, skipped = _WRITERS[size.format]
    data = write(entries)
    for end in ends:
        data = data.replace(end, skipped.encode() * size.skipped_times + end)
    path.write_bytes(data)
    return LargeList(size, entries, path)


_WRITERS: dict[str, tuple[Callable[[list[ListedEntry]], bytes], tuple[bytes, ...], str]] = {
    "ofac-xml": (ofac_xml, (b"</sdnEntry>",), _OFAC_SKIPPED),
    "un-xml": (un_xml, (b"</INDIVIDUAL>", b"</ENTITY>"), _UN_SKIPPED),
    "eu-xml": (eu_xml, (b"</sanctionEntity>",), _EU_SKIPPED),
}


def _entries(size: ListSize, names: InventedNames) -> Iterator[ListedEntry]:
    chance = names.random
    for entry in names.entries(size.entries):
        primary = replace(entry.names[0], is_alias=False)
        count = min(size.aliases_max, int(chance.expovariate(1 / size.aliases_mean) + 0.5))
        aliases = [ListedName(_alias(primary.text, chance), True, chance.random() < 0.2) for _ in range(count)]
        is_wallet_holder = chance.random() < 0.01
        wallets = [ListedWallet("XBT", f"1Synthetic{chance.getrandbits(96):024x}") for _ in range(8 * is_wallet_holder)]
        yield replace(
            entry,
            names=tuple({name.text: name for name in (primary, *aliases)}.values()),
            birth_dates=(f"19{chance.randint(30, 99)}-0{chance.randint(1, 9)}-1{chance.randint(0, 9)}",),
            countries=("Invented",),
            wallets=tuple(wallets),
        )


def _alias(name: str, chance: Random) -> str:
    """Return an alias: mostly another spelling of the name."""
    return MISSPELLINGS[chance.choice(list(MISSPELLINGS))](name, chance)
