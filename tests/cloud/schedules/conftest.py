"""Fixtures of the tests of schedules."""

from pathlib import Path

import pytest

from cloud.foundation.db import Database
from tests.builders.schedule_desk import ScheduleDesk


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> ScheduleDesk:
    return await ScheduleDesk(database, tmp_path / "objects").begin()
