"""Write the queued spans of all processes of a cloud before a look-up reads, so that no span of a finished request is
missing (contract matrix A-108).

On PostgreSQL the process that looks up counts the processes that listen, requests a flush by NOTIFY, and waits until
that many have confirmed it, by NOTIFY too. Look-ups that wait meanwhile share the next request. If a process does not
confirm in time, the response states that it is not complete. So it does while the connection on which this process
listens is lost: other processes may have lost theirs at the same moment, and are not counted.

Processes on one SQLite file cannot signal each other. A look-up is then complete only in a process with all roles, and
the spans of other processes are found about a second later.
"""

import asyncio
import secrets
from contextlib import suppress

import structlog
from sqlalchemy import bindparam, func, select

from cloud.foundation.db import Database, Prepared
from cloud.foundation.errors import DomainError
from cloud.foundation.process import Process, Role
from cloud.foundation.tracing.spans import Spans, spans_of

CHANNEL = "argus_spans"
"""PostgreSQL's channel. A text is `flush` and the number of a request, or `done` or `lost` and the numbers of some."""
PEERS_S_MAX = 1.0
"""Longest wait for other processes. A flush takes some milliseconds, or the second in which a queue was filled under
full load."""
REQUESTS_MAX = 64
"""Requests that are queued; each process makes one at a time. Those beyond it are dropped, and their look-ups are
incomplete."""

_NOTIFY = Prepared(select(func.pg_notify(CHANNEL, bindparam("text"))))

log = structlog.get_logger()


class _Round:
    """Look-ups that share one request. `complete` is its result, None until it has one."""

    def __init__(self) -> None:
        self.complete: bool | None = None


class _Request:
    """The request that waits until `missing` more processes have confirmed it, or one could not write (`is_lost`)."""

    def __init__(self, missing: int) -> None:
        self.number = secrets.token_hex(8)
        self.missing = missing
        self.is_lost = False
        self.ended = asyncio.Event()


class PeerFlush:
    """Flushes the spans of this process for others, and those of others for this process. `has_all_roles`: no other
    process has a part of the cloud's work, so a look-up on SQLite is complete."""

    def __init__(self, database: Database, spans: Spans, *, has_all_roles: bool = True) -> None:
        self._database = database
        self._spans = spans
        self._has_all_roles = has_all_roles
        self._requests: asyncio.Queue[str] = asyncio.Queue(REQUESTS_MAX)
        self._turn = asyncio.Lock()
        self._next = _Round()
        self._request: _Request | None = None
        self._is_cut_off = False

    async def run(self, stopping: asyncio.Event) -> None:
        """Serve the requests of other processes until a stop is requested."""
        if self._database.dialect != "postgresql":
            return
        self._is_cut_off = True  # until the connection listens
        async with asyncio.TaskGroup() as tasks:
            own = (
                tasks.create_task(self._database.listen(CHANNEL, self._take, self._end_listening), name="span signals"),
                tasks.create_task(self._confirm_all(), name="span flushes"),
            )
            await stopping.wait()
            for task in own:
                task.cancel()

    async def flush_all(self) -> bool:
        """Write the queued spans of all processes. Return False if a process has not confirmed that it has. Raises
        `DomainError` if this process cannot write."""
        await self._spans.flush()
        if self._database.dialect != "postgresql":
            return self._has_all_roles
        joined = self._next
        async with self._turn:  # in the order of arrival: look-ups of one round follow each other
            if joined.complete is None:
                if self._next is joined:
                    self._next = _Round()  # look-ups from now on need a later request
                joined.complete = await self._flush_others()
            return joined.complete

    async def _flush_others(self) -> bool:
        if self._is_cut_off:
            return False
        listeners = await self._database.count_listeners(CHANNEL)
        if listeners <= 1:
            return True
        request = self._request = _Request(listeners)
        try:
            await self._notify(f"flush {request.number}")
            async with asyncio.timeout(PEERS_S_MAX):
                await request.ended.wait()
        except TimeoutError:
            return False
        finally:
            self._request = None
        return not request.is_lost

    def _end_listening(self) -> None:
        self._is_cut_off = True

    def _take(self, text: str) -> None:
        self._is_cut_off = False
        word, *numbers = text.split()[: 1 + REQUESTS_MAX] or [""]
        if word == "flush":
            with suppress(asyncio.QueueFull):
                self._requests.put_nowait(" ".join(numbers))
        elif self._request is not None and self._request.number in numbers:
            self._request.missing -= 1
            self._request.is_lost |= word == "lost"
            if self._request.missing <= 0 or self._request.is_lost:
                self._request.ended.set()

    async def _confirm_all(self) -> None:
        while True:
            numbers = [await self._requests.get()]
            while not self._requests.empty():
                numbers.append(self._requests.get_nowait())
            word = "done"
            try:
                await self._spans.flush()
            except DomainError as error:
                log.warning("spans.not_confirmed", code=error.code)
                word = "lost"  # so that no look-up waits in vain
            try:
                await self._notify(" ".join((word, *numbers)))
            except DomainError as error:
                log.warning("spans.not_confirmed", code=error.code)

    async def _notify(self, text: str) -> None:
        async with self._database.transaction() as tx:
            await tx.driver.rows(_NOTIFY, {"text": text})


def peers_of(process: Process) -> PeerFlush:
    """Make the flushes of a process. Call it as `process.shared(peers_of)`."""
    return PeerFlush(process.database, process.shared(spans_of), has_all_roles=set(Role) <= set(process.roles))
