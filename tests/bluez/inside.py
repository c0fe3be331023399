"""The guest's program: the stories in their order, and the line that says how many passed.

A story that fails says why and the next one begins all the same: each failure costs a boot to see.
"""

import asyncio
import sys
import time
import traceback

from tests.bluez.stage import Stage
from tests.bluez.stories import STORIES

STORY_S_MAX = 240.0


async def _play(names: set[str]) -> int:
    stage, passed, failed = Stage(), 0, 0
    await stage.open()
    try:
        for story in STORIES:
            if names and story.__name__ not in names:
                continue
            name = story.__name__.replace("_", " ")
            print(f"{name}: {(story.__doc__ or '').splitlines()[0]}", flush=True)
            began_s = time.monotonic()
            try:
                async with asyncio.timeout(STORY_S_MAX):
                    await story(stage)
            except Exception as error:
                failed += 1
                print(
                    f"    FAILED after {time.monotonic() - began_s:.1f} s: {type(error).__name__}: {error}", flush=True
                )
                traceback.print_exc()
            else:
                passed += 1
                print(f"    passed in {time.monotonic() - began_s:.1f} s", flush=True)
    finally:
        await stage.close()
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(_play({name for name in (sys.argv[1:] or [""])[0].split(",") if name})))
