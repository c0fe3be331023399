"""Many posted observations, one transaction.

A commit to disk, and on PostgreSQL four ways to the server and back, cost more than everything else about a post,
and they cost no more for fifty. So while one transaction is on its way, the posts that arrive meanwhile gather, and
the next transaction takes them all, with their audit entries: the busier, the larger; an idle service adds no delay.
A post is answered when the transaction that holds it is durable, and a failure is told to each of its members.

Only for posts that this process expects to succeed (`ObservationDesk.as_remembered`). Whatever is not written here is
nobody's fault yet: the caller then takes the slow path, which says what is wrong.
"""

import asyncio
from dataclasses import dataclass

from cloud.access.audit import FREQUENT_ACTION, Audit
from cloud.clinical.observations.posted_store import Place
from cloud.clinical.observations.posting import ObservationDesk
from cloud.foundation.db import Database, TransactionTooSlow
from cloud.foundation.http import Caller, TraceContext

AUDIT_ACTION = FREQUENT_ACTION
MEMBERS_MAX = 128
"""Of one transaction: some milliseconds of work, so that a slow member does not hold up many."""

WAITING_MAX = 5_000
"""Beyond it the answer is "later" at once, instead of memory and a time-out."""


@dataclass(frozen=True, slots=True)
class _Member:
    place: Place
    caller: Caller
    trace: TraceContext
    written: "asyncio.Future[bool]"


class PostingGroup:
    """Gathers posts and writes them."""

    def __init__(self, database: Database, desk: ObservationDesk, audit: Audit) -> None:
        self._database = database
        self._desk = desk
        self._audit = audit
        self._waiting: list[_Member] = []
        # One at a time, and not a child of any request: a client that leaves must not take the others' answers with
        # it. It ends when nobody waits; a service that stops lets its requests end first.
        self._writing: asyncio.Task[None] | None = None

    async def post(self, place: Place, caller: Caller, trace: TraceContext) -> bool:
        """Durable when this returns True; False: it was not written, take the slow path.

        Raises `DatabaseUnavailable` and its kinds.
        """
        if len(self._waiting) >= WAITING_MAX:
            raise TransactionTooSlow("(too many observations are waiting)")
        member = _Member(place, caller, trace, asyncio.get_running_loop().create_future())
        self._waiting.append(member)
        if self._writing is None:
            self._writing = asyncio.ensure_future(self._write_all())
        return await member.written

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[:MEMBERS_MAX], self._waiting[MEMBERS_MAX:]
                still_there = [member for member in group if not member.written.done()]
                if still_there:
                    await self._write(still_there)
        finally:
            self._writing = None

    async def _write(self, group: list[_Member]) -> None:
        try:
            async with self._database.transaction() as tx:
                written = await self._desk.write(tx, [member.place for member in group])
                kept = [member for member in group if member.place.posted.sequence in written]
                entries = [(member.caller, AUDIT_ACTION, member.place.posted.id, member.trace) for member in kept]
                await self._audit.record_many(tx, entries)
        except Exception as error:
            # Whatever it is, each member's request tells of it.
            for member in group:
                if not member.written.done():
                    member.written.set_exception(error)
            return
        for member in group:
            if not member.written.done():
                member.written.set_result(member.place.posted.sequence in written)
