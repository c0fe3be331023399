"""Event loop and garbage collection of a fleet: uvloop where it is installed, as in a gateway."""

import asyncio
import gc
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

T = TypeVar("T")

ALLOCATIONS_MIN: Final = 200_000
"""Objects that a fleet allocates before young objects are collected: those of some thousand batches. The collection
reads all of them that still live, which are those of the batches in flight."""


def run_fleet(main: Coroutine[Any, Any, T]) -> T:
    """Run `main`, which runs a fleet, to its end, and return its result."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


@contextmanager
def settled() -> Iterator[None]:
    """During the block, exclude the present objects, which are some hundred for each opened vehicle, from garbage
    collection, and collect young objects less often."""
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS_MIN, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
