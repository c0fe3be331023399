"""Each `sh` block of README runs beside one running demo, as a reader types it."""

import asyncio
import os
import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.harness.demo import RunningDemo, start_demo

README = Path(__file__).parents[2] / "README.md"
BLOCK_S = 60.0
VARIABLES = 'eval "$(argus-sim env demo-state)"'

pytestmark = [pytest.mark.broker, pytest.mark.demo]


def blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", README.read_text(), flags=re.DOTALL | re.MULTILINE)


def commands(block: str) -> list[str]:
    return [line for line in block.splitlines() if line.strip()]


async def typed(command: str, demo: RunningDemo, cwd: Path) -> tuple[int, str, str]:
    """Run one line in a shell that has the variables of README's own command; return exit code, output and errors."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    assert VARIABLES in README.read_text()
    variables = VARIABLES.replace("demo-state", shlex.quote(str(demo.state_dir)))
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", f"{variables}; {command}",
        cwd=cwd, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(BLOCK_S):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_every_command_in_the_readme_works_beside_a_running_demo(tmp_path: Path):
    assert len(blocks()) >= 3
    demo = await start_demo(tmp_path / "demo")
    here = tmp_path / "here"
    here.mkdir()
    try:
        for command in [command for block in blocks() for command in commands(block)]:
            code, out, err = await typed(command, demo, here)
            assert code == 0, f"{command}\n{err}"
            assert out.strip(), f"{command} printed nothing\n{err}"
            assert "Traceback" not in err, command
    finally:
        await demo.stop()
