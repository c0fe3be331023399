"""A pause for background loops that ends early when a stop of the process is requested."""

import asyncio


async def pause(stopping: asyncio.Event, duration_s: float) -> None:
    """Sleep for `duration_s`, or until the event `stopping` is set."""
    try:
        async with asyncio.timeout(duration_s):
            await stopping.wait()
    except TimeoutError:
        return
