"""Fixture of all contract tests: one real cloud per test worker, on SQLite, with two tenants and four apps."""

from collections.abc import Iterator

import pytest

from tests.harness.postgresql import postgresql
from tests.harness.running_cloud import RunningCloud, cloud_running

__all__ = ["cloud", "postgresql"]


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """Run a cloud that the tests of a worker share; each test adds objects under its own names and removes nothing.

    After the last test, its logs, database records and error responses are searched for secrets, tokens and canaries
    (synthetic patient data).
    """
    with cloud_running(tmp_path_factory.mktemp("cloud")) as running:
        yield running
    assert running.leaks() == []
