"""The device maker's guide: its tables are the code's, its commands run, and it names all that a maker may meet."""

import asyncio
import os
import re
import sys
from pathlib import Path

from tests.docs.conformance import GUIDE, TABLES, filled
from tests.harness.gateway_process import vehicle

BLOCK_S = 60.0


def test_tables_of_the_device_makers_guide_equal_the_generated_tables():
    """Compare the tables with the code's; `python -m tests.docs.conformance` writes them again."""
    text = GUIDE.read_text()
    assert filled(text) == text


def test_every_generated_table_is_in_the_guide_once():
    assert sorted(re.findall(r"<!-- table: ([\w-]+) -->", GUIDE.read_text())) == sorted(TABLES)


def blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", GUIDE.read_text(), flags=re.DOTALL | re.MULTILINE)


async def typed(block: str, cwd: Path, config: Path, address: tuple[str, int]) -> tuple[int, str, str]:
    """Run one block in a shell that stops at the first failure; return the last exit code, output and errors."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "CONFIG": str(config),
        "AGENT_TCP": f"{address[0]}:{address[1]}",
    }
    process = await asyncio.create_subprocess_exec(
        "bash", "-e", "-c", block,
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


async def test_every_command_in_the_device_makers_guide_works_beside_a_running_gateway(tmp_path: Path):
    assert len(blocks()) == 2
    here = tmp_path / "here"
    here.mkdir()
    async with vehicle(tmp_path) as gateway:
        outputs = []
        for block in blocks():
            code, out, err = await typed(block, here, gateway.config, gateway.address)
            assert code == 0, f"{block}\n{err}"
            assert "Traceback" not in err, err
            outputs.append(out)
        report, replayed = outputs
        assert "SIM-OX" in report
        assert "Deviations from the standard" in report
        assert "MDC_PULS_OXIM_SAT_O2" in replayed
