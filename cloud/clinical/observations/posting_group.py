"""Write many posted observations in one transaction.

A commit to disk (and on PostgreSQL four round trips) costs more than the rest of a post, but costs the same for fifty
posts as for one. So posts that arrive while a transaction runs are collected for the next transaction; an idle process
adds no delay. A post is acknowledged when its transaction is durable. When the transaction fails, each of its posts
fails.

Only posts that are expected to succeed are collected (`ObservationService.expected_row`). A row that the statement does
not write takes the slow path, which finds the reason.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from cloud.access.audit import FREQUENT_ACTION, Audit
from cloud.clinical.observations.posted_store import PendingRow
from cloud.foundation.db import Database, Transaction, TransactionTooSlow

AUDIT_ACTION = FREQUENT_ACTION
MEMBERS_MAX = 128
"""Posts of one transaction: some milliseconds of work, so that one slow post does not delay many."""

WAITING_MAX = 5_000
"""Pending posts; beyond it a post fails at once, instead of using memory until it times out."""

Write = Callable[[Transaction, Sequence[PendingRow]], Awaitable[set[int]]]
"""Write the rows that are as expected and return their sequences."""


@dataclass(frozen=True, slots=True)
class _Member:
    row: PendingRow
    written: "asyncio.Future[bool]"


class PostingGroup:
    """Collects posted observations and writes them in common transactions."""

    def __init__(self, database: Database, write: Write, audit: Audit) -> None:
        self._database = database
        self._write = write
        self._audit = audit
        self._waiting: list[_Member] = []
        # One task, and not a child of any request: a client that disconnects must not cancel the others' posts. It
        # ends when no post is pending; a service that stops lets its requests end first.
        self._writing: asyncio.Task[None] | None = None

    async def post(self, row: PendingRow) -> bool:
        """Write a row together with other rows. Return True when the row is durable. Return False when the row was not
        written and the caller must post the observation with all checks. Raises `DatabaseUnavailable` and its
        subclasses."""
        if len(self._waiting) >= WAITING_MAX:
            raise TransactionTooSlow("(too many observations are waiting)")
        member = _Member(row, asyncio.get_running_loop().create_future())
        self._waiting.append(member)
        if self._writing is None:
            self._writing = asyncio.ensure_future(self._write_all())
        return await member.written

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[:MEMBERS_MAX], self._waiting[MEMBERS_MAX:]
                connected = [member for member in group if not member.written.done()]
                if connected:
                    await self._write_group(connected)
        finally:
            self._writing = None

    async def _write_group(self, group: list[_Member]) -> None:
        try:
            async with self._database.transaction() as tx:
                written = await self._write(tx, [member.row for member in group])
                rows = [member.row for member in group if member.row.posted.sequence in written]
                await self._audit.record_many(tx, [(row.actor, AUDIT_ACTION, row.posted.id, None) for row in rows])
        except Exception as error:
            for member in group:  # each request reports the error to its client
                if not member.written.done():
                    member.written.set_exception(error)
            return
        for member in group:
            if not member.written.done():
                member.written.set_result(member.row.posted.sequence in written)
