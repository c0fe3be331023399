"""Rules for every test: a real part that CI must have may not be skipped there.

`ARGUS_ALL_PARTS=1` (set by `.ci/run`) turns the skip of a test marked pg, broker, browser or demo into a failure, so
that a missing install step cannot hide. Elsewhere such a test is skipped, with the name of the absent part.

The longest tests begin first: files that start the whole product wait most of their time, and the short ones fill the
gaps. Otherwise the last of them would run beside an idle core.

Nothing that a test makes the program write (log lines above all) may hold a canary: a test that needs a patient's name,
a birth date or a password takes one of `tests/builders/contract_canaries`, and it must not appear in any output.
"""

import os
from collections.abc import Generator

import pytest

from tests.builders.contract_canaries import found_in

_PARTS = ("pg", "broker", "browser", "demo")
_LONGEST = ("tests/journeys/", "tests/docs/", "tests/soak/", "tests/contract/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by folder; keep the order inside a file, and of all the rest."""
    places = {folder: place for place, folder in enumerate(_LONGEST)}

    def place_of(item: pytest.Item) -> int:
        return next((place for folder, place in places.items() if item.nodeid.startswith(folder)), len(places))

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
