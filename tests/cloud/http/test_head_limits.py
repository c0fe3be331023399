"""The size of a request head is limited, in whatever parts the head arrives."""

import asyncio
from collections.abc import Sequence
from contextlib import closing

import pytest

from cloud.foundation.http import Host
from tests.builders.http_surface import route, surface

HEAD_BYTES_MAX = 64 * 1024
HEADERS_MAX = 100


def _head(size: int, *, name: bytes = b"X-Filler") -> bytes:
    """Return a request head of exactly `size` bytes."""
    begin, end = b"GET /thing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", b"\r\n"
    lines = b""
    left = size - len(begin) - len(end)
    while left:
        length = min(left, 8000) if left > 8100 or left <= 8000 else left - 100
        lines += name + b": " + b"a" * (length - len(name) - 4) + b"\r\n"
        left -= length
    return begin + lines + end


async def _status(at: tuple[str, int], pieces: Sequence[bytes]) -> bytes:
    reader, writer = await asyncio.open_connection(*at)
    with closing(writer):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        return (await reader.read())[:12]


@pytest.mark.contract("S-174")
@pytest.mark.finding("security-low-head")
@pytest.mark.parametrize("cut", [0, 1, 30_000, 60_000, 70_000])
async def test_request_head_over_the_size_limit_is_refused_when_sent_in_one_or_two_parts(cut: int) -> None:
    head = _head(84_000)
    async with surface(route(), hosts=(Host.API,)) as served:
        assert await _status(served.at(), [head[:cut], head[cut:]] if cut else [head]) == b"HTTP/1.1 431"


@pytest.mark.finding("security-low-head")
@pytest.mark.parametrize("cut", [0, 30_000, 60_000, 80_000])
async def test_request_head_over_the_size_limit_is_refused_when_pipelined_after_another_request(cut: int) -> None:
    first = b"GET /thing HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with surface(route(), hosts=(Host.API,)) as served:
        reader, writer = await asyncio.open_connection(*served.at())
        with closing(writer):
            whole = first + _head(84_000)
            writer.write(whole[:cut])
            await writer.drain()
            await asyncio.sleep(0)
            writer.write(whole[cut:])
            answers = await reader.read()
    assert answers.startswith(b"HTTP/1.1 200 ")
    assert answers.count(b"HTTP/1.1 200 ") == 1


async def test_request_head_over_the_size_limit_is_refused_when_it_consists_of_spaces() -> None:
    blanks = b"GET /thing HTTP/1.1\r\nHost: localhost\r\n" + (b"X:" + b" " * 8000 + b"\r\n") * 10 + b"\r\n"
    async with surface(route(), hosts=(Host.API,)) as served:
        assert await _status(served.at(), [blanks]) == b"HTTP/1.1 431"


async def test_request_with_a_head_within_the_size_limit_is_served() -> None:
    async with surface(route(), hosts=(Host.API,)) as served:
        head = _head(HEAD_BYTES_MAX - 100)
        assert await _status(served.at(), [head]) == b"HTTP/1.1 200"
        assert await _status(served.at(), [head[:40_000], head[40_000:]]) == b"HTTP/1.1 200"
        many = b"".join(b"X-%d: a\r\n" % number for number in range(HEADERS_MAX + 1))
        assert await _status(served.at(), [b"GET /thing HTTP/1.1\r\nHost: localhost\r\n" + many + b"\r\n"]) in (
            b"HTTP/1.1 431",
            b"HTTP/1.1 400",
        )


async def test_request_body_received_in_one_read_with_its_head_does_not_count_for_the_head_limit() -> None:
    body = b"x" * 200_000
    request = b"POST /thing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with surface(route(method="POST"), hosts=(Host.API,)) as served:
        assert await _status(served.at(), [request + body]) == b"HTTP/1.1 200"
