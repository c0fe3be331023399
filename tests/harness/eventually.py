"""Waits for a real process or socket without a guess of the time that it takes.

This is the only place of the test suite that waits by the machine's clock. Everything else moves time by hand
(`moved_clock`).
"""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

_POLL_S = 0.01


async def eventually(
    condition: Callable[[], T | Awaitable[T]], *, within_s: float = 20.0, what: str = "", poll_s: float = _POLL_S
) -> T:
    """Poll `condition` (plain or async) until it is true and return its value; AssertionError after `within_s`.

    A condition that starts a program is polled less often (`poll_s`).
    """
    deadline_s = time.monotonic() + within_s
    while True:
        answer = condition()
        value: T = await answer if inspect.isawaitable(answer) else answer
        if value:
            return value
        if time.monotonic() >= deadline_s:
            description = what or getattr(condition, "__qualname__", repr(condition))
            raise AssertionError(f"still not so after {within_s} s: {description} (last value {value!r})")
        await asyncio.sleep(poll_s)


def until(condition: Callable[[], T], *, within_s: float = 20.0, what: str = "") -> T:
    """Do the same as `eventually` without an event loop, for tests of a process that runs by itself."""
    deadline_s = time.monotonic() + within_s
    while not (value := condition()):
        if time.monotonic() >= deadline_s:
            description = what or getattr(condition, "__qualname__", repr(condition))
            raise AssertionError(f"still not so after {within_s} s: {description} (last value {value!r})")
        time.sleep(_POLL_S)
    return value
