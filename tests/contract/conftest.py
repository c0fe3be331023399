"""Fixture of all contract tests: one real cloud per test worker, on SQLite, with two tenants and four apps."""

from collections.abc import Iterator

import pytest

from tests.builders.fuzz_counts import IS_FULL
from tests.harness.postgresql import postgresql
from tests.harness.running_cloud import RunningCloud, cloud_running

__all__ = ["cloud", "postgresql"]

# A fuzzer that sends more than a client may would get nothing but refusals.
LIMITS = "requests_per_minute = 1000000\nwrites_per_minute = 1000000\n" if IS_FULL else ""


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """Run a cloud that the tests of a worker share; each test adds objects under its own names and removes nothing.

    After the last test, its logs, database records and error responses are searched for secrets, tokens and canaries
    (synthetic patient data).
    """
    with cloud_running(tmp_path_factory.mktemp("cloud"), more_limits=LIMITS) as running:
        yield running
    assert running.leaks() == []
