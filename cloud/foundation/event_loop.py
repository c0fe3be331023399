"""The event loop of the service: uvloop where it is installed, as in a gateway, since its turns cost much less.

Its clock stands still during a turn and counts whole milliseconds, so code that measures a time within a turn reads
`time.monotonic`.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


def new_service_loop() -> asyncio.AbstractEventLoop:
    """Return a new event loop of the kind on which the service runs."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def run_service(main: Coroutine[Any, Any, Result]) -> Result:
    """Run `main` to its end, and return its result."""
    with asyncio.Runner(loop_factory=new_service_loop) as runner:
        return runner.run(main)
