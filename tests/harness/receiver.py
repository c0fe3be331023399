"""A webhook receiver on a loopback address that responds by a test's script and keeps the requests.

`answers` are the next responses, one per request; when the list is empty, `always` is the response. A response is a
status code, or a coroutine function that takes the request and returns the response, or never returns. `connections`
counts accepted connections, so that a test can check that none was made.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from aiohttp import web

Act = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Received:
    """One request as the receiver got it."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A running webhook receiver: its port, its scripted responses and the requests so far."""

    port: int = 0
    always: int | Act = 200
    answers: list[int | Act] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    connections: int = 0

    @property
    def pair(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def ids(self) -> list[str]:
        """Return the `webhook-id` of every request, in order of arrival."""
        return [one.headers["webhook-id"] for one in self.received]

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.received.append(Received(request.path_qs, headers, await request.read()))
        what = self.answers.pop(0) if self.answers else self.always
        if isinstance(what, int):
            return web.Response(status=what)
        return await what(request)


class _Counting(web.Server):
    """A server that counts the accepted connections in `receiver.connections`."""

    def __init__(self, receiver: Receiver) -> None:
        super().__init__(receiver._respond)
        self._receiver = receiver

    def __call__(self) -> web.RequestHandler:
        self._receiver.connections += 1
        return super().__call__()


@asynccontextmanager
async def receiving(port: int = 0, always: int | Act = 200) -> AsyncIterator[Receiver]:
    """Run a receiver on 127.0.0.1, on this port or a free one; stop it after the block."""
    receiver = Receiver(always=always)
    server = _Counting(receiver)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", port)
    receiver.port = listening.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        listening.close()
        await server.shutdown(0.1)
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await listening.wait_closed()


def respond_with(status: int, body: bytes = b"", **headers: str) -> Act:
    """Return a scripted response with this body and these headers (`Retry_After="120"` sets `Retry-After`)."""

    async def act(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(
            status=status, body=body, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )

    return act


def respond_after(release: asyncio.Event) -> Act:
    """Return a scripted response with the status 200, sent once the event is set."""

    async def act(request: web.BaseRequest) -> web.StreamResponse:
        await release.wait()
        return web.Response()

    return act


async def hanging(request: web.BaseRequest) -> web.StreamResponse:
    """Never respond to the request."""
    await asyncio.Event().wait()
    raise AssertionError("nothing sets it")


async def endless(request: web.BaseRequest) -> web.StreamResponse:
    """Respond 200 with a body that has no end."""
    response = web.StreamResponse()
    await response.prepare(request)
    with suppress(ConnectionError):
        while True:
            await response.write(b"x" * 65_536)
    return response
