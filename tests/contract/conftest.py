"""One real cloud for all contract tests of a worker: SQLite, two tenants, four apps."""

from collections.abc import Iterator

import pytest

from tests.harness.postgresql import postgresql
from tests.harness.running_cloud import RunningCloud, cloud_running

__all__ = ["cloud", "postgresql"]


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """Serve a cloud that tests share: they add objects under names of their own and remove nothing.

    After the last test, its logs, records and refusals are searched for canaries, secrets and tokens.
    """
    with cloud_running(tmp_path_factory.mktemp("cloud")) as running:
        yield running
    assert running.leaks() == []
