"""An edition of a list is searched only when all of it is stored, and an import that fails changes nothing."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from sqlalchemy import func, select, text, update

from cloud.access.audit import Audit
from cloud.clinical.screening import ListFile, ListImport, Search
from cloud.clinical.screening import importing as importing_module
from cloud.clinical.screening.errors import (
    ListEmpty,
    ListFormatUnknown,
    ListHasProblems,
    ListNameMalformed,
    ListShrunk,
    ListUnreadable,
    TooManyLists,
)
from cloud.clinical.screening.jobs import IMPORT_US_MAX
from cloud.clinical.screening.model import ListState, ScreeningList
from cloud.clinical.screening.store import ListStore, StagedRow
from cloud.clinical.screening.tables import (
    screening_entries,
    screening_lists,
    screening_names,
    screening_wallets,
    screening_words,
)
from cloud.foundation.db import Database, Transaction, open_database
from cloud.foundation.viewer import Viewer
from protocols.sanctions.entry import ListedName, ListedWallet, WalletLabel
from tests.builders.cloud_people import HandClock
from tests.builders.sanctions_lists import listed, ofac_xml, wallet_labels_csv
from tests.builders.screening import Office, open_office
from tests.harness.eventually import eventually
from tests.harness.postgresql import PostgresqlCluster

WAITING_FOR_A_LOCK = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
OLD = listed("SYN-1", "Formerly Listedov")
NEW = listed("SYN-2", "Newly Testovich")
BROKEN = replace(listed("SYN-3", "x"), names=(ListedName(""),))
CHILDREN = (screening_entries, screening_names, screening_words, screening_wallets)


async def rows(database: Database) -> int:
    async with database.read() as tx:
        counts = [(await tx.execute(select(func.count()).select_from(table))).scalar() for table in CHILDREN]
    return sum(counts)


async def empty(office: Office, clock: HandClock) -> int:
    """Run the job that deletes rows until none is left to delete; return the number of its chunks."""
    chunks = 0
    while True:
        async with office.database.transaction() as tx:
            if not await ListStore().empty_chunk(tx, clock.now_us() - IMPORT_US_MAX, clock.now_us()):
                return chunks
        chunks += 1


async def test_new_edition_replaces_the_one_before(database: Database) -> None:
    office = await open_office(database)
    await office.take(ofac_xml([OLD]))
    done = await office.take(ofac_xml([NEW]))
    assert (done.list.state, done.list.entries, done.list.names, done.list.published_on) == (
        ListState.CURRENT,
        1,
        1,
        "2026-03-24",
    )
    assert await office.references("Formerly Listedov") == []
    assert await office.references("Newly Testovich") == ["SYN-2"]
    states = [one.state for one in await ListImport(database, office.clock).lists(office.actor, count=10)]
    assert states == [ListState.CURRENT, ListState.REPLACED]
    async with database.read() as tx:
        trail = await Audit(office.clock).list(tx, office.actor, action="screening.import")
    assert [one.object for one in trail] == ["ofac-sdn", "ofac-sdn"]
    assert len(trail[0].metadata["sha256"]) == 64


async def test_lists_with_different_names_are_searched_together(database: Database) -> None:
    office = await open_office(database)
    await office.take(ofac_xml([OLD]), name="one")
    await office.take(ofac_xml([OLD]), name="two")
    assert len(await office.references("Formerly Listedov")) == 2


async def test_list_with_a_problem_is_not_put_into_use(database: Database) -> None:
    office = await open_office(database)
    await office.take(ofac_xml([OLD]))
    with pytest.raises(ListHasProblems) as refused:
        await office.take(ofac_xml([NEW, BROKEN]))
    assert [one.detail for one in refused.value.mistakes] == ["line 4: The entry has no name."]
    assert await office.references("Formerly Listedov") == ["SYN-1"]


async def test_list_with_an_accepted_problem_is_used_without_the_record(database: Database) -> None:
    office = await open_office(database)
    done = await office.take(ofac_xml([NEW, BROKEN, OLD]), accept_problems=True)
    assert (done.list.entries, done.list.problems, [one.line for one in done.problems]) == (2, 1, [4])
    assert await office.references("Newly Testovich") == ["SYN-2"]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"<sdnList><sdnEntry>", ListUnreadable),
        (b"not a list", ListUnreadable),
        (ofac_xml([]), ListEmpty),
        (ofac_xml([NEW]), ListShrunk),
    ],
)
async def test_unusable_list_leaves_the_one_before_in_use(
    database: Database, data: bytes, error: type[Exception]
) -> None:
    office = await open_office(database)
    await office.take(ofac_xml([OLD, *(replace(OLD, reference=f"SYN-{number}") for number in (5, 6))]))
    with pytest.raises(error):
        await office.take(data)
    assert len(await office.references("Formerly Listedov")) == 3
    newest, _ = await ListImport(database, office.clock).lists(office.actor, count=10)
    assert newest.state is ListState.REFUSED


async def test_much_smaller_list_is_used_if_it_is_accepted(database: Database) -> None:
    office = await open_office(database)
    await office.take(ofac_xml([replace(OLD, reference=f"SYN-{number}") for number in range(3)]))
    await office.take(ofac_xml([NEW]), accept_smaller=True)
    assert await office.references("Formerly Listedov") == []


async def test_list_that_shrinks_in_steps_is_compared_with_the_largest_edition(database: Database) -> None:
    office = await open_office(database)

    async def take(count: int, *, accept_smaller: bool = False) -> None:
        entries = [replace(OLD, reference=f"SYN-{number}") for number in range(count)]
        await office.take(ofac_xml(entries), accept_smaller=accept_smaller)

    await take(8)
    await take(5)
    with pytest.raises(ListShrunk, match="3 instead of 8"):
        await take(3)
    assert len(await office.references("Formerly Listedov")) == 5
    await take(3, accept_smaller=True)
    await take(2)  # the operator has confirmed three entries
    with pytest.raises(ListShrunk, match="1 instead of 3"):
        await take(1)


async def test_edition_of_the_release_before_is_compared_by_its_own_size(database: Database) -> None:
    office = await open_office(database)
    await office.take(ofac_xml([replace(OLD, reference=f"SYN-{number}") for number in range(3)]))
    async with database.transaction() as tx:
        await tx.execute(update(screening_lists).values(largest=None))
    with pytest.raises(ListShrunk):
        await office.take(ofac_xml([NEW]))


async def test_unknown_format_or_malformed_name_is_refused_before_anything_is_stored(database: Database) -> None:
    office = await open_office(database)
    with pytest.raises(ListFormatUnknown, match="The formats are ofac-xml") as refused:
        await office.take(b"", "ofac-xm")
    assert refused.value.suggestion == "Did you mean ofac-xml?"
    with pytest.raises(ListNameMalformed):
        await office.take(b"", name="a b")
    assert await ListImport(database, office.clock).lists(office.actor, count=10) == []


async def test_import_that_ends_between_two_chunks_changes_no_search_and_its_rows_are_deleted_a_day_later(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = HandClock()
    office = await open_office(database, clock)
    await office.take(ofac_xml([OLD]))
    stored = await rows(database)
    monkeypatch.setattr(importing_module, "STAGED_ROWS", 2)
    monkeypatch.setattr(importing_module, "STAGED_MAX", 1)

    def ending() -> Iterator[bytes]:
        yield ofac_xml([NEW] * 20).partition(b"</sdnList>")[0]
        raise ConnectionError

    file = ListFile(format="ofac-xml", pieces=ending())
    with pytest.raises(ConnectionError):
        await ListImport(database, clock).import_list(office.actor, file)
    assert await rows(database) > stored
    assert await office.references("Formerly Listedov") == ["SYN-1"]
    assert await empty(office, clock) == 0
    with pytest.raises(TooManyLists):
        await office.take(ofac_xml([NEW]))
    clock.advance(us=IMPORT_US_MAX + 1)
    assert await empty(office, clock) > 0
    assert await rows(database) == stored
    assert await office.references("Formerly Listedov") == ["SYN-1"]
    await office.take(ofac_xml([NEW]))


async def test_import_that_is_cancelled_has_its_rows_deleted_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = await open_office(database)

    async def cancel(_store: ListStore, _tx: Transaction, _rows: Sequence[StagedRow]) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(ListStore, "add", cancel)
    with pytest.raises(asyncio.CancelledError):
        await office.take(ofac_xml([NEW]))
    (only,) = await ListImport(database, office.clock).lists(office.actor, count=10)
    assert only.state is ListState.REFUSED


async def test_entry_with_many_names_is_written_in_transactions_of_limited_size(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = await open_office(database)
    monkeypatch.setattr(importing_module, "STAGED_ROWS", 10)
    sizes: list[int] = []
    add = ListStore.add

    async def counted(self: ListStore, tx: Transaction, rows: Sequence[StagedRow]) -> None:
        sizes.append(len(rows))
        await add(self, tx, rows)

    monkeypatch.setattr(ListStore, "add", counted)
    aliases = [ListedName(f"Newly Alias{number}ov", is_alias=True) for number in range(30)]
    done = await office.take(ofac_xml([OLD, listed("SYN-2", "Newly Testovich", *aliases)]))
    assert (done.list.entries, done.list.names) == (2, 32)
    assert max(sizes) == 10
    assert sum(sizes) == await rows(database)
    assert await office.references("Newly Alias29ov") == ["SYN-2"]


@pytest.mark.pg
async def test_of_two_first_imports_at_once_the_later_one_replaces_the_other(
    postgresql: PostgresqlCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgresql.database() as url:
        processes = [await open_database(url), await open_database(url)]
        office = await open_office(processes[0])
        other = replace(office, database=processes[1])
        found = 0
        current_named = ListStore.current_named

        async def both_found_none_or_one_waits() -> bool:
            if found > 1:
                return True
            async with processes[0].read() as tx:
                return bool((await tx.execute(WAITING_FOR_A_LOCK)).scalar())

        async def find_then_wait(self: ListStore, tx: Transaction, viewer: Viewer, name: str) -> ScreeningList | None:
            nonlocal found
            one = await current_named(self, tx, viewer, name)
            found += 1
            if found == 1:
                await eventually(both_found_none_or_one_waits)
            return one

        monkeypatch.setattr(ListStore, "current_named", find_then_wait)
        try:
            done = await asyncio.gather(office.take(ofac_xml([OLD])), other.take(ofac_xml([NEW])))
            assert {one.list.state for one in done} == {ListState.CURRENT}
            states = [one.state for one in await ListImport(processes[0], office.clock).lists(office.actor, count=10)]
            assert sorted(states) == [ListState.CURRENT, ListState.REPLACED]
        finally:
            for process in processes:
                await process.close()


async def test_rows_of_replaced_editions_are_deleted_in_chunks_and_the_list_stays_in_the_history(
    database: Database,
) -> None:
    clock = HandClock()
    office = await open_office(database, clock)
    await office.take(ofac_xml([OLD]))
    stored = await rows(database)
    await office.take(ofac_xml([OLD]))
    assert await rows(database) == 2 * stored
    assert await empty(office, clock) == 4
    assert await rows(database) == stored
    assert len(await ListImport(database, clock).lists(office.actor, count=10)) == 2
    async with database.read() as tx:
        filled = select(func.count()).select_from(screening_lists).where(screening_lists.c.emptied_at_us.is_(None))
        assert (await tx.execute(filled)).scalar() == 1


async def test_labels_of_wallets_are_imported(database: Database) -> None:
    office = await open_office(database)
    label = WalletLabel(
        line=2,
        wallet=ListedWallet("BTC", "1SyntheticAddress"),
        category="mixer",
        label="Invented mixer",
        source="synthetic",
        labelled_on="2026-03-01",
    )
    done = await office.take(wallet_labels_csv([label]), "wallet-labels-csv")
    assert (done.list.name, done.list.entries, done.list.wallets) == ("wallet-labels", 0, 1)
    async with database.read() as tx:
        (hit,) = (await Search().wallet(tx, office.actor, "1SyntheticAddress", is_sanction=False)).hits
    assert (hit.category, hit.label, hit.source, hit.stated_on, hit.reference) == (
        "mixer",
        "Invented mixer",
        "synthetic",
        "2026-03-01",
        None,
    )
