"""The program inside the guest, which runs the stories (test cases) in order."""

import asyncio
import sys

from tests.bluez.machine_stories import MACHINE_STORIES
from tests.bluez.stage import Stage
from tests.bluez.stories import STORIES
from tests.harness.stories import play

STORY_S_MAX = 240.0


async def _play(names: set[str]) -> int:
    stage = Stage()
    await stage.open()
    try:
        return 0 if await play((*STORIES, *MACHINE_STORIES), stage, names, story_s_max=STORY_S_MAX) else 1
    finally:
        await stage.close()


if __name__ == "__main__":
    sys.exit(asyncio.run(_play({name for name in (sys.argv[1:] or [""])[0].split(",") if name})))
