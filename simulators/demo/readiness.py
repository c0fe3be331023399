"""Checks that the demo's processes listen and respond. A check is repeated until it succeeds or its
time limit expires."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp

ASK_EVERY_S = 0.1


class DemoNotReady(Exception):
    """A part of the demo did not come up in time; the text has its name and the place of its log."""


async def eventually(what: str, condition: Callable[[], Awaitable[bool]], within_s: float) -> None:
    """Check `condition` repeatedly until it is true. Raises `DemoNotReady`, with the name `what`, after `within_s`."""
    try:
        async with asyncio.timeout(within_s):
            while not await condition():  # noqa: ASYNC110 - other processes become ready; nothing here is notified
                await asyncio.sleep(ASK_EVERY_S)
    except TimeoutError:
        late = f"{what} did not come within {within_s:.0f} s; the folder log of the state says why"
        raise DemoNotReady(late) from None


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def responds_over_http(url: str) -> bool:
    """Return True for a response with status 200. Proxy settings are ignored, since the URL is on loopback."""
    try:
        total = aiohttp.ClientTimeout(total=2)
        async with aiohttp.ClientSession(timeout=total, trust_env=False) as session, session.get(url) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
