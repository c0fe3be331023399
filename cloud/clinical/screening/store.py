"""SQL statements that read and write imported lists."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Table, and_, func, insert, or_, select, tuple_, update

from cloud.clinical.screening.model import ListState, ScreeningList, WalletHit
from cloud.clinical.screening.tables import (
    screening_entries,
    screening_lists,
    screening_names,
    screening_wallets,
    screening_words,
)
from cloud.foundation.db import CHUNK_ROWS, Records, Transaction, delete_chunk
from cloud.foundation.viewer import Viewer, visible
from protocols.sanctions.entry import EntryKind, ListedEntry, ListedName

_LISTS = Records(ScreeningList, screening_lists)


class WordRow(NamedTuple):
    """A word of a list under one of its keys. `names` is the number of names that have it."""

    list_id: int
    key: str
    word: str
    names: int


class NameRow(NamedTuple):
    """A listed name under one of its words. `folded` has all its words, with spaces."""

    list_id: int
    word: str
    entry: int
    position: int
    folded: str


class EntryRow(NamedTuple):
    """An entry of a list."""

    list_id: int
    entry: int
    kind: str
    document: str


class WalletRow(NamedTuple):
    """A statement about a wallet. `address` is normalized."""

    list_id: int
    address: str
    number: int
    document: str


StagedRow = EntryRow | NameRow | WordRow | WalletRow
_TABLES: Mapping[type[StagedRow], Table] = {
    EntryRow: screening_entries,
    NameRow: screening_names,
    WordRow: screening_words,
    WalletRow: screening_wallets,
}


class ListStore:
    """SQL statements on the editions of lists and their rows."""

    async def begin(self, tx: Transaction, tenant_id: str, name: str, format: str, at_us: int) -> int:
        """Add a list that is not searched yet; return its id."""
        values = {
            "tenant_id": tenant_id,
            "name": name,
            "format": format,
            "state": ListState.STAGED.value,
            "entries": 0,
            "names": 0,
            "wallets": 0,
            "problems": 0,
            "started_at_us": at_us,
        }
        added = await tx.execute(insert(screening_lists).values(values).returning(screening_lists.c.id))
        return int(added.scalar())

    async def staged_count(self, tx: Transaction, tenant_id: str) -> int:
        """Return the number of a tenant's lists that are not searched yet, and of which rows may be stored."""
        staged = (
            screening_lists.c.tenant_id == tenant_id,
            screening_lists.c.state == ListState.STAGED.value,
            screening_lists.c.emptied_at_us.is_(None),
        )
        return int((await tx.execute(select(func.count()).select_from(screening_lists).where(*staged))).scalar())

    async def change(self, tx: Transaction, list_id: int, **values: Any) -> None:
        """Set columns of a list."""
        await tx.execute(update(screening_lists).where(screening_lists.c.id == list_id).values(**values))

    async def current(self, tx: Transaction, viewer: Viewer) -> Sequence[ScreeningList]:
        """Return the lists that are searched for a tenant, by name."""
        statement = _LISTS.select().where(
            *visible(screening_lists, viewer), screening_lists.c.state == ListState.CURRENT.value
        )
        return await _LISTS.all(tx, statement.order_by(screening_lists.c.name))

    async def current_named(self, tx: Transaction, viewer: Viewer, name: str) -> ScreeningList | None:
        """Lock and return the current list of this name, or None."""
        statement = _LISTS.select().where(
            *visible(screening_lists, viewer),
            screening_lists.c.name == name,
            screening_lists.c.state == ListState.CURRENT.value,
        )
        return await _LISTS.first(tx, statement.with_for_update())

    async def newest(self, tx: Transaction, viewer: Viewer, *, count: int) -> Sequence[ScreeningList]:
        """Return the newest lists in any state, newest first, at most `count`."""
        statement = _LISTS.select().where(*visible(screening_lists, viewer))
        return await _LISTS.all(tx, statement.order_by(screening_lists.c.id.desc()).limit(count))

    async def add(self, tx: Transaction, rows: Iterable[StagedRow]) -> None:
        """Add rows of a list that is not searched yet."""
        by_kind: dict[type[StagedRow], list[StagedRow]] = defaultdict(list)
        for row in rows:
            by_kind[type(row)].append(row)
        for kind, of_kind in by_kind.items():
            await tx.driver.append(_TABLES[kind], kind._fields, of_kind)

    async def words(
        self, tx: Transaction, lists: Collection[int], keys: Collection[str], *, count: int
    ) -> Sequence[WordRow]:
        """Return words of these lists under these keys, at most `count`."""
        wanted = screening_words.c.list_id.in_(lists), screening_words.c.key.in_(keys)
        columns = [screening_words.c[name] for name in WordRow._fields]
        return [WordRow(*row) for row in await tx.execute(select(*columns).where(*wanted).limit(count))]

    async def names(self, tx: Transaction, words: Mapping[int, Collection[str]], *, count: int) -> Sequence[NameRow]:
        """Return names that have one of these words of their list, at most `count`. A name is returned once for each of
        the words."""
        wanted: Iterable[ColumnElement[bool]] = (
            and_(screening_names.c.list_id == list_id, screening_names.c.word.in_(of_list))
            for list_id, of_list in words.items()
        )
        columns = [screening_names.c[name] for name in NameRow._fields]
        return [NameRow(*row) for row in await tx.execute(select(*columns).where(or_(*wanted)).limit(count))]

    async def entries(
        self, tx: Transaction, keys: Sequence[tuple[int, int]], kinds: Collection[EntryKind]
    ) -> Mapping[tuple[int, int], ListedEntry]:
        """Return the entries of these list ids and numbers that are of one of the kinds."""
        found: dict[tuple[int, int], ListedEntry] = {}
        wanted = screening_entries.c.kind.in_([kind.value for kind in kinds])
        columns = [screening_entries.c[name] for name in EntryRow._fields]
        for begin in range(0, len(keys), CHUNK_ROWS):
            chunk = tuple_(screening_entries.c.list_id, screening_entries.c.entry).in_(keys[begin : begin + CHUNK_ROWS])
            for list_id, entry, kind, document in await tx.execute(select(*columns).where(chunk, wanted)):
                found[(list_id, entry)] = read_entry(kind, document)
        return found

    async def wallets(
        self, tx: Transaction, lists: Mapping[int, ScreeningList], address: str, *, count: int
    ) -> Sequence[WalletHit]:
        """Return what these lists state about a normalized address, at most `count` statements."""
        c = screening_wallets.c
        statement = select(c.list_id, c.document).where(c.list_id.in_(lists), c.address == address)
        rows = await tx.execute(statement.order_by(c.list_id, c.number).limit(count))
        return [read_wallet(lists[list_id], document) for list_id, document in rows]

    async def empty_chunk(self, tx: Transaction, staged_before_us: int, now_us: int) -> int:
        """Delete a chunk of the rows of lists that are no longer searched, or whose import has ended without a result;
        return the number of deleted rows, and 1 for the last one of a list."""
        lists = screening_lists.c
        is_done = lists.state.in_([ListState.REPLACED.value, ListState.REFUSED.value])
        is_left = and_(lists.state == ListState.STAGED.value, lists.started_at_us < staged_before_us)
        statement = select(lists.id).where(lists.emptied_at_us.is_(None), or_(is_done, is_left))
        list_id = (await tx.execute(statement.order_by(lists.started_at_us).limit(1))).scalar()
        if list_id is None:
            return 0
        for table, oldest in (
            (screening_words, screening_words.c.key),
            (screening_names, screening_names.c.word),
            (screening_wallets, screening_wallets.c.address),
            (screening_entries, screening_entries.c.entry),
        ):
            if deleted := await delete_chunk(tx, table, table.c.list_id == list_id, oldest=oldest):
                return deleted
        values = {"emptied_at_us": now_us}
        await tx.execute(update(screening_lists).where(lists.id == list_id, lists.state != "current").values(**values))
        return 1


def write_entry(list_id: int, number: int, entry: ListedEntry) -> EntryRow:
    """Return an entry as its row."""
    document = {
        "reference": entry.reference,
        "line": entry.line,
        "names": [[name.text, name.is_alias, name.is_weak] for name in entry.names],
        "programmes": entry.programmes,
        "listed_on": entry.listed_on,
        "birth_dates": entry.birth_dates,
        "countries": entry.countries,
    }
    return EntryRow(list_id, number, entry.kind.value, orjson.dumps(document).decode())


def read_entry(kind: str, document: str) -> ListedEntry:
    """Return the entry of a row. Its wallets are in a table of their own."""
    fields = orjson.loads(document)
    return ListedEntry(
        line=fields["line"],
        reference=fields["reference"],
        kind=EntryKind(kind),
        names=tuple(ListedName(*name) for name in fields["names"]),
        programmes=tuple(fields["programmes"]),
        listed_on=fields["listed_on"],
        birth_dates=tuple(fields["birth_dates"]),
        countries=tuple(fields["countries"]),
    )


def write_wallet(list_id: int, address: str, number: int, fields: Mapping[str, Any]) -> WalletRow:
    """Return a statement about a wallet as its row. `fields` are those of `WalletHit`."""
    return WalletRow(list_id, address, number, orjson.dumps(dict(fields)).decode())


def read_wallet(of: ScreeningList, document: str) -> WalletHit:
    fields = orjson.loads(document)
    return WalletHit(list=of, **{**fields, "programmes": tuple(fields.get("programmes", ()))})
