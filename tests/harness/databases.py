"""Fixtures for both databases: a test that uses `database` runs once on SQLite and once on PostgreSQL.

Each test has its own database, a copy of one that is migrated once per process.
"""

import asyncio
import atexit
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest

from cloud.foundation.db import Database, migrate, open_database
from tests.harness.postgresql import PostgresqlCluster, postgresql

__all__ = ["database", "database_url", "empty_database_url", "migrated_sqlite", "postgresql"]


@cache
def migrated_file() -> Path:
    """Return the path of a SQLite database at the newest revision, of which each test uses a copy. It is migrated once
    in a process, since the migrations take longer than most tests."""
    folder = tempfile.mkdtemp(prefix="argus-template-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder, "cloud.db")
    with ThreadPoolExecutor(max_workers=1) as executor:
        executor.submit(asyncio.run, migrate(f"sqlite:///{path}", create=True)).result()
    return path


@pytest.fixture(scope="session")
def migrated_sqlite() -> Path:
    """Return the path of a SQLite database at the newest revision, of which each test uses a copy."""
    return migrated_file()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.pg)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yield the address of a migrated database that belongs to this test alone."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("migrated_sqlite")
        yield f"sqlite:///{shutil.copy(template, tmp_path / 'cloud.db')}"
        return
    cluster: PostgresqlCluster = request.getfixturevalue("postgresql")
    with cluster.database() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.pg)])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yield the address of a database that no migration has touched; on SQLite the file does not exist yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    cluster: PostgresqlCluster = request.getfixturevalue("postgresql")
    with cluster.database(template="template0") as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Open a migrated database."""
    opened = await open_database(database_url)
    yield opened
    await opened.close()
