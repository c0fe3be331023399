"""Run blocking work of connecting beside the event loop."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress


async def run_on_thread(work: Callable[[], None], *, ended: Callable[[], None]) -> None:
    """Run a blocking function on its own daemon thread, for which the gateway's shutdown does not wait. A name look-up
    may block for half a minute without a network.

    A thread cannot be cancelled: `ended` is called on the event loop when the function has ended, also if the caller
    was cancelled meanwhile. Raises what the function raises.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def finish(failure: Exception | None) -> None:
        ended()
        if done.done():
            return
        if failure is None:
            done.set_result(None)
        else:
            done.set_exception(failure)

    def run() -> None:
        failure: Exception | None = None
        try:
            work()
        except Exception as error:
            failure = error
        with suppress(RuntimeError):  # the loop has closed: so will the process
            loop.call_soon_threadsafe(finish, failure)

    threading.Thread(target=run, name="uplink-connect", daemon=True).start()
    await done
