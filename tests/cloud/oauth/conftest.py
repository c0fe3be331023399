"""Fixtures of the OAuth tests: tenants and apps on SQLite, or on each of the two databases for tests where they may
differ.
"""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloud.foundation.db import Database, open_database
from tests.builders.auth_world import AuthWorld, auth_world


@pytest.fixture
async def world(migrated_sqlite: Path, tmp_path: Path) -> AsyncIterator[AuthWorld]:
    opened = await open_database(f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'cloud.db')}")
    yield await auth_world(opened)
    await opened.close()


@pytest.fixture
async def world_on_either(database: Database) -> AuthWorld:
    return await auth_world(database)
