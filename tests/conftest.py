"""Rules for every test: required parts, order, canaries, log configuration, and the garbage collector. Fixture of the
browser.

With `ARGUS_ALL_PARTS=1` (set by `.ci/run`), a skipped test with the marker pg, broker, browser or demo fails, so that a
missing install step is noticed. Without it, such a test is skipped and the absent part is named.

Files that start the whole product, or a browser, mostly wait. They run at equal distances among the others, which use
the processor meanwhile: with all of them at the beginning, every worker waited. The longest are the first of them: the
other workers would have nothing to do beside a long file at the end.

A canary is an unmistakable synthetic text in place of a patient's name, a birth date or a password. Tests that need
such data use the canaries of `tests/builders/contract_canaries`. Nothing that the product writes during a test (log
lines above all) may contain a canary.

Every worker of a parallel run collects all tests, so collection must be fast. One worker begins, and the others begin
after it, since it has then compiled every changed file for all of them. The garbage collector is off during collection,
because imported modules stay in memory. Afterwards all objects are frozen, so that no later collection of garbage
examines them, and the collector runs less often, since a test leaves little garbage.

Commands that run in the process of a test configure its logs. The configuration is undone after each file: otherwise
the files that a worker has run before would decide which log lines a test sees. Without a configuration, structlog
prints exceptions with Rich and all local variables, which takes 0.4 s of processor time for each one. Tests print plain
tracebacks, as the product does.

Hypothesis has no deadline: its 0.2 s for an example would let the clock of a loaded machine decide a test.
"""

import gc
import logging
import os
import sys
from collections.abc import AsyncIterator, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
import structlog
from hypothesis import settings

from tests.builders.contract_canaries import found_in

if TYPE_CHECKING:
    from playwright.async_api import Browser

# No package here has a plugin of pydantic. The search for one reads the metadata of all installed packages, 4 % of the
# start of a cloud process, and the programs of the tests inherit this.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

settings.register_profile("argus", deadline=None)
settings.load_profile("argus")

# `reset_defaults` keeps this renderer.
structlog.dev.ConsoleRenderer.get_active().exception_formatter = structlog.dev.plain_traceback

# httpcore tries to import this package at each use of a connection. While it is absent, Python searches all folders for
# it each time, 2 % of a test's processor time; marked as absent, it is not searched for.
if find_spec("sniffio") is None:
    sys.modules["sniffio"] = None  # type: ignore[assignment]

# Code that derives facts from all slices needs their list. The older product, which findings run on, has no such list.
with suppress(ModuleNotFoundError):
    import cloud.slices  # noqa: F401

_PARTS = ("pg", "broker", "browser", "demo")
_WAITING = (
    "tests/journeys/test_replaced_restored_contested.py",
    "tests/journeys/test_demo_starts_and_ends.py",
    "tests/soak/test_nothing_lost_nothing_doubled.py",
    "tests/soak/test_attacks_at_once.py",
    "tests/journeys/test_beside_one_demo.py",
    "tests/cloud/cli/test_three_stages.py",
    "tests/cloud/ingest/test_shares.py",
    "tests/contract/test_schemathesis.py",
    "tests/contract/test_fhir_bundles.py",
    "tests/contract/test_nothing_answered_is_lost.py",
    *("tests/journeys/", "tests/soak/", "tests/docs/", "tests/contract/", "tests/sdk/", "tests/examples/"),
    *("tests/gateway/crew/", "tests/gateway/cli/", "tests/gateway/test_", "tests/cloud/cli/"),
)
"""The beginnings of the names of files that mostly wait for programs or a browser, by the durations that `make test`
prints."""
_EARLY = ("tests/tidy/", "tests/fuzz/", "tests/cloud/", "tests/gateway/")
"""The beginnings of the names of other files that run before the rest, which is short."""

_OURS = ("cloud.", "gateway.", "simulators.")
"""The beginnings of the module names of our log handlers."""

_ALLOCATIONS_BETWEEN_COLLECTIONS = 50_000
"""Python's default of 700 examined young objects 70 times as often. At 10 000, collections took 3 % of the processor
time of a run."""


@contextmanager
def _after_first_worker() -> Generator[None]:
    """Lock this file: exclusively in the first worker, and together with the others in a worker that comes later."""
    with Path(__file__).open() as file:
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            flock(file, LOCK_SH)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect the tests without the garbage collector; then freeze all objects."""
    gc.disable()
    try:
        with _after_first_worker():
            return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(_ALLOCATIONS_BETWEEN_COLLECTIONS)
        gc.enable()


def place_in(beginnings: Sequence[str], file: str) -> int:
    """Return the index of the first beginning that the name of the file has; their number if it has none."""
    return next((place for place, each in enumerate(beginnings) if file.startswith(each)), len(beginnings))


def order_of_files(files: Iterable[str]) -> list[str]:
    """Return the files in the order in which they run: those of `_WAITING` at equal distances among the others."""
    waiting, others = [], []
    for file in sorted(files):
        (waiting if place_in(_WAITING, file) < len(_WAITING) else others).append(file)
    others.sort(key=partial(place_in, _EARLY))
    early = sum(place_in(_EARLY, file) < len(_EARLY) for file in others)
    placed = [(number + 0.5, file) for number, file in enumerate(others)]
    for number, file in enumerate(sorted(waiting, key=partial(place_in, _WAITING))):
        placed.append((number * early / len(waiting), file))
    return [file for _, file in sorted(placed)]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests by their file, and keep the order within a file. Every worker must have the same order."""
    files = [item.nodeid.partition("::")[0] for item in items]
    places = {file: place for place, file in enumerate(order_of_files(set(files)))}
    items.sort(key=lambda item: places[item.nodeid.partition("::")[0]])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse a browser test on another event loop than the browser's, where it would wait without end."""
    if "browser" in getattr(item, "fixturenames", ()):
        loops = {mark.kwargs.get("loop_scope") for mark in item.iter_markers("asyncio")}
        assert "session" in loops, 'a test with the fixture "browser" needs @pytest.mark.asyncio(loop_scope="session")'


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Undo the configuration of logs after the last test of a file."""
    try:
        return (yield)
    finally:
        if nextitem is None or nextitem.path != item.path:
            structlog.reset_defaults()
            root = logging.getLogger()
            root.handlers[:] = [each for each in root.handlers if not type(each).__module__.startswith(_OURS)]
            root.setLevel(logging.WARNING)


def _is_left_to_soak(item: pytest.Item) -> bool:
    """Return whether a mark skips the test because only `make soak` runs it, whatever parts the machine has."""
    return any("make soak" in mark.kwargs.get("reason", "") and mark.args[0] for mark in item.iter_markers("skipif"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    needs_part = any(item.get_closest_marker(part) for part in _PARTS)
    if report.skipped and needs_part and os.environ.get("ARGUS_ALL_PARTS") == "1" and not _is_left_to_soak(item):
        report.outcome = "failed"
        report.longrepr = f"a part that CI must have is absent: {report.longrepr}"
    leaked = sorted({what for _, text in report.sections for what in found_in(text)}) if report.passed else []
    if leaked:
        report.outcome = "failed"
        report.longrepr = f"what was written while it ran holds {', '.join(leaked)}"
    return report


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _worker_browser() -> "AsyncIterator[Browser]":
    """Run one Chromium for all browser tests of a worker: a start takes a second of processor time."""
    # Not at the top: most runs of a few tests have no browser.
    from tests.harness.browser import chromium

    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browser(_worker_browser: "Browser") -> "AsyncIterator[Browser]":
    """Yield a running Chromium to the tests of a file; close afterwards what they have left open."""
    yield _worker_browser
    for context in _worker_browser.contexts:
        await context.close()
