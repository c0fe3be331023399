"""A fixture that restores the logging configuration, which commands change when they run in the test process."""

from collections.abc import Iterator

import pytest

from tests.harness import cloud_command


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    with cloud_command.logging_as_before():
        yield
