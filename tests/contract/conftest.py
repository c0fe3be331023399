"""One real cloud for all contract tests of a worker: SQLite, two tenants, four apps."""

from collections.abc import Iterator

import pytest

from tests.harness.postgresql import postgresql
from tests.harness.running_cloud import RunningCloud, cloud_running

__all__ = ["cloud", "postgresql"]


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """A cloud that serves. Tests share it: they add what they need under names of their own and remove nothing.

    When the last test is done, all that it logged, recorded and refused is searched for what must not be there.
    """
    with cloud_running(tmp_path_factory.mktemp("cloud")) as running:
        yield running
    assert running.leaks() == []
