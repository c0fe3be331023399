"""Ingest is killed 300 times between receiving and acknowledging numerics and waveforms, on each database."""

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from cloud.foundation.db import migrate, open_database
from tests.harness.postgresql import postgresql_running
from tests.harness.waveform_kills import assert_batches_survive_kills

KILLS = 300
FILE_STEPS = ("flush file of", "rename file of", "flush folder of")
STEPS = {
    *(f"{step} waveforms" for step in FILE_STEPS),
    "transaction GroupCommit._write_once",
    "statement WaveformIndex.append",
    "commit GroupCommit._write_once",
    *(f"{step} {lane}" for step in ("acknowledge", "acknowledged") for lane in ("numeric", "waveform")),
}
"""Names of steps at each of which a child must have been killed."""
STAGED_STEPS = STEPS | {
    *(f"{step} {what}" for step in FILE_STEPS for what in ("staged", "numerics")),
    "transaction NumericsObjects.put",
    "statement AnnouncedObjects.announce",
    "commit NumericsObjects.put",
    "statement AnnouncedObjects.adopt",
    "statement append_minutes",
    "remove staged",
}
"""Names of steps for an ingest that stages: also those of the staged object, the numerics object and minute rows."""

pytestmark = pytest.mark.skipif(
    os.environ.get("ARGUS_SOAK") != "1", reason="1200 processes: make soak ONLY=objects; four are in make test"
)


@pytest.mark.parametrize("staged", [False, True])
@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
async def test_ingest_killed_at_every_step_loses_and_doubles_no_batch(
    tmp_path: Path, dialect: str, staged: bool
) -> None:
    with ExitStack() as open_:
        if dialect == "postgresql":
            url = open_.enter_context(open_.enter_context(postgresql_running()).database())
        else:
            url = f"sqlite:///{tmp_path / 'cloud.db'}"
            await migrate(url, create=True)
        database, steps = await open_database(url), STAGED_STEPS if staged else STEPS
        await assert_batches_survive_kills(database, url, tmp_path, KILLS, staged=staged, steps=steps)
        await database.close()
