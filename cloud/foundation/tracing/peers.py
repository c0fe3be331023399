"""Write the queued spans of all processes of a cloud before a look-up reads, so that no span of a finished request is
missing (contract matrix A-108).

Only processes on PostgreSQL have peers. The process that looks up counts the processes that listen, requests a flush by
NOTIFY, and waits until that many have confirmed it, by NOTIFY too. If a process does not confirm in time, the response
states that it is not complete.
"""

import asyncio
import secrets
from contextlib import suppress

import structlog
from sqlalchemy import bindparam, func, select

from cloud.foundation.db import Database, Prepared
from cloud.foundation.errors import DomainError
from cloud.foundation.process import Process
from cloud.foundation.tracing.spans import Spans, spans_of

CHANNEL = "argus_spans"
"""PostgreSQL's channel. A text is `flush` or `done`, and the number of the round of a look-up."""
PEERS_S_MAX = 1.0
"""Longest wait for other processes. A flush takes some milliseconds, or the second in which a queue was filled under
full load."""
REQUESTS_MAX = 64
"""Requests that are queued. Those beyond it are dropped, and their look-ups are incomplete."""
ROUNDS_MAX = 16
"""Look-ups of one process that wait for others at a time. Further ones wait for their turn."""

_NOTIFY = Prepared(select(func.pg_notify(CHANNEL, bindparam("text"))))

log = structlog.get_logger()


class _Round:
    """A look-up that waits until `missing` more processes have confirmed."""

    def __init__(self, missing: int) -> None:
        self.missing = missing
        self.ended = asyncio.Event()


class PeerFlush:
    """Flushes the spans of this process for others, and those of others for this process."""

    def __init__(self, database: Database, spans: Spans) -> None:
        self._database = database
        self._spans = spans
        self._requests: asyncio.Queue[str] = asyncio.Queue(REQUESTS_MAX)
        self._rounds: dict[str, _Round] = {}
        self._free = asyncio.Semaphore(ROUNDS_MAX)

    async def run(self, stopping: asyncio.Event) -> None:
        """Serve the requests of other processes until a stop is requested."""
        if self._database.dialect != "postgresql":
            return
        async with asyncio.TaskGroup() as tasks:
            own = (
                tasks.create_task(self._database.listen(CHANNEL, self._take), name="span signals"),
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
            return True
        listeners = await self._database.count_listeners(CHANNEL)
        if listeners <= 1:
            return True
        async with self._free:
            number, waiting = secrets.token_hex(8), _Round(listeners)
            self._rounds[number] = waiting
            try:
                await self._notify(f"flush {number}")
                async with asyncio.timeout(PEERS_S_MAX):
                    await waiting.ended.wait()
            except TimeoutError:
                return False
            finally:
                del self._rounds[number]
        return True

    def _take(self, text: str) -> None:
        word, _, number = text.partition(" ")
        if word == "flush":
            with suppress(asyncio.QueueFull):
                self._requests.put_nowait(number)
        elif word == "done" and number in self._rounds:
            waiting = self._rounds[number]
            waiting.missing -= 1
            if waiting.missing <= 0:
                waiting.ended.set()

    async def _confirm_all(self) -> None:
        while True:
            number = await self._requests.get()
            try:
                await self._spans.flush()
                await self._notify(f"done {number}")
            except DomainError as error:
                log.warning("spans.not_confirmed", code=error.code)

    async def _notify(self, text: str) -> None:
        async with self._database.transaction() as tx:
            await tx.driver.rows(_NOTIFY, {"text": text})


def peers_of(process: Process) -> PeerFlush:
    """Make the flushes of a process. Call it as `process.shared(peers_of)`."""
    return PeerFlush(process.database, process.shared(spans_of))
