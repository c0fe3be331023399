"""What holds for every test: a real part that CI must have may not be skipped there.

`ARGUS_ALL_PARTS=1` (set by `.ci/run`) turns the skip of a test marked pg, broker, browser or demo into a failure, so
that a missing install step cannot hide. Elsewhere such a test is skipped, saying what is absent.
"""

import os
from collections.abc import Generator

import pytest

_PARTS = ("pg", "broker", "browser", "demo")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    needs_part = any(item.get_closest_marker(part) for part in _PARTS)
    if report.skipped and needs_part and os.environ.get("ARGUS_ALL_PARTS") == "1":
        report.outcome = "failed"
        report.longrepr = f"a part that CI must have is absent: {report.longrepr}"
    return report
