"""Files of sanctions lists with invented subjects, in the formats of the publishers."""

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

from protocols.sanctions.entry import EntryKind, ListedEntry, ListedName, ListedWallet, WalletLabel

PUBLISHED_ON = "2026-03-24"
_OFAC_TYPES = {
    EntryKind.PERSON: "Individual",
    EntryKind.ORGANIZATION: "Entity",
    EntryKind.VESSEL: "Vessel",
    EntryKind.AIRCRAFT: "Aircraft",
}


def listed(
    reference: str,
    *names: str | ListedName,
    kind: EntryKind = EntryKind.PERSON,
    line: int = 1,
    programmes: Sequence[str] = ("SYNTH",),
    listed_on: str | None = None,
    birth_dates: Sequence[str] = (),
    countries: Sequence[str] = (),
    wallets: Sequence[ListedWallet] = (),
) -> ListedEntry:
    """Return an entry. The first name is its primary name."""
    return ListedEntry(
        line=line,
        reference=reference,
        kind=kind,
        names=tuple(
            name if isinstance(name, ListedName) else ListedName(name, is_alias=place > 0)
            for place, name in enumerate(names)
        ),
        programmes=tuple(programmes),
        listed_on=listed_on,
        birth_dates=tuple(birth_dates),
        countries=tuple(countries),
        wallets=tuple(wallets),
    )


def _tags(name: str, values: Iterable[str]) -> str:
    return "".join(f"<{name}>{escape(value)}</{name}>" for value in values)


def ofac_xml(entries: Iterable[ListedEntry]) -> bytes:
    """Return a list as OFAC publishes it, one entry a line, beginning in line 3."""
    lines = []
    for one in entries:
        aliases = "".join(
            f"<aka><uid>9</uid><type>a.k.a.</type><category>{'weak' if name.is_weak else 'strong'}</category>"
            f"{_tags('lastName', [name.text])}</aka>"
            for name in one.names[1:]
        )
        ids = "".join(
            f"<id><uid>8</uid><idType>Digital Currency Address - {wallet.asset}</idType>"
            f"{_tags('idNumber', [wallet.address])}</id>"
            for wallet in one.wallets
        )
        births = "".join(f"<dateOfBirthItem>{_tags('dateOfBirth', [day])}</dateOfBirthItem>" for day in one.birth_dates)
        nations = "".join(f"<nationality>{_tags('country', [land])}</nationality>" for land in one.countries)
        lines.append(
            f"<sdnEntry>{_tags('uid', [one.reference])}{_tags('lastName', [one.names[0].text])}"
            f"<sdnType>{_OFAC_TYPES[one.kind]}</sdnType>"
            f"<programList>{_tags('program', one.programmes)}</programList>"
            f"<idList>{ids}</idList><akaList>{aliases}</akaList>"
            f"<nationalityList>{nations}</nationalityList><dateOfBirthList>{births}</dateOfBirthList></sdnEntry>"
        )
    month, day, year = PUBLISHED_ON[5:7], PUBLISHED_ON[8:], PUBLISHED_ON[:4]
    return (
        '<?xml version="1.0" encoding="utf-8"?><sdnList xmlns="https://example.test/exports/XML">\n'
        f"<publshInformation><Publish_Date>{month}/{day}/{year}</Publish_Date></publshInformation>\n"
        + "\n".join(lines)
        + "\n</sdnList>\n"
    ).encode()


def ofac_csv(entries: Iterable[ListedEntry]) -> tuple[bytes, bytes]:
    """Return a list and its aliases as OFAC publishes them."""
    rows, aliases = [], []
    for one in entries:
        remarks = [
            *(f"DOB {day}" for day in one.birth_dates),
            *(f"nationality {land}" for land in one.countries),
            *(f"Digital Currency Address - {wallet.asset} {wallet.address}" for wallet in one.wallets),
        ]
        kind = "-0-" if one.kind is EntryKind.ORGANIZATION else _OFAC_TYPES[one.kind].lower()
        fields = [one.reference, one.names[0].text, kind, "] [".join(one.programmes), *["-0-"] * 7]
        rows.append(",".join(map(_quoted, [*fields, "; ".join(remarks) + "." if remarks else "-0-"])))
        aliases.extend(
            ",".join(map(_quoted, [one.reference, "9", "aka", name.text, "weak alias" if name.is_weak else "-0-"]))
            for name in one.names[1:]
        )
    return "".join(f"{row}\r\n" for row in [*rows, "\x1a"]).encode(), "".join(f"{row}\r\n" for row in aliases).encode()


def _quoted(field: str) -> str:
    return '"' + field.replace('"', '""') + '"'


def un_xml(entries: Iterable[ListedEntry]) -> bytes:
    """Return a list as the United Nations publish it."""
    persons, organizations = [], []
    for one in entries:
        tag = "INDIVIDUAL" if one.kind is EntryKind.PERSON else "ENTITY"
        first, _, second = one.names[0].text.partition(" ")
        aliases = "".join(
            f"<{tag}_ALIAS><QUALITY>{'Low' if name.is_weak else 'Good'}</QUALITY>"
            f"{_tags('ALIAS_NAME', [name.text])}</{tag}_ALIAS>"
            for name in one.names[1:]
        )
        births = "".join(
            f"<{tag}_DATE_OF_BIRTH><TYPE_OF_DATE>EXACT</TYPE_OF_DATE>{_tags('DATE', [day])}</{tag}_DATE_OF_BIRTH>"
            for day in one.birth_dates
        )
        (persons if one.kind is EntryKind.PERSON else organizations).append(
            f"<{tag}><DATAID>7</DATAID>{_tags('FIRST_NAME', [first])}{_tags('SECOND_NAME', [second] if second else [])}"
            f"{_tags('UN_LIST_TYPE', one.programmes)}{_tags('REFERENCE_NUMBER', [one.reference])}"
            f"{_tags('LISTED_ON', [one.listed_on] if one.listed_on else [])}"
            f"<NATIONALITY>{_tags('VALUE', one.countries)}</NATIONALITY>{aliases}{births}</{tag}>"
        )
    return (
        f'<?xml version="1.0" encoding="utf-8"?><CONSOLIDATED_LIST dateGenerated="{PUBLISHED_ON}T05:00:01.123Z">'
        f"<INDIVIDUALS>{''.join(persons)}</INDIVIDUALS><ENTITIES>{''.join(organizations)}</ENTITIES>"
        "</CONSOLIDATED_LIST>"
    ).encode()


def eu_xml(entries: Iterable[ListedEntry]) -> bytes:
    """Return a list as the European Union publishes it."""
    subjects = []
    for one in entries:
        names = "".join(
            f'<nameAlias wholeName={quoteattr(name.text)} strong="{"false" if name.is_weak else "true"}"/>'
            for name in one.names
        )
        births = "".join(f'<birthdate circa="false" birthdate={quoteattr(day)}/>' for day in one.birth_dates)
        nations = "".join(f"<citizenship countryIso2Code={quoteattr(land)}/>" for land in one.countries)
        regulations = "".join(f"<regulation programme={quoteattr(each)}/>" for each in one.programmes)
        code = "person" if one.kind is EntryKind.PERSON else "enterprise"
        subjects.append(
            f'<sanctionEntity designationDate="{one.listed_on or ""}" euReferenceNumber={quoteattr(one.reference)} '
            f'logicalId="7">{regulations}<subjectType code="{code}"/>{names}{nations}{births}</sanctionEntity>'
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><export xmlns="http://example.test/fsd/export" '
        f'generationDate="{PUBLISHED_ON}T13:26:50.123+01:00">{"".join(subjects)}</export>'
    ).encode()


def wallet_labels_csv(labels: Iterable[WalletLabel]) -> bytes:
    """Return labels of wallets in our format."""
    rows = ["asset,address,category,label,source,labelled_on"]
    for one in labels:
        fields = one.wallet.asset, one.wallet.address, one.category, one.label, one.source, one.labelled_on or ""
        rows.append(",".join(map(_quoted, fields)))
    return "".join(f"{row}\n" for row in rows).encode()
