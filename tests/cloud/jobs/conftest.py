"""Fixtures of the tests of jobs over HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloud.foundation.db import Database
from tests.builders.job_desk import JobDesk, job_desk


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> AsyncIterator[JobDesk]:
    async with job_desk(database, tmp_path / "objects") as served:
        yield served
