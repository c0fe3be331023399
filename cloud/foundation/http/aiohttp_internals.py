"""The private parts of aiohttp's server that this program uses, all in this file, under our own names.

aiohttp's public interface responds to an unparsable request with a bare 400. It waits for a head and for a client
without a configurable limit, and drops requests in flight when it stops. The connection layer derives from these
classes to avoid this. A name with an underscore here is aiohttp's and may change with any minor version; so
`pyproject.toml` allows one minor version only, and `tests/tidy/test_aiohttp_internals.py` names each one that a new
version changes.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, cast

from aiohttp import StreamReader, web
from aiohttp.web_protocol import RequestHandler, _ErrInfo, _RequestFactory, _RequestHandler
from aiohttp.web_server import Server


class Parsed(NamedTuple):
    """The newest message of aiohttp's parser. `refused`: the parser refused it, and `handle_error` will be called."""

    body: StreamReader
    refused: bool


class AiohttpConnection(RequestHandler):
    """The connection of aiohttp: one task that serves parsed requests one after the other."""

    __slots__ = ()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    @property
    def is_lost(self) -> bool:
        """True if the connection has ended and no longer belongs to its server."""
        return self._manager is None

    @property
    def is_closing(self) -> bool:
        """True if the connection ends after the current request."""
        return self._close

    @property
    def idle(self) -> bool:
        """True if the connection waits for a request."""
        return self._waiter is not None and not self._waiter.done()

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
        """Return the newest parsed message in the queue."""
        if not self._messages:
            return None
        message, body = self._messages[-1]
        return Parsed(body, isinstance(message, _ErrInfo))

    def drop_newest_parsed(self) -> None:
        """Remove the newest message, so that it is never served."""
        self._messages.pop()

    async def drain(self) -> None:
        """Wait until the client has read enough of the response. Raises `ConnectionError` after it disconnects."""
        await self._drain_helper()


class AiohttpRequest:
    """The methods that aiohttp's connection calls on a request beside its public interface."""

    __slots__ = ("_task",)

    def _cancel(self, exc: BaseException) -> None:
        self.fail_body(exc)

    def _finish(self) -> None:
        """Do nothing: there is nothing to clean up when the response is ready."""

    def fail_body(self, exc: BaseException) -> None:
        """End the reading of the body with an error, because the connection is lost."""
        raise NotImplementedError


class AiohttpServer(Server):
    """aiohttp's low-level server: it makes connections and keeps a list of them."""

    def __init__(self, receive: Callable[..., Any], serve: Callable[[Any], Awaitable[web.StreamResponse]]) -> None:
        """Set up the server. `receive` makes the request from a message, its body, connection, writer and task; `serve`
        returns its response."""
        super().__init__(cast(_RequestHandler, serve), request_factory=cast(_RequestFactory, receive))

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    @property
    def connection_count(self) -> int:
        return len(self._connections)

    def forget(self, connection: RequestHandler) -> None:
        """Remove a connection from the list, since another one gets its place."""
        self._connections.pop(connection, None)


def listening_server(site: web.TCPSite) -> asyncio.Server:
    """Return asyncio's own server behind a site that listens."""
    return cast(asyncio.Server, site._server)
