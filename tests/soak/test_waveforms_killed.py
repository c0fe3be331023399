"""Ingest is killed 300 times between receiving and acknowledging waveforms, on each database."""

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from cloud.foundation.db import migrate, open_database
from tests.harness.postgresql import postgresql_running
from tests.harness.waveform_kills import assert_waveforms_survive_kills

KILLS = 300

pytestmark = pytest.mark.skipif(
    os.environ.get("ARGUS_SOAK") != "1", reason="1200 processes: make soak ONLY=objects; four are in make test"
)


@pytest.mark.parametrize("staged", [False, True])
@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
async def test_ingest_killed_at_every_step_loses_and_doubles_no_waveform(
    tmp_path: Path, dialect: str, staged: bool
) -> None:
    with ExitStack() as open_:
        if dialect == "postgresql":
            url = open_.enter_context(open_.enter_context(postgresql_running()).database())
        else:
            url = f"sqlite:///{tmp_path / 'cloud.db'}"
            await migrate(url, create=True)
        database = await open_database(url)
        await assert_waveforms_survive_kills(database, url, tmp_path, KILLS, staged=staged)
        await database.close()
