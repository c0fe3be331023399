"""A rotation of the master key that is killed and repeated leaves every sealed value readable.

`make soak` kills at each step on both databases, `make test` at some on SQLite.
"""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.harness.databases import database_url, migrated_sqlite, postgresql

__all__ = ["database_url", "migrated_sqlite", "postgresql"]

FULL = os.environ.get("ARGUS_SOAK") == "1"
STRIDE = 1 if FULL else 20
STEPS_LEAST = 20


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"] if FULL else ["sqlite"], indirect=True)
async def test_rotation_of_the_master_key_killed_at_any_step_leaves_every_value_readable(
    database_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    words = ("-m", "tests.harness.master_key_victim", database_url, str(folder / "master.key"), str(STRIDE))
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=asyncio.subprocess.PIPE)
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 280)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    assert int(output.split()[-1]) >= STEPS_LEAST // STRIDE
