"""`python -m tests.systemd [STORY,…]`: boot a Debian 13 in a container and run the stories (test cases) in it.

It needs root and the packages mmdebstrap and systemd-container. If one of these is missing, the run fails, also outside
of CI.
"""

import asyncio
import os
import shutil
import signal
import sys

from tests.harness.stories import play
from tests.systemd.debian import DebianUnavailable
from tests.systemd.stage import Stage
from tests.systemd.stories import STORIES

STORY_S_MAX = 240.0
PROGRAMS = {"mmdebstrap": "mmdebstrap", "systemd-nspawn": "systemd-container", "nsenter": "util-linux"}


async def _play(names: set[str]) -> int:
    stage = Stage()
    try:
        await stage.open()
        return 0 if await play(STORIES, stage, names, story_s_max=STORY_S_MAX) else 1
    except DebianUnavailable as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        await stage.close()


def main() -> int:
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    if os.geteuid() != 0 or missing:
        print(f"test-systemd needs root and {' '.join(missing) or 'nothing else'} (apt-get install)", file=sys.stderr)
        return 2
    # Clean up on SIGTERM too: asyncio cancels `_play`, which closes the stage, only on SIGINT.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        return asyncio.run(_play({name for name in (sys.argv[1:] or [""])[0].split(",") if name}))
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
