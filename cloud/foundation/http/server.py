"""The listener: makes connections, looks after them once a second, and ends them without cutting a request.

The number of connections is bounded. At the bound, one that waits for its client gives way to a newcomer (`places`), so
neither a thousand idle clients nor as many that send a byte a second can keep a working one out (S-193). When a request
of every connection is being answered, the newcomer gets 503.
"""

import asyncio
import resource
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from aiohttp import web
from aiohttp.web_server import Server

from cloud.foundation.http.arrival import BODY_S_MAX, Arrival
from cloud.foundation.http.body_room import BodyRoom
from cloud.foundation.http.connection import LINGER_S, Connection
from cloud.foundation.http.errors import Overloaded
from cloud.foundation.http.pipeline import HANDLER_S_MAX, Pipeline
from cloud.foundation.http.places import Places

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.http_parser import RawRequestMessage
    from aiohttp.streams import StreamReader
    from aiohttp.web_protocol import RequestHandler, _RequestFactory, _RequestHandler

CONNECTIONS_MAX = 4096
"""Some 20 kB each. Ten times what 400 proxied and kept connections of a large installation need."""
REFUSED_MAX = 128
"""Refused newcomers that still get a moment to read why; half of `OTHER_FILES`. The next ones are ended at once."""
# Files of the process that are not connections: databases, logs, the broker.
OTHER_FILES = 256
LOOK_EVERY_S = 1.0
# Reading the body and the handler have their own limits; what is left is a client that does not read its answer.
EXCHANGE_S_MAX = BODY_S_MAX + HANDLER_S_MAX + 30.0
DRAIN_S = 0.5
"""After a stop was asked for, requests that are on their way still find an open door for this long."""
ACCEPTED_S = 0.02
"""What the loop needs to hand over the connections that it has accepted already."""
SHUTDOWN_S = 10.0
"""Requests in flight have this long to end when the process stops."""


class EdgeServer(Server):
    """aiohttp's low-level server with our connections and our pipeline as its one handler."""

    def __init__(self, pipeline: Pipeline, *, connections_max: int = CONNECTIONS_MAX) -> None:
        super().__init__(cast("_RequestHandler", self._serve), request_factory=cast("_RequestFactory", self._arrived))
        self.pipeline = pipeline
        self.places: Places[Connection] = Places()
        self.body_room: BodyRoom[Connection] = BodyRoom(Connection.give_way)
        self._connections_max = connections_max
        self._refused_until_s: deque[float] = deque()
        self._busy: dict[Connection, float] = {}  # since when a request of it is being answered
        self._next_look: asyncio.TimerHandle | None = None

    def __call__(self) -> Connection:
        return Connection(self, loop=self._loop)

    def connection_made(self, handler: "RequestHandler", transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        newcomer = cast(Connection, handler)
        if len(self._connections) > self._connections_max and not self._make_room():
            self._refuse(newcomer)
            return
        self.places.wait(newcomer, newcomer.address, in_progress=False)

    def _make_room(self) -> bool:
        """Take a place back from a connection that waits for its client. False: none does."""
        found = self.places.first_to_give_way()
        if found is None:
            return False
        # One that is closing must not be chosen twice, and its place is free now.
        self.places.leave(found)
        self._connections.pop(found, None)
        found.give_way()
        return True

    def _refuse(self, newcomer: Connection) -> None:
        now_s = self._loop.time()
        while self._refused_until_s and self._refused_until_s[0] <= now_s:
            self._refused_until_s.popleft()
        if len(self._refused_until_s) >= REFUSED_MAX:
            self._loop.call_soon(newcomer.force_close)
            return
        self._refused_until_s.append(now_s + LINGER_S)
        self._loop.call_soon(newcomer.refuse, Overloaded())

    def _arrived(
        self,
        message: "RawRequestMessage",
        payload: "StreamReader",
        protocol: "RequestHandler",
        writer: "AbstractStreamWriter",
        task: "asyncio.Task[None]",
    ) -> Arrival:
        return Arrival(message, payload, cast(Connection, protocol), writer, task)

    async def _serve(self, arrival: Arrival) -> web.StreamResponse:
        self.places.serve(arrival.protocol)
        self._busy[arrival.protocol] = self._loop.time()
        return await self.pipeline.serve(arrival)

    def look_after(self) -> None:
        """End heads that do not come and answers that are not read; once a second from now until `close`."""
        now_s = self._loop.time()
        for connection in self.connections:
            cast(Connection, connection).expire(now_s)
        for busy, since_s in list(self._busy.items()):
            if busy.transport is None or busy.idle:
                del self._busy[busy]
            elif now_s - since_s > EXCHANGE_S_MAX:
                busy.transport.abort()
        self._next_look = self._loop.call_later(LOOK_EVERY_S, self.look_after)

    def close(self) -> None:
        """No more looks."""
        if self._next_look is not None:
            self._next_look.cancel()

    async def drain(self) -> None:
        """Let what is on its way in, and tell each client that this is its last answer here."""
        self.pipeline.draining = True
        await self._ended(self._connections, DRAIN_S)

    async def _ended(self, connections: "Iterable[RequestHandler]", patience_s: float) -> None:
        """Wait until these connections have ended: while draining, each does with its next answer."""
        serving = [one._task_handler for one in connections if one._task_handler is not None]
        if serving:
            await asyncio.wait(serving, timeout=patience_s)

    def pre_shutdown(self) -> None:
        """Called when the doors have just been closed. aiohttp would no longer read from any connection."""

    async def shutdown(self, timeout: float | None = None) -> None:
        """Read and answer what has begun, then end every connection.

        Some were accepted in the moment before the doors closed, and their request is still on its way.
        """
        await asyncio.sleep(ACCEPTED_S)
        await self._ended(self._connections, DRAIN_S)
        await self._ended((one for one in self._connections if one._request_in_progress or one._messages), SHUTDOWN_S)
        super().pre_shutdown()
        await super().shutdown(timeout)


def connections_allowed() -> int:
    """How many connections the process may have open; raises its limit of open files as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS_MAX + OTHER_FILES
    if soft < wanted:
        with suppress(ValueError, OSError):
            soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(64, min(CONNECTIONS_MAX, soft - OTHER_FILES))
