"""Files of sanctions lists are read entry by entry, whatever the size of the pieces, and hostile files are refused."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from protocols.sanctions.dates import read_birth_date, read_date
from protocols.sanctions.document import DEPTH_MAX, ELEMENTS_MAX, RECORD_CHARACTERS_MAX, TOKEN_BYTES_MAX
from protocols.sanctions.entry import (
    NAMES_MAX,
    DocumentRefused,
    EntryKind,
    ListedEntry,
    ListedName,
    ListedWallet,
    Publication,
    Row,
    RowProblem,
    WalletLabel,
)
from protocols.sanctions.eu_xml import read_eu_xml
from protocols.sanctions.formats import FORMATS
from protocols.sanctions.ofac_csv import read_ofac_csv
from protocols.sanctions.ofac_xml import read_ofac_xml
from protocols.sanctions.table import LINE_CHARACTERS_MAX
from protocols.sanctions.un_xml import read_un_xml
from protocols.sanctions.wallet_labels import CATEGORIES, read_wallet_labels
from tests.builders.sanctions_lists import (
    PUBLISHED_ON,
    eu_xml,
    listed,
    ofac_csv,
    ofac_xml,
    un_xml,
    wallet_labels_csv,
)

PERSON = listed(
    "SYN-1",
    "Examplo Testovich Invented",
    ListedName("Exámpló the <Second>", is_alias=True),
    ListedName("Invented", is_alias=True, is_weak=True),
    birth_dates=["1948-12-10"],
    countries=["Freedonia"],
    programmes=["SYNTH", "SYNTH-2"],
    wallets=[ListedWallet("XBT", "1SyntheticAddressOfNobody")],
)
FIRM = listed("SYN-2", 'Invented "Trading" & Sons', kind=EntryKind.ORGANIZATION, programmes=["SYNTH"])


def in_pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[begin : begin + size] for begin in range(0, len(data), size))


def entries_of(rows: Iterator[Row]) -> list[Row]:
    return [replace(row, line=1) if isinstance(row, ListedEntry) else row for row in rows]


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_ofac_xml_list_is_read_with_its_publication(size: int) -> None:
    rows = entries_of(read_ofac_xml(in_pieces(ofac_xml([PERSON, FIRM]), size)))
    assert rows == [Publication(PUBLISHED_ON), PERSON, FIRM]


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_ofac_csv_list_is_read_with_its_aliases(size: int) -> None:
    main, aliases = ofac_csv([PERSON, FIRM])
    assert entries_of(read_ofac_csv(in_pieces(main, size), in_pieces(aliases, size))) == [PERSON, FIRM]


def test_ofac_csv_name_with_the_family_name_first_is_read_in_the_order_of_speech() -> None:
    main, _ = ofac_csv([listed("SYN-1", "INVENTED, Examplo")])
    (entry,) = read_ofac_csv([main])
    assert isinstance(entry, ListedEntry)
    assert entry.names == (ListedName("Examplo INVENTED"),)


def test_aliases_of_an_entry_that_the_list_lacks_are_reported() -> None:
    main, _ = ofac_csv([FIRM])
    _, aliases = ofac_csv([PERSON])
    (_, problem) = read_ofac_csv([main], [aliases])
    assert problem == RowProblem(
        1, "The file of aliases has 2 aliases for this entry, which is not in the list.", "SYN-1"
    )


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize(("read", "write"), [(read_un_xml, un_xml), (read_eu_xml, eu_xml)])
def test_un_and_eu_lists_are_read_with_their_publication(
    read: Callable[..., Iterator[Row]], write: Callable[..., bytes], size: int
) -> None:
    subjects = [replace(one, wallets=(), programmes=("SYNTH",), listed_on="2001-10-17") for one in (PERSON, FIRM)]
    assert entries_of(read(in_pieces(write(subjects), size))) == [Publication(PUBLISHED_ON), *subjects]


def test_ranges_of_birth_years_are_read() -> None:
    un = un_xml([PERSON]).replace(b"<DATE>1948-12-10</DATE>", b"<FROM_YEAR>1948</FROM_YEAR><TO_YEAR>1950</TO_YEAR>")
    eu = eu_xml([PERSON]).replace(b'birthdate="1948-12-10"', b'yearRangeFrom="1948" yearRangeTo="1950"')
    for rows in (read_un_xml([un]), read_eu_xml([eu])):
        assert [row.birth_dates for row in rows if isinstance(row, ListedEntry)] == [("1948/1950",)]


def test_entry_names_the_line_on_which_it_begins() -> None:
    rows = list(read_ofac_xml([ofac_xml([PERSON, FIRM])]))
    assert [row.line for row in rows if isinstance(row, ListedEntry)] == [3, 4]


def test_entry_without_a_name_is_a_problem_with_its_line_and_the_others_are_read() -> None:
    broken = replace(FIRM, names=(ListedName(""),))
    assert list(read_ofac_xml([ofac_xml([PERSON, broken, FIRM])]))[2:] == [
        RowProblem(4, "The entry has no name.", "SYN-2"),
        replace(FIRM, line=5),
    ]


def test_entry_with_too_many_names_is_a_problem() -> None:
    many = listed("SYN-3", *(f"Invented {number}" for number in range(NAMES_MAX + 1)))
    (_, problem) = read_ofac_xml([ofac_xml([many])])
    assert problem == RowProblem(3, f"The entry has more than {NAMES_MAX} names.", "SYN-3")


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("10 Dec 1948", "1948-12-10"),
        ("Dec 1948", "1948-12"),
        ("1948", "1948"),
        ("circa Dec 1948", "1948"),
        ("1950 to 1948", "1948/1950"),
        ("1948-12-10", "1948-12-10"),
        ("31 Feb 1948", "1948"),
        ("unknown", None),
        ("", None),
        ("²³¹⁹", None),
    ],
)
def test_birth_date_is_read_as_far_as_it_is_known(text: str, date: str | None) -> None:
    assert read_birth_date(text) == date


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("10/17/2001", "2001-10-17"),
        ("2015-07-01-04:00", "2015-07-01"),
        ("2015-07-01+02:00", "2015-07-01"),
        ("2015-07-01Z", "2015-07-01"),
        ("13/17/2001", None),
        (None, None),
    ],
)
def test_date_is_read_in_the_form_of_the_publishers(text: str | None, date: str | None) -> None:
    assert read_date(text) == date


@pytest.mark.parametrize(
    ("fields", "date"),
    [
        ("<NOTE>Nov. 1973</NOTE>", "1973-11"),
        ("<YEAR>1970</YEAR><NOTE>or 1971</NOTE>", "1970"),
        ("<NOTE>24 06 1402 (Hijri)</NOTE>", None),
        ("<NOTE>30-35 years old</NOTE>", None),
    ],
)
def test_birth_date_in_a_note_of_the_united_nations_is_read_if_it_is_of_our_calendar(
    fields: str, date: str | None
) -> None:
    stated = "<DATE>1948-12-10</DATE>"
    document = un_xml([replace(PERSON, birth_dates=("1948-12-10",))]).decode()
    (_, entry) = read_un_xml([document.replace(stated, fields).encode()])
    assert isinstance(entry, ListedEntry)
    assert entry.birth_dates == (() if date is None else (date,))


XML_READERS = [FORMATS[name].read for name in ("ofac-xml", "un-xml", "eu-xml")]


@pytest.mark.parametrize("read", XML_READERS)
def test_xml_document_with_a_dtd_is_refused(read: Callable[..., Iterator[Row]]) -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a>&c;</a>'
    with pytest.raises(DocumentRefused, match="has a DTD"):
        list(read([bomb]))


@pytest.mark.parametrize("read", XML_READERS)
@pytest.mark.parametrize("document", [b"", b"<", b"<sdnList>", b"\xff\xfe<", b"<other/>", b"plain text", b"<a>&b;</a>"])
def test_document_of_another_format_is_refused(read: Callable[..., Iterator[Row]], document: bytes) -> None:
    with pytest.raises(DocumentRefused):
        list(read([document]))


def test_every_truncated_list_is_refused() -> None:
    whole = ofac_xml([PERSON]).rstrip()
    for length in range(len(whole)):
        with pytest.raises(DocumentRefused):
            list(read_ofac_xml([whole[:length]]))


@pytest.mark.parametrize(
    "inside",
    [
        b"<x>" * (DEPTH_MAX + 1),
        b"<sdnEntry>" + b"<x/>" * (ELEMENTS_MAX + 1),
        b"<x/>" * (ELEMENTS_MAX + 1),
        b"<sdnEntry><remarks>" + b"r" * (RECORD_CHARACTERS_MAX + 1),
        b"<!--" + b"c" * (2 * TOKEN_BYTES_MAX),
        b"<x y='" + b"c" * (2 * TOKEN_BYTES_MAX),
    ],
    ids=["depth", "elements", "elements outside of records", "characters", "comment", "tag"],
)
def test_document_beyond_a_limit_is_refused_before_it_ends(inside: bytes) -> None:
    with pytest.raises(DocumentRefused, match="more than"):
        list(read_ofac_xml(in_pieces(b"<sdnList>" + inside, 1 << 16)))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xff\n", "not UTF-8"),
        (b"a" * (LINE_CHARACTERS_MAX + 1), "line of more than"),
        (b'"a', "not well-formed"),
        (b'"a"b,c\n', "not well-formed"),
        (b"," * 70 + b"\n", "fields"),
        (b'"' + b"a\n" * (LINE_CHARACTERS_MAX + 1), "not well-formed"),
    ],
)
def test_csv_file_that_cannot_be_read_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(DocumentRefused, match=reason):
        list(read_ofac_csv(in_pieces(data, 1 << 16)))


def test_csv_row_with_missing_fields_is_a_problem_with_its_line() -> None:
    main, _ = ofac_csv([FIRM])
    assert list(read_ofac_csv([b"1,too short\n" + main])) == [
        RowProblem(1, "The row has 2 fields instead of 12.", "1"),
        replace(FIRM, line=2),
    ]


def label(line: int, category: str = "mixer", labelled_on: str | None = "2026-03-24") -> WalletLabel:
    wallet = ListedWallet("BTC", f"1SyntheticAddress{line}")
    return WalletLabel(
        line=line, wallet=wallet, category=category, label="Invented, Ltd.", source="test", labelled_on=labelled_on
    )


def test_wallet_labels_are_read() -> None:
    labels = [label(line, category, None) for line, category in enumerate(CATEGORIES, start=2)]
    assert list(read_wallet_labels([wallet_labels_csv(labels)])) == labels


def test_wallet_label_with_a_fault_is_a_problem_with_its_line() -> None:
    rows = list(read_wallet_labels([wallet_labels_csv([label(2), label(3, "unheard-of"), label(4, labelled_on="x")])]))
    assert rows[0] == label(2)
    assert [(row.line, row.text.partition(".")[0]) for row in rows if isinstance(row, RowProblem)] == [
        (3, "The category is unknown"),
        (4, "labelled_on is a date, such as 2026-03-24, or empty"),
    ]


def test_wallet_labels_without_a_header_are_refused() -> None:
    with pytest.raises(DocumentRefused, match="header"):
        list(read_wallet_labels([b"BTC,1Synthetic,mixer,a,b,\n"]))
