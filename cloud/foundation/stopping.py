"""Wait in a loop that ends when a stop is requested."""

import asyncio


async def pause(stopping: asyncio.Event, duration_s: float) -> None:
    """Wait for a time, or until a stop is requested."""
    try:
        async with asyncio.timeout(duration_s):
            await stopping.wait()
    except TimeoutError:
        return
