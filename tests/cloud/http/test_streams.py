"""A streamed response is sent in parts, and a client can distinguish a complete body from one that was cut off."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import httpx
import pytest

from cloud.foundation.http import PUBLIC, Host, Request, Response, Route, Streamed, streaming
from tests.builders.http_surface import Surface, surface
from tests.harness.eventually import WITHIN_S, eventually
from tests.harness.plain_http import PLAIN

LINES = [b"one\n", b"", b"two\n", b"x" * 3_000_000]


def route(parts: Callable[[], AsyncIterator[bytes]]) -> Route:
    async def handler(request: Request) -> Response:
        return Streamed(parts(), "application/x-ndjson", tenant_id=request.headers.get("Tenant", "tnt_north"))

    return Route(method="GET", path="/lines", handler=handler, host=Host.API, scopes=PUBLIC)


async def complete() -> AsyncIterator[bytes]:
    for line in LINES:
        yield line


async def get(served: Surface, method: str = "GET", *, tenant: str = "tnt_north") -> httpx.Response:
    async with httpx.AsyncClient(base_url=served.url(""), verify=PLAIN, timeout=WITHIN_S) as client:
        return await client.request(method, "/lines", headers={"Tenant": tenant})


async def test_parts_are_sent_as_one_chunked_body_and_the_connection_is_kept() -> None:
    async with (
        surface(route(complete)) as served,
        httpx.AsyncClient(base_url=served.url(""), verify=PLAIN, timeout=WITHIN_S) as client,
    ):
        for _ in range(2):
            response = await client.get("/lines")
            assert response.content == b"".join(LINES)
            assert response.headers["Transfer-Encoding"] == "chunked"
            assert "Content-Length" not in response.headers
            assert "Connection" not in response.headers


async def test_head_response_has_the_headers_and_reads_no_part() -> None:
    async def unread() -> AsyncIterator[bytes]:
        raise AssertionError("a part was read")
        yield b""

    async with surface(route(unread)) as served:
        response = await get(served, "HEAD")
        assert (response.status_code, response.content) == (200, b"")
        assert response.headers["Transfer-Encoding"] == "chunked"


async def test_body_of_a_stream_that_fails_is_incomplete() -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"one\n"
        raise RuntimeError("the database is not available")

    async with surface(route(failing)) as served:
        with pytest.raises(httpx.RemoteProtocolError):
            await get(served)


async def test_client_of_http_1_0_gets_the_body_until_the_end_of_the_connection() -> None:
    async with surface(route(complete)) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(served.url("")).port)
        writer.write(b"GET /lines HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
    assert b"Transfer-Encoding" not in head
    assert b"Connection: close" in head
    assert body == b"".join(LINES)


async def test_stream_ends_when_its_client_disconnects(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = []

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 65_536
        finally:
            ended.append(True)

    async with surface(route(endless)) as served:
        async with (
            httpx.AsyncClient(base_url=served.url(""), verify=PLAIN, timeout=WITHIN_S) as client,
            client.stream("GET", "/lines") as response,
        ):
            await anext(response.aiter_raw())
        await eventually(lambda: bool(ended))


async def test_further_stream_is_refused_while_the_most_are_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "STREAMS_MAX", 1)
    free = asyncio.Event()

    async def held() -> AsyncIterator[bytes]:
        yield b"one\n"
        await free.wait()

    async with (
        surface(route(held)) as served,
        httpx.AsyncClient(base_url=served.url(""), verify=PLAIN, timeout=WITHIN_S) as client,
    ):
        async with client.stream("GET", "/lines") as response:
            await anext(response.aiter_raw())
            refused = await get(served)
            assert (refused.status_code, refused.json()["code"]) == (503, "too_many_streams")
            assert "Retry-After" in refused.headers
            free.set()
        assert (await get(served)).status_code == 200


async def test_last_streams_are_for_tenants_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "STREAMS_MAX", 3)
    monkeypatch.setattr(streaming, "FIRST_STREAMS", 1)
    free = asyncio.Event()

    async def held() -> AsyncIterator[bytes]:
        yield b"one\n"
        await free.wait()

    async with surface(route(held)) as served, AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            httpx.AsyncClient(base_url=served.url(""), verify=PLAIN, timeout=WITHIN_S)
        )

        async def begin(tenant: str) -> None:
            response = await stack.enter_async_context(client.stream("GET", "/lines", headers={"Tenant": tenant}))
            await anext(response.aiter_raw())

        for _ in range(2):
            await begin("tnt_north")
        refused = await get(served)
        assert (refused.status_code, refused.json()["code"]) == (429, "tenant_streams_taken")
        assert "Retry-After" in refused.headers
        await begin("tnt_south")
        for tenant in ("tnt_north", "tnt_south", "tnt_west"):
            assert (await get(served, tenant=tenant)).json()["code"] == "too_many_streams"
        assert (await get(served, "HEAD")).status_code == 200  # it takes no stream
        free.set()


async def test_stream_over_its_time_limit_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "STREAM_S_MAX", 0.0)

    async def stuck() -> AsyncIterator[bytes]:
        yield b"one\n"
        await asyncio.Event().wait()

    async with surface(route(stuck)) as served:
        with pytest.raises(httpx.RemoteProtocolError):
            await get(served)
