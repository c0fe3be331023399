"""The one writer of a SQLite database: it commits many small transactions with one fsync.

Transactions take turns on one connection, as parts of a shared transaction. Each after the first has a savepoint, so
that a failed one is rolled back alone. The group commits when no transaction is queued, also none of a task that was
ready when the last one ended, or when it is full or has reached its age limit. Only after the commit do its
transactions return to their callers. Transactions that arrive during the fsync form the next group.

`BEGIN IMMEDIATE` begins the shared transaction. By default, the driver would take the write lock only at the first
change, after earlier reads. In a measurement, 350 of 400 updates were then lost without an error.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from types import TracebackType
from typing import TypeVar

from cloud.foundation.db.errors import CommitLost, TransactionTooSlow, WriterBusy
from cloud.foundation.db.sqlite_connection import SqliteThread, settle
from cloud.foundation.db.sqlite_failures import commit_failure, translated
from cloud.foundation.db.sqlite_transaction import SqliteTransaction

Result = TypeVar("Result")

# A group commits at this size or age even if further transactions are queued, so that its first one is not delayed.
GROUP_MEMBERS_MAX = 500
GROUP_AGE_S_MAX = 0.05
# A transaction delays all others, so its time is limited. It may await only its own statements.
MEMBER_S_MAX = 30.0
# Callers in the queue. Beyond this number a call fails at once, instead of using memory and timing out.
WAITING_MAX = 10_000


class _Group:
    """The transactions that one commit makes durable together. Only the writer's thread uses `begun` and `failure`. It
    also fills `results`, which the event loop `loop` reads during the commit. Only the event loop uses the rest."""

    def __init__(self, opened_s: float) -> None:
        self.opened_s = opened_s
        self.members = 0
        self.begun = False
        self.failure: Exception | None = None
        self.ended = False
        self.results: list[Callable[[], None]] = []
        self.loop = asyncio.get_running_loop()
        self._waiting: list[asyncio.Future[None]] = []

    async def committed(self) -> None:
        """Wait until the commit is durable. Raises its failure. Each caller has a future of its own, since a caller
        that is cancelled must not cancel the result of the others. Its own change is committed too."""
        outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(outcome)
        await outcome

    def give_results(self) -> None:
        """Give the results of queued jobs to the members. The writer's thread commits meanwhile."""
        # Taken out, since they refer to the members, which refer to this group: what the members hold, such as the jobs
        # of a claim, would otherwise stay until the garbage collector finds it.
        results, self.results = self.results, []
        for give in results:
            give()

    def end(self, result: None, failure: BaseException | None) -> None:
        """Let the members return from `committed`, or fail with the failure of their commit."""
        self.ended = True
        for outcome in self._waiting:
            settle(outcome, result, failure)


class Member(AbstractAsyncContextManager[SqliteTransaction]):
    """One transaction of a group, as a block of `async with`. `number` is part of the name of the transaction's
    savepoint. Only the writer's thread uses `open`, which is True once the transaction has begun, and `is_first`, which
    is True if it began the shared one and so needs no savepoint. `failure` is the error of a queued job (`later`), None
    without one; the transaction is then rolled back when it ends. The error of a function that gets a result comes too
    late for that."""

    # Not a generator, for the reason in `ObservedBlock`.
    __slots__ = ("_limit", "_s_max", "_writer", "failure", "group", "is_first", "number", "open")

    def __init__(self, writer: "SqliteWriter", s_max: float | None) -> None:
        self._writer = writer
        self._s_max = s_max
        self.open = self.is_first = False
        self.failure: Exception | None = None

    async def __aenter__(self) -> SqliteTransaction:
        self.group = await self._writer.take_turn()
        self.number = self.group.members
        self._limit = asyncio.timeout(self._s_max)  # only now: the time in the queue is that of other transactions
        await self._limit.__aenter__()
        writer = self._writer
        return SqliteTransaction(writer.thread, partial(writer.step, self), partial(writer.later, self))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._limit.__aexit__(kind, error, trace)
        except TimeoutError:
            raise TransactionTooSlow from None
        finally:
            self._writer.end_turn(self, failed=error is not None)
        if error is None:
            await self.group.committed()
            if self.failure is not None:
                raise translated(self.failure) or self.failure

    def give(self, on_result: Callable[[Result], None], result: Result) -> None:
        """Give the result of a queued job to the caller, who gets an error of `on_result` after the commit."""
        try:
            on_result(result)
        except Exception as error:
            self.failure = error


class SqliteWriter:
    """Runs write transactions one after the other on one `SqliteThread`, and commits several of them at once."""

    def __init__(self, thread: SqliteThread) -> None:
        self.thread = thread
        self.member_s_max = MEMBER_S_MAX
        self._turn = asyncio.Lock()
        self._holder: asyncio.Task[object] | None = None
        self._waiting = 0
        self._group: _Group | None = None
        self._commits = 0
        self._last: _Group | None = None  # that was sent to be committed

    @property
    def commits(self) -> int:
        """The number of groups of transactions that were sent to be committed since the start."""
        return self._commits

    def transaction(self, *, limited: bool = True) -> "Member":
        """Return the block of a new transaction, which begins when the earlier transactions have ended; its time is
        limited unless `limited` is False. After the block, wait until the commit that the transaction shares with
        others is durable. An exception in the block rolls only this transaction back. The block raises `WriterBusy`,
        `TransactionTooSlow`, `CommitLost`, `DatabaseDamaged`."""
        return Member(self, self.member_s_max if limited else None)

    def later(self, member: Member, job: Callable[[], Result], on_result: Callable[[Result], None] | None) -> None:
        """Queue a job of the transaction `member` and return. `on_result` is called with the job's result during the
        commit. If the job fails, the transaction fails at its end."""
        self.thread.defer(partial(self._run_later, member, job, on_result))

    async def take_turn(self) -> _Group:
        """Wait for the turn of a new member, and return its group."""
        task = asyncio.current_task()
        if self._holder is task:
            raise RuntimeError("a transaction is already open in this task: pass it on instead of opening another")
        if self._waiting >= WAITING_MAX:
            raise WriterBusy
        self._waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self._waiting -= 1
            if not self._turn.locked():
                self._commit_if_idle()  # the last one in the queue was cancelled: no other call would commit the group
        self._holder = task
        if self._group is None:
            self._group = _Group(asyncio.get_running_loop().time())
        self._group.members += 1
        return self._group

    def end_turn(self, member: Member, *, failed: bool) -> None:
        """Keep or undo the changes of a member, and give the turn to the next one. Without one, commit the group."""
        self.thread.defer(partial(self._undo if failed else self._keep, member))
        self._holder = None
        self._turn.release()
        if self._is_full():
            self._commit()
        else:
            asyncio.get_running_loop().call_soon(self._commit_if_idle)

    def _is_full(self) -> bool:
        """Return whether the group commits although transactions are queued."""
        group = self._group
        if group is None:
            return False
        age_s = asyncio.get_running_loop().time() - group.opened_s
        return group.members >= GROUP_MEMBERS_MAX or age_s >= GROUP_AGE_S_MAX

    def _commit_if_idle(self) -> None:
        if not self._turn.locked() and (not self._waiting or self._is_full()):
            self._commit()

    def _commit(self) -> None:
        """Send the group to be committed, if there is one."""
        group, self._group = self._group, None
        if group is None:
            return
        self._commits += 1
        self._last = group
        self.thread.submit(partial(self._commit_group, group), group.end)

    async def drain(self) -> None:
        """Wait until all changes that were sent to the disk are durable."""
        async with self._turn:
            self._commit()
            last = self._last
        if last is not None and not last.ended:
            with suppress(Exception):  # which its members get
                await last.committed()

    # The following methods run on the writer's thread, in the order of submission.

    def step(self, member: Member, job: Callable[[], Result]) -> Result:
        """Run a job of the transaction `member` on the writer's thread; return the job's result. The first job of a
        group (the transactions of one commit) begins the shared transaction. The first job of a later member opens its
        savepoint."""
        group, raw = member.group, self.thread.raw
        if group.failure is not None:
            raise group.failure
        if member.failure is not None:
            raise member.failure
        if not group.begun:
            raw.execute("BEGIN IMMEDIATE")
            group.begun = member.is_first = member.open = True
        elif not member.open:
            raw.execute(f"SAVEPOINT member_{member.number}")
            member.open = True
        try:
            return job()
        finally:
            # On a full disk or an I/O error, SQLite itself rolls everything back. Then the group is lost, and each
            # member must fail.
            if not raw.in_transaction:
                group.failure = CommitLost("(the database undid the whole group)")

    def _run_later(self, member: Member, job: Callable[[], Result], on_result: Callable[[Result], None] | None) -> None:
        try:
            result = self.step(member, job)
        except Exception as error:
            member.failure = error
        else:
            if on_result is not None:
                member.group.results.append(partial(member.give, on_result, result))

    def _undo(self, member: Member) -> None:
        if member.is_first:
            self._end(member, "ROLLBACK")
            member.group.begun = False
        else:
            self._end(member, f"ROLLBACK TO member_{member.number}", f"RELEASE member_{member.number}")

    def _keep(self, member: Member) -> None:
        if member.failure is not None:
            self._undo(member)
        elif not member.is_first:
            self._end(member, f"RELEASE member_{member.number}")

    def _end(self, member: Member, *statements: str) -> None:
        if not member.open or member.group.failure is not None:
            return
        try:
            for statement in statements:
                self.thread.raw.execute(statement)
        except sqlite3.Error as error:
            member.group.failure = commit_failure(error)  # lose the group rather than commit half of a member

    def _commit_group(self, group: _Group) -> None:
        raw = self.thread.raw
        try:
            if group.failure is not None:
                raise group.failure
            if group.results:
                with suppress(RuntimeError):  # the loop has been closed: no caller waits
                    group.loop.call_soon_threadsafe(group.give_results)
            if group.begun:
                raw.execute("COMMIT")
        except sqlite3.Error as error:
            raise commit_failure(error) from None
        finally:
            if raw.in_transaction:
                with suppress(sqlite3.Error):  # the members get the failure of the commit itself
                    raw.execute("ROLLBACK")
