"""Import a list into rows that are searched only when all of them are stored.

The rows are written in chunks, each whole in a transaction of its own, so that other writers are not delayed (`stage`).
A record that cannot be used is a problem with the number of its line. The last transaction makes the list current in
place of the edition before (`publish`), so a search always uses one whole edition; an import that ends early, for
whatever reason, changes nothing for searches. `jobs` deletes the rows of editions that are no longer used.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice

from cloud.access.audit import Audit
from cloud.access.tenancy import TenancyStore
from cloud.clinical.screening.errors import (
    ListEmpty,
    ListFormatUnknown,
    ListHasProblems,
    ListNameMalformed,
    ListShrunk,
    ListUnreadable,
    TooManyLists,
)
from cloud.clinical.screening.model import ListState, ScreeningList
from cloud.clinical.screening.names import fold, keys_of, skeleton
from cloud.clinical.screening.search import WHOLE
from cloud.clinical.screening.store import (
    ListStore,
    NameRow,
    StagedRow,
    WalletRow,
    WordRow,
    write_entry,
    write_wallet,
)
from cloud.clinical.screening.wallets import normalized_address
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.errors import Mistake
from cloud.foundation.ids import IdentifierMalformed, checked_id
from cloud.foundation.suggestions import closest
from cloud.foundation.viewer import Actor, Viewer
from protocols.sanctions.entry import DocumentRefused, ListedEntry, Publication, Row, RowProblem, WalletLabel
from protocols.sanctions.formats import FORMATS

STAGED_ROWS = 3_000
"""Rows of one transaction, which take 10 to 30 ms on SQLite: those of about 250 records. One record may have more than
10,000, so it may be written in several transactions."""
RECORDS_MAX = 500_000
"""Most records of a list. All published sanctions lists together have about 60,000 entries."""
PROBLEMS_KEPT_MAX = 200
"""Problems of which line and text are kept. More have one cause, such as another format."""
STAGED_US_MAX = 12 * 3600 * 1_000_000
"""Time after which a staged list is not made current any more: its rows are deleted after a day."""
STAGED_MAX = 20
"""Lists of a tenant that are not searched yet: three whole jobs whose worker is killed at each attempt. The largest
list has about 150 MB of rows."""
SHARE_LEAST = 0.5
"""Share of the entries below which a list may be an incomplete download. The publishers have never removed as many at
once. A list is compared with the largest edition since the operator last confirmed a size, and not only with the
edition before: otherwise several imports could empty a list in steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFile:
    """A file to import. `aliases` is the second file of the format, empty if it has none."""

    format: str
    pieces: Iterable[bytes]
    aliases: Iterable[bytes] = ()
    name: str | None = None


@dataclass(frozen=True, slots=True)
class ImportedList:
    """The result of an import: the list, and its first `PROBLEMS_KEPT_MAX` problems."""

    list: ScreeningList
    problems: Sequence[RowProblem]


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedList:
    """A list whose rows are stored and not searched. `problems` are the first `PROBLEMS_KEPT_MAX` of its
    `problem_count` problems; `records` counts what the file has, with those that cannot be used."""

    list_id: int
    name: str
    started_at_us: int
    published_on: str | None
    sha256: str
    records: int
    entries: int
    names: int
    wallets: int
    problem_count: int
    problems: Sequence[RowProblem]


@dataclass(slots=True)
class _Progress:
    """The state of an import between its transactions."""

    list_id: int
    number: int = 0
    entries: int = 0
    names: int = 0
    wallets: int = 0
    problem_count: int = 0
    problems: list[RowProblem] = field(default_factory=list)
    published_on: str | None = None
    words: Counter[str] = field(default_factory=Counter[str])
    """Number of names that have a word. It is held in memory until the end: about 15 MB for 50,000 entries."""
    wholes: dict[str, str] = field(default_factory=dict)


class ListImport:
    """Operations on imported lists."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._store = ListStore()
        self._audit = Audit(clock)

    async def import_list(
        self, actor: Actor, file: ListFile, *, accept_problems: bool = False, accept_smaller: bool = False
    ) -> ImportedList:
        """Import a list and make it current. Raises `ListFormatUnknown`, `ListNameMalformed`, `TooManyLists`,
        `ListUnreadable`, `ListHasProblems`, `ListEmpty`, `ListShrunk`; then the list that was current before stays
        so."""
        staged = await self.stage(actor, file)
        try:
            _check(staged, accept_problems)
            async with self._database.transaction() as tx:
                made = await self.publish(tx, actor, staged, accept_smaller=accept_smaller)
        except (ListHasProblems, ListEmpty, ListShrunk):
            async with self._database.transaction() as tx:
                await self.refuse(tx, staged)
            raise
        return ImportedList(made, staged.problems)

    async def stage(self, actor: Actor, file: ListFile) -> StagedList:
        """Store the rows of a list that is not searched yet. `publish` or `refuse` decides about it; without either,
        its rows are deleted after a day. A stage that fails or is cancelled refuses it. The file is read in a thread.
        Raises `ListFormatUnknown`, `ListNameMalformed`, `TooManyLists`, `ListUnreadable`. Imports at the same time may
        exceed the limit of lists by one each."""
        name, now_us = _checked_name(file), self._clock.now_us()
        async with self._database.transaction() as tx:
            if await self._store.staged_count(tx, actor.tenant_id) >= STAGED_MAX:
                raise TooManyLists
            list_id = await self._store.begin(tx, actor.tenant_id, name, file.format, now_us)
        progress = _Progress(list_id)
        digest = sha256()
        try:
            await self._write(_staged_rows(file, digest.update, progress))
            await self._write(_word_rows(progress))
        except (ListUnreadable, asyncio.CancelledError):
            async with self._database.transaction() as tx:
                await self._refuse(tx, list_id, progress.problem_count)
            raise
        return StagedList(
            list_id=list_id,
            name=name,
            started_at_us=now_us,
            published_on=progress.published_on,
            sha256=digest.hexdigest(),
            records=progress.number,
            entries=progress.entries,
            names=progress.names,
            wallets=progress.wallets,
            problem_count=progress.problem_count,
            problems=progress.problems,
        )

    async def refuse(self, tx: Transaction, staged: StagedList) -> None:
        """Note that a staged list will not be searched. Its rows are deleted later."""
        await self._refuse(tx, staged.list_id, staged.problem_count)

    async def _refuse(self, tx: Transaction, list_id: int, problem_count: int) -> None:
        await self._store.change(tx, list_id, state=ListState.REFUSED.value, problems=problem_count)

    async def lists(self, viewer: Viewer, *, count: int) -> Sequence[ScreeningList]:
        """Return the newest imports, newest first, at most `count`."""
        async with self._database.read() as tx:
            return await self._store.newest(tx, viewer, count=count)

    async def _write(self, rows: Iterator[StagedRow]) -> None:
        while staged := await asyncio.to_thread(lambda: list(islice(rows, STAGED_ROWS))):
            async with self._database.transaction() as tx:
                await self._store.add(tx, staged)

    async def publish(
        self, tx: Transaction, actor: Actor, staged: StagedList, *, accept_smaller: bool = False
    ) -> ScreeningList:
        """Make a staged list current, in place of the edition before. Raises `ListShrunk`, and `ListUnreadable` if it
        was staged so long ago that its rows are being deleted."""
        now_us = self._clock.now_us()
        if now_us - staged.started_at_us > STAGED_US_MAX:
            raise ListUnreadable("(It was read too long ago.)")
        # Of two imports of a list at once, the later one waits here, and replaces the list of the earlier one.
        await TenancyStore().lock_tenant(tx, actor.tenant_id)
        before = await self._store.current_named(tx, actor, staged.name)
        size = largest = staged.entries + staged.wallets
        if before is not None:
            if not accept_smaller:
                largest = max(size, before.size_to_keep)
            if size < largest * SHARE_LEAST:
                raise ListShrunk(f"({size} instead of {largest}.)")
            replaced = {"state": ListState.REPLACED.value, "current_until_us": now_us}
            await self._store.change(tx, before.id, **replaced)
        await self._store.change(
            tx,
            staged.list_id,
            state=ListState.CURRENT.value,
            published_on=staged.published_on,
            sha256=staged.sha256,
            entries=staged.entries,
            names=staged.names,
            wallets=staged.wallets,
            problems=staged.problem_count,
            largest=largest,
            current_from_us=now_us,
        )
        details: Mapping[str, object] = {
            "sha256": staged.sha256,
            "entries": staged.entries,
            "wallets": staged.wallets,
            "problems": staged.problem_count,
        }
        await self._audit.record(tx, actor, "screening.import", staged.name, metadata=details)
        made = await self._store.current_named(tx, actor, staged.name)
        assert made is not None, "it was made so above"
        return made


def _checked_name(file: ListFile) -> str:
    known = FORMATS.get(file.format)
    if known is None:
        near = closest(file.format, sorted(FORMATS))
        sentence = f"The formats are {', '.join(FORMATS)}."
        raise ListFormatUnknown(sentence, mistakes=[Mistake("unknown", did_you_mean=near)])
    try:
        return checked_id(file.name or known.list_name)
    except IdentifierMalformed:
        raise ListNameMalformed from None


def _rows(file: ListFile, examine: Callable[[bytes], None]) -> Iterator[Row]:
    """Yield the rows of a file, and pass each of its pieces to `examine`."""
    known = FORMATS[file.format]

    def examined(pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            examine(piece)
            yield piece

    if known.read_with_aliases is not None:
        return known.read_with_aliases(examined(file.pieces), examined(file.aliases))
    return known.read(examined(file.pieces))


def _check(staged: StagedList, accept_problems: bool) -> None:
    if staged.problem_count and not accept_problems:
        shown = [Mistake(f"line {one.line}: {one.text}") for one in staged.problems]
        raise ListHasProblems(f"({staged.problem_count} problems.)", mistakes=shown)
    if not staged.entries and not staged.wallets:
        raise ListEmpty


def _staged_rows(file: ListFile, examine: Callable[[bytes], None], progress: _Progress) -> Iterator[StagedRow]:
    """Yield the rows of the entries, names and wallets of a file. Raises `ListUnreadable`."""
    try:
        for record in _rows(file, examine):
            progress.number += 1
            if progress.number > RECORDS_MAX:
                raise ListUnreadable(f"(The file has more than {RECORDS_MAX} records.)")
            match record:
                case Publication():
                    progress.published_on = record.published_on
                case ListedEntry():
                    yield from _entry_rows(progress, record)
                case WalletLabel():
                    yield _label_row(progress, record)
                case RowProblem():
                    progress.problem_count += 1
                    if len(progress.problems) < PROBLEMS_KEPT_MAX:
                        progress.problems.append(record)
    except DocumentRefused as refused:
        raise ListUnreadable(f"({refused.reason})") from None


def _entry_rows(progress: _Progress, entry: ListedEntry) -> Iterator[StagedRow]:
    list_id, number = progress.list_id, progress.number
    progress.entries += 1
    yield write_entry(list_id, number, entry)
    for position, name in enumerate(entry.names):
        words = fold(name.text)
        if not words:
            continue
        progress.names += 1
        folded = " ".join(words)
        for word in dict.fromkeys(words):
            progress.words[word] += 1
            yield NameRow(list_id, word, number, position, folded)
        whole = "".join(words)
        progress.wholes[whole] = WHOLE + skeleton(whole)
        yield NameRow(list_id, WHOLE + whole, number, position, folded)
    for wallet in entry.wallets:
        progress.wallets += 1
        fields = {
            "asset": wallet.asset,
            "address": wallet.address,
            "category": "sanctioned",
            "label": entry.names[0].text,
            "source": "",
            "stated_on": entry.listed_on,
            "reference": entry.reference,
            "programmes": entry.programmes,
        }
        yield write_wallet(list_id, normalized_address(wallet.address), progress.wallets, fields)


def _label_row(progress: _Progress, label: WalletLabel) -> WalletRow:
    progress.wallets += 1
    fields = {
        "asset": label.wallet.asset,
        "address": label.wallet.address,
        "category": label.category,
        "label": label.label,
        "source": label.source,
        "stated_on": label.labelled_on,
    }
    return write_wallet(progress.list_id, normalized_address(label.wallet.address), progress.wallets, fields)


def _word_rows(progress: _Progress) -> Iterator[WordRow]:
    for word, names in progress.words.items():
        for key in keys_of(word):
            yield WordRow(progress.list_id, key, word, names)
    for whole, key in progress.wholes.items():
        yield WordRow(progress.list_id, key, WHOLE + whole, 1)
