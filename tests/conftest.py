"""Rules for every test: a real part that CI must have may not be skipped there.

`ARGUS_ALL_PARTS=1` (set by `.ci/run`) turns the skip of a test marked pg, broker, browser or demo into a failure, so
that a missing install step cannot hide. Elsewhere such a test is skipped, with the name of the absent part.

The longest files begin first: those that start the whole product wait most of their time, and the short ones fill the
gaps. Otherwise the last of them would run beside an idle core.

Nothing that a test makes the program write (log lines above all) may hold a canary: a test that needs a patient's name,
a birth date or a password takes one of `tests/builders/contract_canaries`, and it must not appear in any output.

Every worker of a parallel run collects all tests, so what collection costs is paid once per worker. The garbage
collector rests meanwhile, since everything that is imported stays. Afterwards all of it is frozen, so that no later
collection of garbage examines it again.
"""

import gc
import os
from collections.abc import Generator

import pytest

from tests.builders.contract_canaries import found_in

_PARTS = ("pg", "broker", "browser", "demo")
_LONGEST = (
    "tests/journeys/test_replaced_restored_contested.py",
    "tests/journeys/test_demo_starts_and_ends.py",
    "tests/soak/test_attacks_at_once.py",
    "tests/journeys/test_beside_one_demo.py",
    "tests/contract/test_schemathesis.py",
    *("tests/journeys/", "tests/soak/", "tests/tidy/", "tests/docs/", "tests/contract/", "tests/fuzz/"),
    *("tests/gateway/crew/", "tests/gateway/cli/", "tests/gateway/test_", "tests/cloud/", "tests/gateway/"),
)
"""The beginnings of file names in the order in which they run: by the durations that `make test` prints."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without the garbage collector, and freeze what was imported."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by `_LONGEST` and by file, in which the order stays. All workers must have the same order."""

    def place_of(item: pytest.Item) -> tuple[int, str]:
        place = next((place for place, name in enumerate(_LONGEST) if item.nodeid.startswith(name)), len(_LONGEST))
        return place, item.nodeid.partition("::")[0]

    items.sort(key=place_of)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    needs_part = any(item.get_closest_marker(part) for part in _PARTS)
    if report.skipped and needs_part and os.environ.get("ARGUS_ALL_PARTS") == "1":
        report.outcome = "failed"
        report.longrepr = f"a part that CI must have is absent: {report.longrepr}"
    leaked = sorted({what for _, text in report.sections for what in found_in(text)}) if report.passed else []
    if leaked:
        report.outcome = "failed"
        report.longrepr = f"what was written while it ran holds {', '.join(leaked)}"
    return report
