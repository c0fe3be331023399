"""Control socket of the running gateway, for requests from the command line on the same machine.

It is a Unix socket in the state folder with mode 0600: file permissions decide who may connect, as for the store. A
request and its response are one JSON line each. Two kinds differ: `capture` responds with one line per read until the
client hangs up, and some requests begin a conversation (`dialogue`). A socket file that a killed gateway left is
replaced. If a gateway responds on the existing socket, that gateway uses the same state folder, and this gateway must
not start.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
import structlog

from gateway.console.dialogue import DIALOGUE_S, Dialogue
from gateway.sessions.tracing import Taps

REQUEST_BYTES_MAX = 256 * 1024
"""Upper bound on a request: the most field changes of one batch (`CHANGES_BYTES_MAX`), and as much again for JSON."""
LINE_BYTES_MAX = 1 << 20
"""Upper bound on one line: a full status has some ten kilobytes, and one read of a link 128 kB in hex."""
CLIENTS_MAX = 8
ASK_S = 5.0
"""Time for a client to send its request, and for the gateway to respond."""
_PATH_BYTES_MAX = 100
"""Upper bound on a path: sockaddr_un holds 107 bytes; beyond it the socket is named through its folder's descriptor."""

Reply = Mapping[str, Any]
Converse = Callable[[Dialogue, Mapping[str, Any]], Awaitable[None]]
"""A conversation; the second argument is the request's whole line."""

log = structlog.get_logger()


class ControlUnavailable(Exception):
    """No gateway replies on this state; the text explains it for an operator."""


class ControlUnusable(Exception):
    """The socket cannot be made where it belongs; the text explains why."""


class GatewayRuns(Exception):
    """Another gateway runs on this state; the text explains it for an operator."""


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """Yield a name of `path` that is short enough for a Unix socket address. The name is valid inside
    the `with` block."""
    if len(os.fsencode(path)) <= _PATH_BYTES_MAX:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class ControlServer:
    """Server of the control socket. It handles these requests:

    - `{"ask": name}`: the response is `replies[name]()`;
    - `{"ask": name, "about": what}`: the response is `about[name](what)`;
    - `{"ask": name, …}`: the response is `requests[name](request)`;
    - `{"ask": name, …}`: begins the conversation `conversations[name]`;
    - `{"ask": "capture", "link": null or name}`: streams the bytes that links receive and send, from `taps`.
    """

    def __init__(
        self,
        path: Path,
        replies: Mapping[str, Callable[[], Awaitable[Reply]]],
        taps: Taps,
        about: Mapping[str, Callable[[str], Awaitable[Reply]]] | None = None,
        conversations: Mapping[str, Converse] | None = None,
        requests: Mapping[str, Callable[[Mapping[str, Any]], Awaitable[Reply]]] | None = None,
    ) -> None:
        self._path = path
        self._replies = replies
        self._about = about or {}
        self._conversations = conversations or {}
        self._requests = requests or {}
        self._conversing: set[asyncio.Task[None]] = set()
        self._taps = taps
        self._clients = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen on the control socket inside the `async with` block. Raises `GatewayRuns` where another gateway
        already responds on the socket, and `ControlUnusable` where the socket cannot be made (a read-only file system).
        """
        try:
            with _address(self._path) as address:
                self._clear_stale(address)
                server = await asyncio.start_unix_server(
                    self._serve_client, address, limit=REQUEST_BYTES_MAX, backlog=CLIENTS_MAX
                )
                self._path.chmod(0o600)
        except OSError as error:
            raise ControlUnusable(f"{self._path} cannot be made ({error.strerror})") from error
        try:
            yield
        finally:
            server.close()
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
            for task in self._conversing:
                task.cancel()
            await asyncio.gather(*self._conversing, return_exceptions=True)

    def _clear_stale(self, address: str) -> None:
        if not self._path.exists():
            return
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(address)
            except OSError:
                self._path.unlink(missing_ok=True)
                return
        raise GatewayRuns(
            f"another gateway runs with {self._path.parent}: a store has one writer; stop that one first, "
            "or give this one a state_dir of its own"
        )

    async def _serve_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._clients >= CLIENTS_MAX:
            writer.close()
            return
        self._clients += 1
        try:
            async with asyncio.timeout(ASK_S):
                request = orjson.loads(await reader.readline())
            if request.get("ask") == "capture":
                await self._capture(request.get("link"), reader, writer)
            elif (converse := self._conversations.get(str(request.get("ask")))) is not None:
                await self._converse(converse, request, reader, writer)
            else:
                async with asyncio.timeout(ASK_S):
                    await self._respond(request, writer)
        except (OSError, ValueError, AttributeError) as error:  # hung up, timed out, or did not speak JSON
            log.info("control.client_lost", why=type(error).__name__)
        finally:
            self._clients -= 1
            writer.close()

    async def _respond(self, request: Mapping[str, Any], writer: asyncio.StreamWriter) -> None:
        name = str(request.get("ask"))
        if name in self._requests:
            body = await self._requests[name](request)
        elif name in self._about:
            body = await self._about[name](str(request.get("about")))
        else:
            reply = self._replies.get(name)
            body = {"error": "no such question"} if reply is None else await reply()
        writer.write(orjson.dumps(body) + b"\n")
        await writer.drain()

    async def _converse(
        self,
        converse: Converse,
        request: Mapping[str, Any],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        dialogue = Dialogue(reader, writer)
        task = asyncio.ensure_future(dialogue.run(lambda each: converse(each, request)))
        self._conversing.add(task)
        try:
            await asyncio.wait([task])
        finally:
            self._conversing.discard(task)
        if not task.cancelled():
            task.result()

    async def _capture(self, link: str | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with self._taps.open(link) as tap:

            async def stream() -> None:
                async for traced in tap:
                    line = {
                        "link": traced.link,
                        "conn": traced.connection,
                        "direction": traced.direction,
                        "hex": traced.data.hex(),
                        "at_s": traced.at_s,
                        "gatt": traced.attribute,
                    }
                    writer.write(orjson.dumps(line) + b"\n")
                    await writer.drain()
                writer.write(orjson.dumps({"end": "the capture could not keep up and was cut off here"}) + b"\n")

            writer.write(orjson.dumps({"listening": True}) + b"\n")
            streaming = asyncio.ensure_future(stream())
            hung_up = asyncio.ensure_future(reader.read())
            try:
                await asyncio.wait([streaming, hung_up], return_when=asyncio.FIRST_COMPLETED)
            finally:
                streaming.cancel()
                hung_up.cancel()
                await asyncio.gather(streaming, hung_up, return_exceptions=True)


async def _connect(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        with _address(path) as address:
            return await asyncio.open_unix_connection(address, limit=LINE_BYTES_MAX)
    except OSError:
        raise ControlUnavailable(
            f"no gateway runs with {path.parent}: start it with argus-gateway run, or run this as the gateway's user"
        ) from None


async def query(
    path: Path, name: str, *, about: str | None = None, fields: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Send a request to the running gateway and return its response. `about` is the argument of requests that need one,
    and `fields` are the fields of requests that need several. Raises `ControlUnavailable` where no gateway responds."""
    reader, writer = await _connect(path)
    try:
        question = {**(fields or {}), "ask": name} if about is None else {"ask": name, "about": about}
        writer.write(orjson.dumps(question) + b"\n")
        async with asyncio.timeout(ASK_S):
            reply = orjson.loads(await reader.readline())
    except (OSError, ValueError):
        raise ControlUnavailable(f"the gateway at {path} did not respond: see its log") from None
    finally:
        writer.close()
    return dict(reply)


async def listen(path: Path, link: str | None) -> AsyncIterator[dict[str, Any]]:
    """Yield a line for each read and write of the running gateway's links from now on. `link`: the link to capture;
    None for all links. If the gateway ends the capture, the last line is {"end": …} with the reason."""
    reader, writer = await _connect(path)
    try:
        writer.write(orjson.dumps({"ask": "capture", "link": link}) + b"\n")
        while line := await reader.readline():
            yield orjson.loads(line)
    except OSError:
        return
    finally:
        writer.close()


class Conversation:
    """The client's side of a conversation (`Dialogue`). Leaving the `async with` block hangs up, which ends the
    conversation."""

    def __init__(self, path: Path, request: Mapping[str, Any]) -> None:
        self._path = path
        self._request = request

    async def __aenter__(self) -> "Conversation":
        self._reader, self._writer = await _connect(self._path)
        self._write(self._request)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def lines(self) -> AsyncIterator[dict[str, Any]]:
        """Yield lines until the gateway closes the conversation. Raises `ControlUnavailable` when no line comes for
        longer than a conversation may last."""
        try:
            while True:
                async with asyncio.timeout(DIALOGUE_S + ASK_S):
                    line = await self._reader.readline()
                if not line:
                    return
                yield orjson.loads(line)
        except (OSError, ValueError):
            raise ControlUnavailable(f"the gateway at {self._path} did not respond: see its log") from None

    def reply(self, value: Any) -> None:
        """Send the reply to the gateway's last question."""
        self._write({"answer": value})

    def _write(self, line: Mapping[str, Any]) -> None:
        self._writer.write(orjson.dumps(line) + b"\n")
