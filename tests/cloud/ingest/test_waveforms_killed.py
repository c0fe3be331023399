"""Ingest is killed between receiving, storing, indexing and acknowledging batches: nothing is lost or doubled."""

import shutil
from pathlib import Path

import pytest

from cloud.foundation.db import open_database
from tests.harness.waveform_kills import assert_batches_survive_kills

KILLS = 4


@pytest.mark.parametrize("staged", [False, True])
async def test_killed_ingest_loses_and_doubles_no_batch_and_indexes_no_absent_object(
    migrated_sqlite: Path, tmp_path: Path, staged: bool
) -> None:
    url = f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'cloud.db')}"
    database = await open_database(url)
    await assert_batches_survive_kills(database, url, tmp_path, KILLS, staged=staged)
    await database.close()
