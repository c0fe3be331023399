"""Run `argus-gateway` and `argus-cloud` commands, as an operator would.

The demo is set up only with these two programs, so that a newcomer sees the commands of an operator in use. If a
command fails, the demo does not start and displays the command's own message.
"""

import asyncio
import sys
from pathlib import Path

COMMAND_S = 60.0


class CommandFailed(Exception):
    """A command ended with an error; the text is what it printed."""


def program(name: str) -> str:
    """Return the path of a console script in the folder of the running Python interpreter."""
    return str(Path(sys.executable).with_name(name))


async def run_command(*argv: str, within_s: float = COMMAND_S) -> str:
    """Run a command; return its standard output. Raises `CommandFailed` for a non-zero exit and after `within_s`."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # Ctrl-C in the terminal must not reach the command: the demo ends it below.
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(within_s):
            out, err = await process.communicate()
    except TimeoutError:
        raise CommandFailed(f"{Path(argv[0]).name} {argv[-1]} did not end within {within_s:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        said = err.decode(errors="replace").strip() or out.decode(errors="replace").strip()
        raise CommandFailed(f"{Path(argv[0]).name} {' '.join(argv[1:])}: {said}")
    return out.decode()
