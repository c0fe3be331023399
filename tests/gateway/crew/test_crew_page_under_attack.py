"""The crew page stays available to the crew's tablet, whatever another client in the vehicle's network sends."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aiohttp
import pytest

from gateway.crew.app import ADDRESS_PAGES_MAX, PAGES_MAX, TRENDS
from gateway.crew.connections import ADDRESS_CONNECTIONS_MAX, CONNECTIONS_MAX, IDLE_S_MAX, SWEEP_EVERY_S
from gateway.crew.request_checks import BODY_S_MAX
from tests.harness.crew_app import PIN, crew_app
from tests.harness.eventually import eventually
from tests.harness.moved_clock import MovedClock


class Held:
    """An open connection of an attacker to the crew page."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def ended(self) -> bool:
        return self.reader.at_eof() or self.reader.exception() is not None

    def send(self, data: bytes) -> None:
        self.writer.write(data)


async def hold(url: str, *, address: str = "127.0.0.1") -> Held:
    parts = urlsplit(url)
    return Held(*await asyncio.open_connection(parts.hostname, parts.port, local_addr=(address, 0)))


@asynccontextmanager
async def holding(url: str, count: int, *, address: str = "127.0.0.1") -> AsyncIterator[list[Held]]:
    """Yield `count` open connections from one address that have sent nothing."""
    held = [await hold(url, address=address) for _ in range(count)]
    try:
        yield held
    finally:
        for one in held:
            one.writer.transport.abort()


async def response(url: str, request: bytes) -> bytes:
    """Send a request and return all bytes that the page sends until it closes the connection."""
    held = await hold(url)
    held.send(request)
    try:
        async with asyncio.timeout(10):
            return await held.reader.read()
    finally:
        held.writer.transport.abort()


def post(url: str, *lines: str, body: bytes = b"pin=000000", form: str = "application/x-www-form-urlencoded") -> bytes:
    """Return the bytes of a sign-in request with these further header lines and `Connection: close`."""
    parts = urlsplit(url)
    head = ("POST /sign-in HTTP/1.1", f"Host: {parts.netloc}", f"Content-Type: {form}", "Connection: close", *lines)
    return (
        "".join(f"{line}\r\n" for line in head).encode("latin-1")
        + f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )


def tablet() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))


async def sign_in(client: aiohttp.ClientSession, url: str, pin: str = PIN) -> int:
    async with client.post(f"{url}/sign-in", data={"pin": pin}, allow_redirects=False) as reply:
        return reply.status


@pytest.mark.finding("security-10")
async def test_number_of_silent_connections_of_one_address_is_limited():
    async with crew_app() as url, holding(url, 228, address="127.0.0.2") as held:
        await eventually(
            lambda: sum(one.ended() for one in held) == 228 - ADDRESS_CONNECTIONS_MAX, what="the excess is closed"
        )
        async with tablet() as client:
            assert await sign_in(client, url) == 303


@pytest.mark.finding("security-10")
async def test_signed_in_tablet_stays_connected_when_other_addresses_reach_the_connection_limit():
    async with crew_app() as url, tablet() as client:
        assert await sign_in(client, url) == 303
        async with client.get(f"{url}/live") as live:
            addresses = [f"127.0.1.{n}" for n in range(1, CONNECTIONS_MAX // ADDRESS_CONNECTIONS_MAX + 3)]
            held = [await hold(url, address=address) for address in addresses for _ in range(ADDRESS_CONNECTIONS_MAX)]
            await eventually(
                lambda: sum(not one.ended() for one in held) < CONNECTIONS_MAX, what="the excess is closed"
            )
            assert await live.content.readline() != b""
            async with client.get(url, allow_redirects=False) as page:
                assert page.status == 200
            for one in held:
                one.writer.transport.abort()


@pytest.mark.finding("security-10")
@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"])
async def test_connection_without_a_further_request_is_closed_after_the_idle_limit(sent: bytes):
    clock = MovedClock()
    async with crew_app(clock=clock) as url, holding(url, 1) as [held]:
        held.send(sent)
        if sent.endswith(b"\r\n\r\n"):
            await held.reader.readuntil(b"</html>")
        await eventually(lambda: clock.sleepers == 1, what="the sweep waits")
        await clock.advance(IDLE_S_MAX - SWEEP_EVERY_S)
        assert not held.ended()
        held.send(b"G")
        await clock.advance(SWEEP_EVERY_S)
        await clock.advance(SWEEP_EVERY_S)
        await eventually(held.ended, within_s=IDLE_S_MAX / 2, what="the connection is closed before aiohttp would")


@pytest.mark.finding("security-10")
async def test_form_that_arrives_too_slowly_is_refused_after_the_body_timeout():
    clock = MovedClock()
    async with crew_app(clock=clock) as url, holding(url, 1) as [held]:
        whole = post(url)
        held.send(whole[:-4])
        await eventually(lambda: clock.next_deadline_s is not None, what="the page reads the form")
        await clock.advance(BODY_S_MAX)
        assert (await held.reader.read()).startswith(b"HTTP/1.1 408 ")


@asynccontextmanager
async def watching(url: str, count: int, address: str) -> AsyncIterator[list[aiohttp.ClientResponse]]:
    """Yield `count` live streams of one address, each of a tablet that has signed in."""
    source = aiohttp.TCPConnector(local_addr=(address, 0), limit=0)
    async with aiohttp.ClientSession(connector=source, cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
        assert await sign_in(client, url) == 303
        yield [await client.get(f"{url}/live") for _ in range(count)]


async def test_live_pages_of_one_address_are_limited_and_the_others_get_live_values():
    async with crew_app() as url, watching(url, ADDRESS_PAGES_MAX + 1, "127.0.0.2") as streams:
        assert [each.status for each in streams] == [200] * ADDRESS_PAGES_MAX + [429]
        assert streams[-1].headers["Retry-After"] == "30"
        assert "open pages" in await streams[-1].text()
        async with watching(url, 1, "127.0.0.3") as [live]:
            assert (live.status, await live.content.readline()) == (200, b"event: picture\n")


async def test_new_address_gets_a_live_page_where_others_hold_all_of_them():
    clock = MovedClock()
    async with (
        crew_app(clock=clock) as url,
        watching(url, ADDRESS_PAGES_MAX, "127.0.0.2") as first,
        watching(url, ADDRESS_PAGES_MAX, "127.0.0.3"),
        watching(url, PAGES_MAX - 2 * ADDRESS_PAGES_MAX, "127.0.0.4") as last,
        watching(url, 1, "127.0.0.5") as [newcomer],
    ):
        assert (last[-1].status, newcomer.status) == (200, 200)
        assert await newcomer.content.readline() == b"event: picture\n"
        for _ in range(20):
            await clock.advance(0.5)
        assert b"event: status" in await first[0].read(), "the oldest page of the first address has ended"


async def test_trends_have_a_rate_for_each_address():
    clock = MovedClock()
    async with crew_app(clock=clock) as url, tablet() as client:
        await sign_in(client, url)
        statuses = [(await client.get(f"{url}/trends")).status for _ in range(TRENDS.burst + 1)]
        assert statuses == [200] * TRENDS.burst + [429]
        await clock.advance(TRENDS.every_s)
        assert (await client.get(f"{url}/trends")).status == 200


WRONG_GUESSES = 30
"""Number of guesses above the limit of all unknown clients together; four from one address are below its limit."""


@pytest.mark.finding("security-11")
async def test_wrong_pins_from_other_addresses_do_not_lock_out_a_known_tablet():
    async with crew_app() as url, tablet() as known, tablet() as new:
        assert await sign_in(known, url) == 303
        known.cookie_jar.clear(lambda cookie: cookie.key == "argus_crew")
        parts = urlsplit(url)
        for number in range(WRONG_GUESSES):
            source = aiohttp.TCPConnector(local_addr=(f"127.0.2.{1 + number // 4}", 0), force_close=True)
            async with aiohttp.ClientSession(connector=source) as attacker:
                await sign_in(attacker, f"http://{parts.netloc}", "000000")
        assert await sign_in(known, url) == 303
        async with new.post(f"{url}/sign-in", data={"pin": PIN}, allow_redirects=False) as reply:
            assert reply.status == 429
            assert "Tablets that signed in before are not affected" in await reply.text()


@pytest.mark.finding("security-low-crew-input")
@pytest.mark.parametrize(
    ("lines", "form", "body", "status"),
    [
        ((), "application/x-www-form-urlencoded; charset=x-unknown", b"pin=000000", 403),
        ((), "multipart/form-data", b"pin=000000", 415),
        ((), "application/x-www-form-urlencoded", b"pin=\xff\xfe", 400),
        ((), "application/x-www-form-urlencoded", b"pin=%ff", 400),
        ((), "application/x-www-form-urlencoded", b"&".join([b"pin=1"] * 100), 400),
        (("Content-Encoding: gzip",), "application/x-www-form-urlencoded", b"pin=000000", 415),
        (("Content-Encoding: br",), "application/x-www-form-urlencoded", b"pin=000000", 415),
        (("Cookie: argus_crew=\xff; argus_tablet=\xff",), "application/x-www-form-urlencoded", b"pin=000000", 403),
    ],
)
async def test_malformed_form_is_refused_with_the_matching_http_status(
    lines: tuple[str, ...], form: str, body: bytes, status: int
):
    async with crew_app() as url:
        reply = await response(url, post(url, *lines, body=body, form=form))
        assert reply.startswith(f"HTTP/1.1 {status} ".encode())


@pytest.mark.finding("security-low-crew-host")
@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("attacker.example", 421),
        ("127.0.0.1.attacker.example", 421),
        ("[::bad", 421),
        ("", 421),
        ("127.0.0.1", 200),
        ("[::1]:8080", 200),
        ("localhost:8080", 200),
        (socket.gethostname().partition(".")[0].upper(), 200),
        ("tablet.ambulance.example", 200),
    ],
)
async def test_host_header_must_be_an_address_or_a_name_of_the_gateway(host: str, status: int):
    async with crew_app(host_names=frozenset({"tablet.ambulance.example"})) as url:
        request = f"GET /sign-in HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        assert (await response(url, request)).startswith(f"HTTP/1.1 {status} ".encode())


@pytest.mark.finding("security-low-server-header")
@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        b"GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
    ],
)
async def test_responses_neither_name_the_server_software_nor_quote_the_request(request_bytes: bytes):
    async with crew_app() as url:
        reply = await response(url, request_bytes)
        assert b"\r\nServer: Argus\r\n" in reply
        assert b"aiohttp" not in reply.lower()
        assert b"python" not in reply.lower()
        assert b"aaaa" not in reply


async def test_refused_origin_is_not_explained_by_the_role_of_a_person():
    async with crew_app() as url:
        headers = "Origin: null\r\nAccept: text/html\r\nAccept-Language: pl"
        reply = (await response(url, post(url, headers, body=b"pin=1"))).decode()
    assert "z własnej strony bramki" in reply
    assert "rola" not in reply


@pytest.mark.finding("security-low-crew-origin")
@pytest.mark.parametrize("origin", ["http://attacker.example", "null", "https://{host}", "http://{host}:81"])
async def test_form_of_a_foreign_origin_is_refused(origin: str):
    async with crew_app() as url:
        host = urlsplit(url).netloc
        reply = await response(url, post(url, f"Origin: {origin.format(host=host)}", body=b"pin=" + PIN.encode()))
        assert reply.startswith(b"HTTP/1.1 403 ")
        assert "own page" in reply.decode()
        same = await response(url, post(url, f"Origin: http://{host}", body=b"pin=" + PIN.encode()))
        assert same.startswith(b"HTTP/1.1 303 ")
