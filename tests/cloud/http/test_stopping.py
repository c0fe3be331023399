"""Stopping a process interrupts no request, and idle or slow connections are closed within a limit (contract S-193)."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import aiohttp
import pytest

from cloud.foundation.clock import SystemClock
from cloud.foundation.http import Host, Json, Request, Response
from cloud.foundation.http import connection as connections
from cloud.foundation.http import server as servers
from cloud.foundation.http.settings import HttpSection
from cloud.foundation.http.site import Site
from cloud.foundation.settings import Address
from cloud.hosts import HostServer
from cloud.surface import PipelineFactory
from tests.builders.http_surface import BASES, KnownTokens, route, surface
from tests.harness.eventually import WITHIN_S, eventually

GET = b"GET /thing HTTP/1.1\r\nHost: localhost\r\n"


async def slow(_request: Request) -> Response:
    await asyncio.sleep(0.01)
    return Json({"ok": True})


def server(*rows: object) -> HostServer:
    limits = HttpSection(requests_per_minute=10**9, public_per_minute=10**9)
    make = PipelineFactory(limits, BASES, SystemClock(), KnownTokens(), None)
    return HostServer([(Site(Host.API, rows, BASES), Address("127.0.0.1", 0))], make)  # type: ignore[arg-type]


async def test_every_request_under_load_gets_its_response_when_the_process_stops() -> None:
    served = server(route(handler=slow))
    url = f"http://{(await served.start())['api']}/thing"
    outcomes: Counter[str] = Counter()
    stopped = asyncio.Event()

    async def client() -> None:
        # With a missing response the test fails, and does not hang.
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=WITHIN_S)) as session:
            while True:
                try:
                    async with session.get(url) as answer:
                        await answer.read()
                        outcomes[str(answer.status)] += 1
                except aiohttp.ClientConnectorError:
                    return  # the listener is closed: no request was sent
                except aiohttp.ClientError as error:
                    outcomes[type(error).__name__] += 1
                    return

    async with asyncio.TaskGroup() as tasks:
        for _ in range(16):
            tasks.create_task(client())
        await eventually(lambda: outcomes["200"] > 100, what="there is load")
        await served.stop()
        stopped.set()
    assert set(outcomes) == {"200"}


async def test_response_to_a_request_in_progress_has_a_connection_close_header_when_the_process_stops() -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def waiting(_request: Request) -> Response:
        begun.set()
        await go.wait()
        return Json({"done": True})

    served = server(route(handler=waiting))
    address = (await served.start())["api"]
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(GET + b"\r\n")
    await begun.wait()
    stopping = asyncio.ensure_future(served.stop())
    await asyncio.sleep(0)
    go.set()
    answer = await reader.read()
    await stopping
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nConnection: close\r\n" in answer
    writer.close()


async def connect(at: tuple[str, int], octets: bytes, count: int) -> Sequence[asyncio.StreamReader]:
    readers = []
    for _ in range(count):
        reader, writer = await asyncio.open_connection(*at)
        writer.write(octets)
        readers.append(reader)
        reader.keep = writer  # type: ignore[attr-defined]  # a writer without a reference closes its connection
    return readers


@pytest.mark.contract("S-193", "A-007")
async def test_unfinished_request_head_gets_408_and_a_silent_connection_is_closed_without_a_response(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(servers, "LOOK_EVERY_S", 0.1)
    async with surface(route(), hosts=(Host.API,)) as served:
        slow_ones = await connect(served.at(), GET + b"X-Slow: ", 3)
        silent = await connect(served.at(), b"", 3)
        (listening,) = served.server._servers
        # A connection whose bytes were not read yet would be a silent one.
        await eventually(lambda: sum(bool(one._head_bytes) for one in listening.connections) == 3)
        monkeypatch.setattr(connections, "HEAD_S_MAX", 0.2)
        async with asyncio.timeout(WITHIN_S):
            for reader in slow_ones:
                answer = await reader.read()
                assert answer.startswith(b"HTTP/1.1 408 ")
                assert b"X-Argus-Trace-ID: " in answer
            assert [await reader.read() for reader in silent] == [b""] * 3


@pytest.mark.contract("S-193", "S-174")
async def test_size_of_a_request_head_sent_line_by_line_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_BYTES_MAX", 4096)
    async with surface(route(), hosts=(Host.API,)) as served:
        reader, writer = await asyncio.open_connection(*served.at())
        writer.write(GET)
        for number in range(8):
            writer.write(b"X-Note-%d: " % number + b"a" * 1000 + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)
        assert (await reader.read()).startswith(b"HTTP/1.1 431 ")
        writer.close()


@pytest.mark.contract("S-193")
async def test_longest_idle_connection_is_closed_for_a_new_client_when_all_connections_are_in_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cloud.hosts.connections_allowed", lambda: 3)
    async with surface(route(), hosts=(Host.API,)) as served:
        idle = await connect(served.at(), b"", 3)
        newcomer = (await connect(served.at(), GET + b"Connection: close\r\n\r\n", 1))[0]
        assert (await newcomer.read()).startswith(b"HTTP/1.1 200 ")
        assert await idle[0].read() == b""


@pytest.mark.contract("S-193")
async def test_new_connection_gets_503_when_no_connection_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def waiting(_request: Request) -> Response:
        begun.set()
        await go.wait()
        return Json({})

    monkeypatch.setattr("cloud.hosts.connections_allowed", lambda: 1)
    async with surface(route(handler=waiting), hosts=(Host.API,)) as served:
        busy = (await connect(served.at(), GET + b"Connection: close\r\n\r\n", 1))[0]
        await begun.wait()
        newcomer = (await connect(served.at(), b"", 1))[0]
        answer = await newcomer.read()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 5\r\n" in answer
        go.set()
        assert (await busy.read()).startswith(b"HTTP/1.1 200 ")
