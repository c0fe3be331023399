"""Fixtures of the tests of jobs: over HTTP, and with workers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloud.foundation.db import Database
from tests.builders.job_desk import JobDesk, job_desk
from tests.builders.job_story import JobStory


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> AsyncIterator[JobDesk]:
    async with job_desk(database, tmp_path / "objects") as served:
        yield served


@pytest.fixture
def story(database: Database) -> JobStory:
    return JobStory(database)
