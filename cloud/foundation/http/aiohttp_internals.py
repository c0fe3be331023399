"""The private parts of aiohttp's server that this program uses, under our own names.

aiohttp's public interface responds to an unparsable request with a bare 400, has no time limit for a request head or a
slow client, and drops requests in flight when it stops. Private names may change with any minor version, so
`pyproject.toml` allows only one minor version, and `tests/tidy/test_aiohttp_internals.py` reports the names that a new
version changes.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, cast

from aiohttp import StreamReader, web
from aiohttp.web_protocol import RequestHandler, _ErrInfo, _RequestFactory, _RequestHandler
from aiohttp.web_server import Server


class Parsed(NamedTuple):
    """A message of aiohttp's parser. With `refused`, the message could not be parsed and gets an error response."""

    body: StreamReader
    refused: bool


class AiohttpConnection(RequestHandler):
    """A connection of aiohttp's server. One task serves its requests one after the other."""

    __slots__ = ()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    @property
    def is_lost(self) -> bool:
        """True if the connection has ended and the server has removed it from its list of connections."""
        return self._manager is None

    @property
    def is_closing(self) -> bool:
        """True if the connection ends after the current request."""
        return self._close

    @property
    def idle(self) -> bool:
        """True if no request is being served and none is queued. uvloop delivers the first bytes before the task that
        serves has begun to wait for requests."""
        return self.parsed_count == 0 or (self._waiter is not None and not self._waiter.done())

    @property
    def is_responding(self) -> bool:
        return self._request_in_progress

    @property
    def has_requests(self) -> bool:
        """True if a request is being served, or is parsed and queued."""
        return self._request_in_progress or bool(self._messages)

    @property
    def parsed_count(self) -> int:
        """Number of messages that the parser has delivered so far."""
        return self._request_count

    @property
    def current_request(self) -> Any:
        """The request that is being served; None when there is none."""
        return self._current_request

    @property
    def serving(self) -> "asyncio.Task[None] | None":
        """The task that serves the requests of this connection; None when it has ended."""
        return self._task_handler

    def newest_parsed(self) -> Parsed | None:
        """Return the newest message of the parser that is not served yet, or None."""
        if not self._messages:
            return None
        message, body = self._messages[-1]
        return Parsed(body, isinstance(message, _ErrInfo))

    def drop_newest_parsed(self) -> None:
        """Remove the newest message from the queue, so that it is never served."""
        self._messages.pop()

    async def drain(self) -> None:
        """Wait until the write buffer has room again. Raises `ConnectionError` when the client has disconnected."""
        await self._drain_helper()


class AiohttpRequest:
    """The private methods of a request that aiohttp's connection calls."""

    __slots__ = ("_task",)

    def _cancel(self, exc: BaseException) -> None:
        self.fail_body(exc)

    def _finish(self) -> None:
        """Do nothing. aiohttp calls this after the response, to release resources that our requests do not have."""

    def fail_body(self, exc: BaseException) -> None:
        """Make the reader of the body fail with `exc`, because the connection is lost."""
        raise NotImplementedError


class AiohttpServer(Server):
    """aiohttp's low-level server, which makes and lists the connections. `receive` makes the request from a parsed
    message, its body, connection, writer and task. `serve` returns the response."""

    def __init__(self, receive: Callable[..., Any], serve: Callable[[Any], Awaitable[web.StreamResponse]]) -> None:
        super().__init__(cast(_RequestHandler, serve), request_factory=cast(_RequestFactory, receive))

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    @property
    def connection_count(self) -> int:
        return len(self._connections)

    def forget(self, connection: RequestHandler) -> None:
        """Remove a connection from the list of connections, so that it no longer counts."""
        self._connections.pop(connection, None)


def listening_server(site: web.TCPSite) -> asyncio.Server:
    """Return the asyncio server that listens for this site."""
    return cast(asyncio.Server, site._server)
