"""Functions that wait for a real process or socket by polling, instead of sleeping for a guessed time.

No other part of the test suite waits by the machine's clock; everywhere else a test moves the time (`moved_clock`).
"""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

WITHIN_S = 60.0
"""Limit for a condition that never becomes true. It is far above what a loaded machine needs, so that a test that waits
does not depend on the load."""
_POLL_S = 0.01


async def eventually(
    condition: Callable[[], T | Awaitable[T]], *, within_s: float = WITHIN_S, what: str = "", poll_s: float = _POLL_S
) -> T:
    """Poll `condition` (plain or async) until its value is true, and return the value.

    Raises AssertionError with `what` after `within_s`. For a condition that starts a program, set a longer `poll_s`.
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


def until(condition: Callable[[], T], *, within_s: float = WITHIN_S, what: str = "") -> T:
    """Poll `condition` until its value is true, and return the value. The thread is blocked meanwhile, so this is for
    tests without an event loop."""
    deadline_s = time.monotonic() + within_s
    while not (value := condition()):
        if time.monotonic() >= deadline_s:
            description = what or getattr(condition, "__qualname__", repr(condition))
            raise AssertionError(f"still not so after {within_s} s: {description} (last value {value!r})")
        time.sleep(_POLL_S)
    return value
