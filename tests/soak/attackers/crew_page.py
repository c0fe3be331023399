"""Attacks on the crew page, by a person in the vehicle's network. `tests.tidy.findings` explains the findings in
brackets.
"""

import asyncio
from itertools import count

from tests.soak.attackers.target import Attack, Target, exchange, hold_connections, http_request

SILENT = 300
FORM = "Content-Type: application/x-www-form-urlencoded"


async def silent_pages(target: Target) -> None:
    """Open 300 connections that never send a byte, from twenty addresses (finding security-10)."""
    await hold_connections(target.crew, SILENT, b"", b"", source=lambda n: f"127.0.6.{n % 20 + 1}")


async def wrong_pins(target: Target) -> None:
    """Send up to ten PINs a second, five from each sender's address (finding security-11)."""
    for number in count():
        request = http_request("POST", "/sign-in", FORM, body=f"pin={number % 1_000_000:06d}".encode())
        await exchange(target.crew, request, source=f"127.0.7.{number // 5 % 250 + 1}")
        await asyncio.sleep(0.1)


async def slow_forms(target: Target) -> None:
    """Send the body of a sign-in form at one byte a second, on 40 connections from ten addresses."""
    request = http_request("POST", "/sign-in", FORM, length=1000)
    await hold_connections(target.crew, 40, request, b"1", source=lambda n: f"127.0.8.{n % 10 + 1}")


CREW_PAGE_ATTACKS: dict[str, Attack] = {
    "silent_pages": silent_pages,
    "wrong_pins": wrong_pins,
    "slow_forms": slow_forms,
}
