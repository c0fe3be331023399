"""A byte that is not valid text, in a cookie, another header or the request target, causes no server error."""

import asyncio
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from cloud.foundation.http import Host
from tests.builders.auth_world import AuthWorld
from tests.builders.sign_in import at_the_door
from tests.harness.auth_server import AuthServer

RAW = b"\xff\xfe\x80"
HEADERS = (
    b"Accept",
    b"Accept-Language",
    b"Authorization",
    b"Content-Type",
    b"Idempotency-Key",
    b"If-Match",
    b"If-None-Match",
    b"Origin",
    b"Sec-Fetch-Site",
    b"User-Agent",
    b"X-Forwarded-For",
    b"X-Tenant-ID",
    b"traceparent",
)


async def status_of(server: AuthServer, line: bytes, headers: bytes, body: bytes = b"") -> int:
    where = urlsplit(server.url(Host.AUTH, "/"))
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    with closing(writer):
        writer.write(
            line
            + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            + headers
            + b"Content-Length: %d\r\n\r\n" % len(body)
            + body
        )
        return int((await reader.read()).split(b" ", 2)[1])


@pytest.mark.finding("security-low-cookies")
async def test_sign_in_cookie_with_a_non_ascii_byte_is_ignored(world: AuthWorld) -> None:
    async with at_the_door(world) as server:
        for name in (b"session", b"visit", b"browser", b"language"):
            for value in (RAW, b"abc" + RAW, "ą".encode()):
                cookie = b"Cookie: __Host-argus_%s=%s; argus_%s=%s\r\n" % (name, value, name, value)
                assert await status_of(server, b"GET /sign-in", cookie) == 200
                assert await status_of(server, b"GET /v1/oauth/authorize?client_id=x", cookie) < 500
                form = cookie + b"Content-Type: application/x-www-form-urlencoded\r\n"
                body = b"username=a&password=b&form_token=c"
                assert await status_of(server, b"POST /sign-in", form, body) == 403
                assert await status_of(server, b"POST /sign-out", form, b"form_token=c") < 500


async def test_non_ascii_bytes_in_a_header_or_request_target_cause_no_5xx_response(world: AuthWorld) -> None:
    async with at_the_door(world) as server:
        for path in (b"/sign-in", b"/v1/oauth/authorize", b"/nothing", b"/v1/oauth/token"):
            for name in HEADERS:
                for value in (RAW, b"Bearer " + RAW, b"Basic " + RAW):
                    assert await status_of(server, b"GET " + path, name + b": " + value + b"\r\n") < 500, (path, name)
            for target in (path + b"/" + RAW, path + b"?a=" + RAW, path + b"?" + RAW + b"=1"):
                assert await status_of(server, b"GET " + target, b"") < 500, target
