"""Attacks on the cloud's hosts, without credentials or with the valid token of one integrator. `tests.tidy.findings`
explains the findings in brackets.
"""

import asyncio
from itertools import count

from tests.soak.attackers.target import Attack, Target, exchange, hold_connections, http_request

SPACES = 40_000
SLOW_BODIES = 80
REQUESTS_A_SECOND = 20


async def host_of_spaces(target: Target) -> None:
    """Send an unknown method with a Host header that has 40 000 spaces inside (finding security-1)."""
    request = b"FROB /health/live HTTP/1.1\r\nHost: x" + b" " * SPACES + b"y\r\n\r\n"
    while True:
        await exchange(target.api, request)
        await asyncio.sleep(1 / REQUESTS_A_SECOND)


async def escaped_quotes(target: Target) -> None:
    """Send a JSON body of brackets and escaped quotes, with a valid token (finding security-4)."""
    body = b"[" * 65 + b'"' + b'\\"' * 60_000
    lines = (f"Authorization: Bearer {target.token}", "Content-Type: application/json")
    while True:
        await exchange(target.api, http_request("POST", "/api/v1/devices", *lines, body=body))
        await asyncio.sleep(1 / REQUESTS_A_SECOND)


async def slow_bodies(target: Target) -> None:
    """Send request bodies at one byte a second (finding security-12): on 80 connections to a route without a body, and
    on 80 to a route that reads a form."""
    unwanted = http_request("GET", "/health/live", length=1000)
    form = http_request("POST", "/v1/oauth/token", "Content-Type: application/x-www-form-urlencoded", length=1000)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hold_connections(target.api, SLOW_BODIES, unwanted, b"x", source=lambda _: "127.0.0.1"))
        tasks.create_task(hold_connections(target.auth, SLOW_BODIES, form, b"x", source=lambda _: "127.0.0.1"))


async def slow_heads(target: Target) -> None:
    """Send request headers at one byte a second, on 80 connections."""
    await hold_connections(target.api, SLOW_BODIES, b"GET / HTTP/1.1\r\nX-A: ", b"a", source=lambda _: "127.0.0.1")


async def made_up_tokens(target: Target) -> None:
    """Send requests without a token and with invalid tokens, from the address that all integrators share (finding
    cloud-1)."""
    for number in count():
        lines = () if number % 2 else (f"Authorization: Bearer eyJhbGciOiJSUzI1NiJ9.e30.{number:0342d}",)
        await exchange(target.api, http_request("GET", "/api/v1/devices", *lines))
        await asyncio.sleep(1 / REQUESTS_A_SECOND)


async def raw_cookies(target: Target) -> None:
    """Send cookies that are not valid text, and request headers above the size limit."""
    cookies = http_request("GET", "/sign-in", "Cookie: argus_session=\xff\xfe; argus_visit=\xff")
    head = http_request("GET", "/health/live", f"X-Filler: {'a' * 84_000}")
    while True:
        await exchange(target.auth, cookies)
        await exchange(target.auth, head)
        await asyncio.sleep(1 / REQUESTS_A_SECOND)


async def burst_of_sign_ins(target: Target) -> None:
    """Send twenty sign-ins with a wrong password for one user at once, every second (finding cloud-5)."""
    form = f"username={target.username}&password=wrong".encode()
    request = http_request("POST", "/sign-in", "Content-Type: application/x-www-form-urlencoded", body=form)
    while True:
        await asyncio.gather(*(exchange(target.auth, request) for _ in range(20)))
        await asyncio.sleep(1.0)


CLOUD_HTTP_ATTACKS: dict[str, Attack] = {
    "host_of_spaces": host_of_spaces,
    "escaped_quotes": escaped_quotes,
    "slow_bodies": slow_bodies,
    "slow_heads": slow_heads,
    "made_up_tokens": made_up_tokens,
    "raw_cookies": raw_cookies,
    "burst_of_sign_ins": burst_of_sign_ins,
}
