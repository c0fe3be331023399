"""A client that sends slowly or does not read its response delays no other client (contract S-193)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing

import pytest
from pydantic import BaseModel, ConfigDict

from cloud.foundation.health.routes import HealthHandlers, health_rows
from cloud.foundation.http import Host, Json, Request, Response
from cloud.foundation.http.body_room import BodyRoom
from cloud.foundation.http.connection import Connection
from tests.builders.http_surface import Surface, route, surface
from tests.harness.eventually import eventually

PLACES = 16
JSON = b"Host: localhost\r\nContent-Type: application/json\r\n"
LIVE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
UNWANTED_BODY = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
WANTED_BODY = b"POST /read HTTP/1.1\r\n" + JSON + b"Content-Length: 1000\r\n\r\n{"
PARTIAL_HEAD = b"GET /health/live HTTP/1.1\r\nHost: loc"


class Anything(BaseModel):
    model_config = ConfigDict(extra="allow")


async def read_size(request: Request) -> Response:
    return Json({"octets": len(request.raw_body)})


ROUTES = (*health_rows(HealthHandlers(())), route("/read", read_size, method="POST", body=Anything))


@pytest.fixture
async def served(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Surface]:
    monkeypatch.setattr("cloud.hosts.connections_allowed", lambda: PLACES)
    async with surface(*ROUTES, hosts=(Host.API,)) as running:
        yield running


@asynccontextmanager
async def open_senders(
    served: Surface, data: bytes, count: int, address: str = "127.0.0.1"
) -> AsyncIterator[Sequence[asyncio.StreamReader]]:
    """Open `count` connections from one address, on which `data` and nothing more is sent; yield their readers."""
    opened = []
    for _ in range(count):
        reader, writer = await asyncio.open_connection(*served.at(), local_addr=(address, 0))
        writer.write(data)
        opened.append((reader, writer))
    try:
        yield [reader for reader, _ in opened]
    finally:
        for _, writer in opened:
            writer.transport.abort()


async def fetch_response(served: Surface, data: bytes, address: str = "127.0.0.1") -> bytes:
    reader, writer = await asyncio.open_connection(*served.at(), local_addr=(address, 0))
    with closing(writer):
        writer.write(data)
        return await reader.read()


@pytest.mark.finding("security-12")
@pytest.mark.parametrize("data", [UNWANTED_BODY, WANTED_BODY, PARTIAL_HEAD], ids=["unwanted", "wanted", "head"])
async def test_client_is_served_while_slow_senders_occupy_every_connection(served: Surface, data: bytes) -> None:
    async with open_senders(served, data, PLACES + PLACES // 4):
        for _ in range(PLACES):
            assert (await fetch_response(served, LIVE)).startswith(b"HTTP/1.1 200 ")


@pytest.mark.finding("security-12")
async def test_response_of_a_route_that_reads_no_body_is_sent_before_the_request_body_arrives(served: Surface) -> None:
    async with asyncio.timeout(30):
        answer = await fetch_response(served, UNWANTED_BODY)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nConnection: close\r\n" in answer


async def test_connection_stays_open_after_an_unread_request_body_that_arrived_with_the_request_head(
    served: Surface,
) -> None:
    request = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nabcd"
    answers = await fetch_response(served, request + LIVE)
    assert answers.count(b"HTTP/1.1 200 ") == 2


async def test_slow_request_of_the_address_with_most_connections_is_refused_with_503(served: Surface) -> None:
    async with (
        open_senders(served, WANTED_BODY, 1, "127.0.0.2") as (patient,),
        open_senders(served, WANTED_BODY, PLACES - 1, "127.0.0.3") as greedy,
    ):
        for _ in range(PLACES // 2):
            assert (await fetch_response(served, LIVE, "127.0.0.4")).startswith(b"HTTP/1.1 200 ")
        refused = await greedy[0].read()
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 5\r\n" in refused
        assert not patient.at_eof()


async def test_bytes_of_unfinished_request_bodies_in_memory_are_bounded(served: Surface) -> None:
    (server,) = served.server._servers
    server.body_room = BodyRoom(Connection.give_way, bytes_max=1_000)
    head = b"POST /read HTTP/1.1\r\n" + JSON + b"Connection: close\r\nContent-Length: 900\r\n\r\n"
    modest, modest_writer = await asyncio.open_connection(*served.at(), local_addr=("127.0.0.2", 0))
    greedy, greedy_writer = await asyncio.open_connection(*served.at(), local_addr=("127.0.0.3", 0))
    with closing(modest_writer), closing(greedy_writer):
        modest_writer.write(head + b'{"a":"' + b"x" * 394)
        await eventually(lambda: server.body_room.held_bytes == 400)
        greedy_writer.write(head + b'{"a":"' + b"x" * 694)
        assert (await greedy.read()).startswith(b"HTTP/1.1 503 ")
        assert server.body_room.held_bytes == 400
        modest_writer.write(b"x" * 498 + b'"}')
        assert (await modest.read()).startswith(b"HTTP/1.1 200 ")
    assert server.body_room.held_bytes == 0


async def test_connection_of_a_client_that_does_not_read_its_response_is_closed_to_serve_another_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cloud.hosts.connections_allowed", lambda: 1)

    async def write_much(_request: Request) -> Response:
        return Json({"much": "x" * 20_000_000})

    get = b"GET /much HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with surface(route("/much", write_much), *ROUTES, hosts=(Host.API,)) as served, open_senders(served, get, 1):
        (server,) = served.server._servers
        await eventually(lambda: any(one.writing_paused for one in server.connections))
        assert (await fetch_response(served, LIVE)).startswith(b"HTTP/1.1 200 ")


async def test_connection_lost_within_a_request_body_is_counted_as_status_400(served: Surface) -> None:
    counted: list[int] = []

    class Counting:
        def request_began(self, host: str) -> None: ...

        def request_ended(self, host: str, method: str, route: str | None, status: int, seconds: float) -> None:
            counted.append(status)

        def parser_refused(self, status: int) -> None: ...

        def rate_limited(self, host: str, rate_class: str) -> None: ...

    async with surface(*ROUTES, hosts=(Host.API,), observer=Counting()) as watched:
        async with open_senders(watched, WANTED_BODY, 1):
            (server,) = watched.server._servers
            await eventually(lambda: bool(server._busy))
        await eventually(lambda: counted)
    assert counted == [400]


async def test_request_with_expect_continue_and_an_unread_body_gets_its_response_at_once(served: Surface) -> None:
    request = UNWANTED_BODY.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
    async with asyncio.timeout(30):
        answer = await fetch_response(served, request)
    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_number_of_queued_pipelined_requests_is_bounded_and_other_clients_are_not_delayed(
    served: Surface,
) -> None:
    get = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    reader, writer = await asyncio.open_connection(*served.at(), local_addr=("127.0.0.2", 0))
    with closing(writer):
        writer.write(get * 2_000)
        (server,) = served.server._servers
        most = 0
        for _ in range(20):
            assert (await fetch_response(served, LIVE)).startswith(b"HTTP/1.1 200 ")
            most = max(most, *(len(one._messages) for one in server.connections), 0)
        assert most <= 100, "the rest waits with the client"
        writer.write(LIVE)
        answers = await reader.read()
    assert answers.count(b"HTTP/1.1 200 ") == 2_001


@pytest.mark.parametrize("trickled", [False, True])
async def test_request_with_a_malformed_transfer_coding_is_refused_at_once(served: Surface, trickled: bool) -> None:
    head = b"POST /read HTTP/1.1\r\n" + JSON + b"Transfer-Encoding: chunked\r\n\r\n"
    reader, writer = await asyncio.open_connection(*served.at())
    with closing(writer):
        if trickled:
            (server,) = served.server._servers
            writer.write(head)
            await eventually(lambda: bool(server._busy))
            writer.write(b"no number\r\n")
        else:
            writer.write(head + b"no number\r\n")
        async with asyncio.timeout(30):
            answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"\r\nConnection: close\r\n" in answer
