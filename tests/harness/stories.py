"""A runner for stories (long test scenarios) that share one environment, such as a virtual machine that must boot.

The runner executes the stories in order and prints how many passed. After a failure it prints the reason and continues
with the next story, so that one boot is enough for all.
"""

import asyncio
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import TypeVar

S = TypeVar("S")


async def play(
    stories: Iterable[Callable[[S], Awaitable[None]]], stage: S, names: Collection[str], *, story_s_max: float
) -> bool:
    """Run the stories with these names, or all stories if `names` is empty, each for at most `story_s_max` seconds.

    Return True if every story passed and every name exists.
    """
    chosen = [story for story in stories if not names or story.__name__ in names]
    unknown = set(names) - {story.__name__ for story in chosen}
    passed, failed = 0, 0
    for story in chosen:
        print(f"{story.__name__.replace('_', ' ')}: {(story.__doc__ or '').splitlines()[0]}", flush=True)
        began_s = time.monotonic()
        try:
            async with asyncio.timeout(story_s_max):
                await story(stage)
        except Exception as error:
            failed += 1
            print(f"    FAILED after {time.monotonic() - began_s:.1f} s: {type(error).__name__}: {error}", flush=True)
            traceback.print_exc()
        else:
            passed += 1
            print(f"    passed in {time.monotonic() - began_s:.1f} s", flush=True)
    if unknown:
        print(f"There is no story with the name {', '.join(sorted(unknown))}.", file=sys.stderr)
    print(f"{passed} passed, {failed} failed", flush=True)
    return not failed and not unknown
