"""The HTTP server of one listening address: it limits its connections, and ends them without cutting off a request.

When the number of connections is at its limit, a connection that waits for its client is closed for a new one. So idle
or slow clients cannot exclude an active one (contract matrix S-193). When every connection is being served, the new one
gets 503.
"""

import asyncio
import resource
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from cloud.foundation.http.aiohttp_internals import AiohttpServer
from cloud.foundation.http.body_room import BodyRoom
from cloud.foundation.http.connection import LINGER_S, Connection
from cloud.foundation.http.errors import Overloaded
from cloud.foundation.http.incoming_request import BODY_S_MAX, IncomingRequest
from cloud.foundation.http.pipeline import HANDLER_S_MAX, Pipeline
from cloud.foundation.http.places import Places
from cloud.foundation.http.refusals import Refusals
from cloud.foundation.http.wire import Reply

if TYPE_CHECKING:
    from aiohttp import StreamReader
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.http_parser import RawRequestMessage
    from aiohttp.web_protocol import RequestHandler

CONNECTIONS_MAX = 4096
"""A connection needs about 20 kB. A large installation with a proxy has 400 connections, a tenth of this limit."""
REFUSED_MAX = 128
"""Refused connections that get time to read the response, half of `OTHER_FILES`. Further ones are ended at once."""
# Files of the process that are not connections: databases, logs, the broker.
OTHER_FILES = 256
LOOK_EVERY_S = 1.0
# Reading the body and the handler have their own limits; the rest is for a client that does not read its response.
EXCHANGE_S_MAX = BODY_S_MAX + HANDLER_S_MAX + 30.0
DRAIN_S = 0.5
"""Time after the request to stop in which requests that are still arriving are accepted."""
ACCEPTED_S = 0.02
"""Time that the loop needs to deliver the connections that it has already accepted."""
SHUTDOWN_S = 10.0
"""Time that requests in flight have to end when the process stops."""


class EdgeServer(AiohttpServer):
    """The HTTP server of one listening address. It passes every request to `pipeline`."""

    def __init__(self, pipeline: Pipeline, *, connections_max: int = CONNECTIONS_MAX) -> None:
        super().__init__(self._receive, self._serve)
        self.pipeline = pipeline
        self._refusals = Refusals(pipeline.router, pipeline.types_at, pipeline.observer)
        self.places: Places[Connection] = Places()
        self.body_room: BodyRoom[Connection] = BodyRoom(Connection.give_way)
        self._connections_max = connections_max
        self._refused_until_s: deque[float] = deque()
        self._busy: dict[Connection, float] = {}  # connection → the time since when its request is being served
        self._next_look: asyncio.TimerHandle | None = None

    def __call__(self) -> Connection:
        return Connection(self, self.places, self.body_room, self._refusals, loop=self.loop)

    def connection_made(self, handler: "RequestHandler", transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        newcomer = cast(Connection, handler)
        if self.connection_count > self._connections_max and not self._make_room():
            self._refuse(newcomer)
            return
        self.places.wait(newcomer, newcomer.address, in_progress=False)

    def _make_room(self) -> bool:
        """Close a connection that waits for its client, to make room for a new one. Return False if there is none."""
        found = self.places.first_to_give_way()
        if found is None:
            return False
        # A closing connection must not be chosen twice, and no longer counts.
        self.places.leave(found)
        self.forget(found)
        found.give_way()
        return True

    def _refuse(self, newcomer: Connection) -> None:
        now_s = self.loop.time()
        while self._refused_until_s and self._refused_until_s[0] <= now_s:
            self._refused_until_s.popleft()
        if len(self._refused_until_s) >= REFUSED_MAX:
            self.loop.call_soon(newcomer.force_close)
            return
        self._refused_until_s.append(now_s + LINGER_S)
        self.loop.call_soon(newcomer.refuse, Overloaded())

    def _receive(
        self,
        message: "RawRequestMessage",
        payload: "StreamReader",
        connection: Connection,
        _writer: "AbstractStreamWriter",
        _task: "asyncio.Task[None]",
    ) -> IncomingRequest:
        return IncomingRequest(message, payload, connection)

    async def _serve(self, request: IncomingRequest) -> Reply:
        connection = cast(Connection, request.connection)
        self.places.serve(connection)
        self._busy[connection] = self.loop.time()
        return await self.pipeline.serve(request)

    def look_after(self) -> None:
        """Start to check all connections once a second, until `close` is called. Each check ends the connections whose
        request head does not arrive in time, or whose request and response take too long."""
        now_s = self.loop.time()
        for connection in self.connections:
            cast(Connection, connection).expire(now_s)
        for busy, since_s in list(self._busy.items()):
            if busy.transport is None or busy.idle:
                del self._busy[busy]
            elif not busy.streaming and now_s - since_s > EXCHANGE_S_MAX:
                busy.transport.abort()
        self._next_look = self.loop.call_later(LOOK_EVERY_S, self.look_after)

    def close(self) -> None:
        """Stop the repeated checks for connections that are too slow."""
        if self._next_look is not None:
            self._next_look.cancel()

    async def drain(self) -> None:
        """End each connection with its next response, and wait up to 0.5 s for requests that are still arriving."""
        self.pipeline.draining = True
        await self._await_end(self.connections, DRAIN_S)

    async def _await_end(self, connections: "Iterable[RequestHandler]", limit_s: float) -> None:
        """Wait up to `limit_s` until these connections have ended. While draining, each ends with its next response."""
        serving = [one.serving for one in cast("Iterable[Connection]", connections) if one.serving is not None]
        if serving:
            await asyncio.wait(serving, timeout=limit_s)

    def pre_shutdown(self) -> None:
        """Do nothing. aiohttp calls this after the listeners were closed; the method of the base class would stop
        reading."""

    async def shutdown(self, timeout: float | None = None) -> None:
        """Serve the requests that have begun or still arrive on accepted connections, then end every connection."""
        await asyncio.sleep(ACCEPTED_S)
        await self._await_end(self.connections, DRAIN_S)
        await self._await_end([one for one in self.connections if cast(Connection, one).has_requests], SHUTDOWN_S)
        super().pre_shutdown()
        await super().shutdown(timeout)


def connections_allowed() -> int:
    """Raise this process's limit of open files as far as permitted; return the number of connections it allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS_MAX + OTHER_FILES
    if soft < wanted:
        with suppress(ValueError, OSError):
            soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(64, min(CONNECTIONS_MAX, soft - OTHER_FILES))
