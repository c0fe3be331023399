"""A webhook receiver on the loopback that follows a test's script and keeps the requests.

`answers` are its next responses, one each; when none is left it uses `always`. Each is a status, or a coroutine
function that takes the request and responds, or does not. `connections` counts accepted connections, so that a test can
show at the socket that none was made.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from aiohttp import web

Act = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Received:
    """One request, as received."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """The running server."""

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
    """A server that counts connections."""

    def __init__(self, receiver: Receiver) -> None:
        super().__init__(receiver._respond)
        self._receiver = receiver

    def __call__(self) -> web.RequestHandler:
        self._receiver.connections += 1
        return super().__call__()


@asynccontextmanager
async def receiving(port: int = 0, always: int | Act = 200) -> AsyncIterator[Receiver]:
    """Run a receiver on a free port (or the given one) of 127.0.0.1."""
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
    """Return a response with a body and headers (`Retry_After="120"`)."""

    async def act(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(
            status=status, body=body, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )

    return act


def respond_after(release: asyncio.Event) -> Act:
    """Return a response of 200, sent once the event is set."""

    async def act(request: web.BaseRequest) -> web.StreamResponse:
        await release.wait()
        return web.Response()

    return act


async def hanging(request: web.BaseRequest) -> web.StreamResponse:
    """Never respond."""
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
