"""One open store, from opening to closing: its file, the writer and the reader.

When either of them finds that the file is unusable, every pending caller gets the reason, `failed` is called once, and
the file is not used any more.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from gateway.buffer import care_logs, damage, full_disk
from gateway.buffer.database import StoreLock, open_writer
from gateway.buffer.errors import BufferClosed, BufferUnusable, Diagnosis, StoreFull, Trouble
from gateway.buffer.high_water import HighWater, MarksFile, marks_path
from gateway.buffer.queued_items import Append, Item, Outcome, Task
from gateway.buffer.refusals import check_marks, unusable
from gateway.buffer.reserve import make_room
from gateway.buffer.settings import BufferSettings
from gateway.buffer.store import Store
from gateway.buffer.store_reader import StoreReader
from gateway.buffer.witness import Witness
from gateway.buffer.workers import StoreThreads, StoreWorkers
from gateway.buffer.writer import Writer
from gateway.transports.clock import Clock

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StorePlace:
    """A store's path, gateway, key, settings and clock. `witness`: test file that lists every committed batch.
    `make_workers` returns the workers of a store that is opened at this place."""

    path: Path
    gateway: str
    key: bytes
    settings: BufferSettings
    clock: Clock
    witness: Path | None = None
    make_workers: Callable[[], StoreWorkers] = StoreThreads


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedFiles:
    """The open files and connections of a store, before its workers start."""

    store: Store
    reader: StoreReader
    lock: StoreLock
    witness: Witness | None
    marks_file: MarksFile

    def close(self) -> None:
        """Close every file and connection, even when closing another one raises an error."""
        with ExitStack() as parts:
            parts.callback(self.lock.release)
            parts.callback(self.marks_file.close)
            if self.witness is not None:
                parts.callback(self.witness.close)
            parts.callback(self.store.connection.close)  # the last connection writes the log back and removes it
            parts.callback(self.reader.close)


def open_files(place: StorePlace) -> OpenedFiles:
    """Open the existing store. Raises BufferUnusable with the diagnosis, and leaves the store as it was."""
    path = place.path
    try:
        lock = StoreLock(path)
    except OSError as error:
        raise unusable(path, error) from error
    try:
        make_room(path)
        connection, about = open_writer(path, gateway=place.gateway, key=place.key, check_s=place.settings.check_s)
        marks, marks_file = HighWater.read(marks_path(path)), MarksFile(path)
        try:
            witness = Witness(place.witness) if place.witness is not None else None
            store = Store(
                connection,
                about,
                path=path,
                key=place.key,
                settings=place.settings,
                clock=place.clock,
                witness=witness,
                marks_file=marks_file,
            )
            damage.heal_ends(store)
            store.resume()
            last = {lane: head.last for lane, head in store.heads.items()}
            check_marks(path, marks, about.epoch, last, store.observations_of_batches())
            full_disk.begin(store)
            with suppress(StoreFull):  # at the next opening then
                care_logs.adopt(store)
            reader = StoreReader(path, gateway=place.gateway, key=place.key)
        except BaseException:
            marks_file.close()
            connection.close()
            raise
    except BufferUnusable:
        lock.release()
        raise
    except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
        lock.release()
        raise unusable(path, error) from error
    except BaseException:
        lock.release()
        raise
    return OpenedFiles(store=store, reader=reader, lock=lock, witness=witness, marks_file=marks_file)


class OpenStore:
    """An open store. Its workers run from construction until `close`. All calls are made on the event loop's thread."""

    def __init__(
        self,
        place: StorePlace,
        files: OpenedFiles,
        *,
        wake: Callable[[], None],
        failed: Callable[[BufferUnusable], None],
    ) -> None:
        self._path = place.path
        self._files = files
        self._wake = wake
        self._failed = failed
        self._outstanding: set[asyncio.Future[Any]] = set()
        self._workers = place.make_workers()
        self.about = files.store.about
        self.reader = files.reader
        self.failure: BufferUnusable | None = None
        self.last_at_opening = {lane: mark.last for lane, mark in files.store.marks().items()}
        self.writer = Writer(files.store, self._workers, take=self._take, settle=self._settle, fail=self._writer_failed)
        self._workers.start(self.writer)

    @property
    def gap_revision(self) -> int:
        """A number that grows with each commit that changes gap records."""
        return self._files.store.gap_revision

    def promise(self, done: "asyncio.Future[Any] | None" = None) -> "asyncio.Future[Any]":
        """Return a future, `done` or a new one, for an item that the caller is about to queue for the writer's thread.
        It completes when the writer has finished the item, or when the store fails. Raises BufferUnusable after a
        failure."""
        if self.failure is not None:
            raise BufferUnusable(self.failure.diagnosis, self.failure.trouble)
        done = done or asyncio.get_running_loop().create_future()
        self._outstanding.add(done)
        return done

    def put(self, item: Item) -> None:
        self.writer.put(item)

    async def task(self, work: Callable[[Store], T], *, cut: bool = False) -> T:
        """Let the writer run `work`, and return its result. `cut`: cut the batches of all lanes before it."""
        done = self.promise()
        self.writer.put(Task(work, done, cut))
        answer: T = await done
        return answer

    async def read(self, work: Callable[..., T], *arguments: object) -> T:
        """Let the reader run `work`, and return its result. A file that cannot be read fails the whole store."""
        if self.failure is not None:
            raise BufferUnusable(self.failure.diagnosis, self.failure.trouble)
        try:
            return await self._workers.read(work, *arguments)
        except BufferUnusable as error:
            if error.trouble.sets_aside:
                self.fail(error)
            raise

    def fail(self, error: BufferUnusable) -> None:
        """Stop all work on the store's file. Every pending caller gets `error`. Further calls of `fail` do nothing."""
        if self.failure is not None:
            return
        self.failure = error
        self.writer.abandon()
        self._reject(error)
        self._failed(error)
        self._wake()

    async def close(self) -> None:
        """Commit what is queued, unless the store has failed, and close the files."""
        self.writer.end()
        await self._workers.join()
        await asyncio.sleep(0)  # the loop first handles the outcomes of the last commit, which are queued already
        self._reject(self.failure or BufferClosed("the buffer was closed"))
        await self._workers.close(self._close_files)

    def _close_files(self) -> None:
        if self.failure is None:
            self._files.close()
            return
        # Closing writes the log back, and that may fail on a damaged file: the file is set aside all the same.
        with suppress(sqlite3.Error, OSError):
            self._files.close()

    def _take(self, item: Append) -> None:
        """Complete the call of a live append. Nothing was committed, so no waiting task is woken."""
        if item.taken is not None:
            self._outstanding.discard(item.taken)
            if not item.taken.done():
                item.taken.set_result(None)

    def _settle(self, outcomes: list[Outcome]) -> None:
        for done, answer, error in outcomes:
            self._outstanding.discard(done)
            if done.done():
                continue  # its caller was cancelled; what was committed stays committed
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(answer)
        self._wake()

    def _writer_failed(self, error: Exception) -> None:
        failure = unusable(self._path, error)
        if not isinstance(error, sqlite3.Error | OSError | UnicodeDecodeError):
            # As far as is known the file is not the cause, so it is opened again and not set aside.
            failure = BufferUnusable(
                Diagnosis(
                    f"Writing to the store {self._path} ended with an error of our own ({type(error).__name__}).",
                    "What was confirmed before is kept.",
                    "Send the log to the maker; a running gateway opens the store again.",
                ),
                Trouble.BUSY,
            )
        failure.__cause__ = error
        self.fail(failure)

    def _reject(self, error: Exception) -> None:
        outstanding, self._outstanding = self._outstanding, set()
        for done in outstanding:
            if not done.done():
                done.set_exception(error)
