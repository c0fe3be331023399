"""Current lists are searched for names and wallets: only those of the tenant, in a few statements, with a limit."""

import pytest

from cloud.clinical.screening import Search, explain
from cloud.clinical.screening import search as search_module
from cloud.clinical.screening.model import BirthDates
from cloud.foundation.db import Database
from protocols.sanctions.entry import EntryKind, ListedName, ListedWallet
from tests.builders.sanctions_lists import listed, ofac_csv, ofac_xml, un_xml
from tests.builders.screening import open_office
from tests.builders.statement_count import CountingDatabase

PERSON = listed(
    "SYN-1",
    "Examplo Testovich",
    ListedName("Owo Fakename", is_alias=True, is_weak=True),
    birth_dates=["1948-12-10"],
    countries=["Freedonia"],
    programmes=["SYNTH"],
)
FIRM = listed("SYN-2", "Testovich Examplo Trading LLC", kind=EntryKind.ORGANIZATION)


@pytest.mark.contract("A-053")
async def test_misspelled_name_finds_the_entry_with_an_explanation(database: Database) -> None:
    office = await open_office(database)
    await office.list_entries(PERSON, FIRM)
    found = await office.screen("Testowitsch, Exemplo", kinds=frozenset((EntryKind.PERSON,)), birth_date="1948")
    (hit,) = found.hits
    assert (hit.entry.reference, hit.birth_dates, found.is_complete) == ("SYN-1", BirthDates.AGREE, True)
    document = explain(hit)
    assert document | {"explanation": None, "score": None} == {
        "score": None,
        "list": "ofac-sdn",
        "published_on": "2026-03-24",
        "reference": "SYN-1",
        "line": 3,
        "kind": "person",
        "programmes": ["SYNTH"],
        "listed_on": None,
        "countries": ["Freedonia"],
        "screened_name": "Testowitsch, Exemplo",
        "listed_name": "Examplo Testovich",
        "is_alias": False,
        "is_weak_alias": False,
        "explanation": None,
    }
    assert document["explanation"]["text"] == (
        "Compared with the primary name Examplo Testovich: testowitsch has the same consonants as testovich (3 letters "
        "different); exemplo has the same consonants as examplo (1 letter different). The years of birth agree."
    )
    assert document["explanation"]["listed_birth_dates"] == ["1948-12-10"]


async def test_alias_is_found_and_named_as_weak(database: Database) -> None:
    office = await open_office(database)
    await office.list_entries(PERSON)
    (hit,) = (await office.screen("Fakename Owo")).hits
    assert (hit.listed_name.text, explain(hit)["is_weak_alias"]) == ("Owo Fakename", True)


async def test_name_in_a_script_without_spaces_or_vowels_finds_the_entry(database: Database) -> None:
    office = await open_office(database)
    await office.list_entries(listed("SYN-1", "Wang Xiaoming"), listed("SYN-2", "Muhammad Hassan"))
    assert await office.references("王小明") == ["SYN-1"]
    assert await office.references("محمد حسن") == ["SYN-2"]


async def test_different_year_of_birth_lowers_the_score(database: Database) -> None:
    office = await open_office(database)
    await office.list_entries(PERSON)
    same, unknown, other = [
        (await office.screen("Examplo Testovich", birth_date=date)).hits[0].score for date in ("1948", None, "1970")
    ]
    assert same == unknown == 1.0
    assert other == pytest.approx(0.85)


async def test_search_returns_only_entries_of_the_kinds(database: Database) -> None:
    office = await open_office(database)
    await office.list_entries(PERSON, FIRM)
    found = await office.screen("Examplo Testovich Trading", kinds=frozenset((EntryKind.ORGANIZATION,)))
    assert [hit.entry.reference for hit in found.hits] == ["SYN-2"]


@pytest.mark.contract("S-060")
async def test_lists_of_another_tenant_are_not_searched(database: Database) -> None:
    north, south = await open_office(database), await open_office(database, name="south")
    await north.list_entries(PERSON)
    found = await south.screen("Examplo Testovich")
    assert (found.hits, found.lists) == ([], [])


async def test_entry_on_several_lists_is_a_hit_on_each(database: Database) -> None:
    office = await open_office(database)
    await office.list_entries(PERSON)
    await office.take(un_xml([PERSON]), "un-xml")
    found = await office.screen("Examplo Testovich")
    assert [hit.list.name for hit in found.hits] == ["ofac-sdn", "un-consolidated"]


async def test_search_takes_four_statements_for_a_name_whatever_the_size_of_the_lists(database: Database) -> None:
    office = await open_office(database)
    await office.list_entries(*(listed(f"SYN-{number}", f"Examplo Testov{number}ich") for number in range(300)))
    await office.take(un_xml([PERSON]), "un-xml")
    counted = CountingDatabase(database)
    async with counted.read() as tx:
        subject = search_module.Subject(names=["Exemplo Testovich"], kinds=frozenset(EntryKind))
        assert (await Search().screen(tx, office.actor, subject)).hits
    assert counted.reads.statements == 4


async def test_names_of_the_most_frequent_word_are_not_read(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = await open_office(database)
    common = [listed(f"SYN-{number}", f"Examplo {'bcdfgklm'[number % 8]}o{number}") for number in range(100)]
    await office.list_entries(*common, PERSON)
    monkeypatch.setattr(search_module, "NAME_ROWS_MAX", 10)
    found = await office.screen("Examplo Testovich")
    assert ([hit.entry.reference for hit in found.hits], found.is_complete) == (["SYN-1"], True)


async def test_search_for_a_word_with_many_similar_words_is_not_complete(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = await open_office(database)
    await office.list_entries(*(listed(f"SYN-{number}", f"Examplo Testov{number}ich") for number in range(10)))
    assert (await office.screen("Examplo Testov1ich")).is_complete
    monkeypatch.setattr(search_module, "WORD_ROWS_MAX", 3)
    assert not (await office.screen("Examplo Testov1ich")).is_complete


@pytest.mark.parametrize("limit", ["NAME_ROWS_MAX", "COMPARED_MAX", "HITS_MAX"])
async def test_search_that_reaches_a_limit_is_not_complete(
    database: Database, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    office = await open_office(database)
    await office.list_entries(*(listed(f"SYN-{number}", "Examplo Testovich") for number in range(10)))
    assert (await office.screen("Examplo Testovich")).is_complete
    monkeypatch.setattr(search_module, limit, 3)
    found = await office.screen("Examplo Testovich")
    assert not found.is_complete
    assert len(found.hits) <= 10


@pytest.mark.parametrize("name", ["", "!", "\u202e", "x" * 10_000, "a b " * 1000, "😀", "%", "'; --"])
async def test_any_text_can_be_searched(database: Database, name: str) -> None:
    office = await open_office(database)
    await office.list_entries(PERSON)
    assert (await office.screen(name)).hits == []


async def test_wallet_of_an_entry_is_found_by_its_address(database: Database) -> None:
    office = await open_office(database)
    wallet = ListedWallet("ETH", "0xABCDEF0000000000000000000000000000000001")
    main, aliases = ofac_csv([listed("SYN-7", "Walleto Testovich", wallets=[wallet], programmes=["CYBER2"])])
    await office.take(main, "ofac-csv", aliases=aliases)
    async with database.read() as tx:
        found = await Search().wallet(tx, office.actor, wallet.address.lower(), is_sanction=True)
        (hit,) = found.hits
        assert ([one.name for one in found.lists], found.is_complete) == (["ofac-sdn"], True)
        assert (hit.reference, hit.label, hit.programmes, hit.category) == (
            "SYN-7",
            "Walleto Testovich",
            ("CYBER2",),
            "sanctioned",
        )
        assert (await Search().wallet(tx, office.actor, wallet.address[:-1], is_sanction=True)).hits == []


async def test_list_without_wallets_is_not_among_the_searched_lists_of_a_wallet(database: Database) -> None:
    office = await open_office(database)
    await office.take(ofac_xml([PERSON]))
    async with database.read() as tx:
        found = await Search().wallet(tx, office.actor, "1Synthetic", is_sanction=True)
    assert (found.lists, found.hits, found.is_complete) == ([], (), True)
