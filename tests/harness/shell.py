"""The shell commands of a guide, run as a reader would type them: in a shell that finds the project's programs."""

import asyncio
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

BLOCK_S = 60.0


def blocks_of(guide: Path) -> list[str]:
    """Return the texts of the `sh` code blocks of a guide."""
    return re.findall(r"^```sh\n(.*?)^```", guide.read_text(), flags=re.DOTALL | re.MULTILINE)


async def typed(script: str, cwd: Path, variables: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """Run a script in bash, which stops at the first failing command; return exit code, output and error output."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    process = await asyncio.create_subprocess_exec(
        *("bash", "-e", "-c", script),
        cwd=cwd,
        env={**os.environ, "PATH": path, **(variables or {})},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(BLOCK_S):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()
