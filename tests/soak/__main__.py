"""`make soak`: run the long tests with their full counts, in groups; `make soak ONLY=NAME` runs one group.

The attacks and the thousand vehicles run first and alone, because they measure times. The other groups run two at a
time, since most of them wait. The output of a group goes to a file, and to the terminal when the group ends, with its
result. A group of which a command ran no test, since PostgreSQL or another part is absent, is skipped and has shown
nothing. The exit code is 1 if any group failed or was skipped.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from xml.etree import ElementTree

import typer

SIDE_BY_SIDE = 2
PYTEST = (sys.executable, "-m", "pytest", "-q", "-s")
FULL_COUNTS = {
    "ARGUS_SOAK": "1",
    "ARGUS_BUFFER_KILLS": "40",
    "ARGUS_BUFFER_COURSES": "60",
    "ARGUS_STAGED_COURSES": "150",
    "ARGUS_FHIR_ENCOUNTERS": "50",
}
ATTACKS = "tests/soak/test_attacks_at_once.py"
LISTS = "tests/soak/test_sanctions_lists.py"


@dataclass(frozen=True, slots=True)
class Group:
    """A group of tests. `commands` run one after the other. If `alone`, no other group runs at the same time."""

    commands: tuple[tuple[str, ...], ...]
    alone: bool = False


def stories(*tests: str) -> tuple[str, ...]:
    return (*PYTEST, *tests)


GROUPS = {
    "attacks": Group(
        (
            (sys.executable, "-m", "tests.soak.scanner_time"),
            stories(f"{ATTACKS}::test_honest_clients_are_served_during_each_single_attack"),
        ),
        alone=True,
    ),
    "attacks_together": Group(
        (stories(f"{ATTACKS}::test_honest_clients_are_served_during_all_attacks_at_once"),), alone=True
    ),
    "thousand": Group((stories("tests/soak/test_thousand_vehicles.py"),), alone=True),
    # One database each, since both together take about fifteen minutes on a loaded machine.
    "exports": Group((stories("tests/soak/test_exports.py", "-k", "sqlite"),), alone=True),
    "exports_postgresql": Group((stories("tests/soak/test_exports.py", "-k", "postgresql"),), alone=True),
    "export_formats": Group((stories("tests/soak/test_export_formats.py"),)),
    "lists": Group((stories(LISTS, "-k", "lists_of_the_published"),), alone=True),
    "enrichment": Group((stories(LISTS, "-k", "enriched_once and sqlite"),), alone=True),
    "enrichment_postgresql": Group((stories(LISTS, "-k", "enriched_once and postgresql"),), alone=True),
    "docs": Group((stories("tests/cloud/docs/test_every_page.py"),)),
    "damage": Group((stories("tests/soak/test_damaged_stores.py", "-n", "2"),)),
    "kills": Group(
        (
            stories(
                "tests/soak/test_nothing_lost_nothing_doubled.py",
                "tests/soak/test_ble_killed_in_a_transfer.py",
            ),
        )
    ),
    "reports": Group((stories("tests/soak/test_reports_killed.py", "tests/protocols/epcr/test_merge.py", "-n", "2"),)),
    "devices": Group(
        (
            stories(
                "tests/soak/test_ble_devices_at_once.py",
                "tests/soak/test_busy_vehicle.py",
                "tests/soak/test_memories.py",
                "tests/soak/test_reconnections.py",
                "tests/gateway/sessions/gatt/test_records_any_course.py",
                "tests/protocols/ieee11073/test_memory_cuts.py",
            ),
        )
    ),
    "first_call": Group((stories("tests/journeys/test_beside_one_demo.py", "-k", "first_call"),)),
    "provenance": Group((stories("tests/sdk/test_other_libraries.py", "tests/soak/test_master_key.py"),)),
    "webhooks": Group((stories("tests/soak/test_webhooks_reach_all_subscribers.py"),)),
    "jobs": Group((stories("tests/soak/test_jobs.py", "tests/soak/test_schedules.py"),)),
    "imports": Group((stories("tests/soak/test_imports.py"),), alone=True),
    "fleet": Group((stories("tests/soak/test_simulated_fleet.py", "tests/soak/test_ingest_processes.py"),)),
    "staged": Group((stories("tests/cloud/ingest/test_staged_any_course.py"),)),
    "upgrade": Group((stories("tests/soak/test_upgrade.py"),)),
    "objects": Group((stories("tests/soak/test_waveforms_killed.py", "-n", "2"),)),
    "retention": Group((stories("tests/cloud/expiry/test_a_hundred_days.py"),)),
    "nemsis": Group((stories("tests/soak/test_nemsis.py"),)),
    # Every view of the crew's page in three looks, examined for overflow and by axe-core (WCAG 2.2 AA).
    **{
        f"looks_{size}": Group(((sys.executable, "-m", "tests.docs.shots", "review", size, f"{size}-turned"),))
        for size in ("tablet", "large", "phone")
    },
    "fhir": Group((stories("tests/contract/test_fhir_bundles.py"),)),
    "buffer": Group((stories("tests/gateway/buffer"),)),
    "cloud": Group(
        (
            stories(
                "tests/journeys/test_cloud_in_trouble.py",
                "tests/contract/test_isolation.py",
                "tests/contract/test_schemathesis.py",
                "tests/cloud/db",
            ),
        )
    ),
}
"""The groups by name. Each takes at most 15 minutes; `make soak ONLY=NAME` runs one."""


class Result(StrEnum):
    """Result of a command or a group; of the results of its commands, a group has the last one in this order."""

    PASSED = "passed"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"

    @classmethod
    def of(cls, results: Iterable["Result"]) -> "Result":
        return max(results, key=list(cls).index)


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of tests that a command selected, and that it skipped. None are known of a command that is not pytest."""

    tests: int = 0
    skipped: int = 0


def read_counts(report: Path) -> Counts:
    """Read the counts from the JUnit report of pytest, which has no such file if it ended before its tests."""
    if not report.exists():
        return Counts()
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))  # noqa: S314 - pytest has just written it
    return Counts(*(sum(int(suite.get(name, "0")) for suite in suites) for name in ("tests", "skipped")))


def result_of(exit_code: int, counts: Counts) -> Result:
    """Return the result of a command. pytest ends with 0 although it skipped every test."""
    if exit_code != 0:
        return Result.FAILED
    return Result.SKIPPED if counts.tests and counts.skipped == counts.tests else Result.PASSED


async def run_group(name: str, folder: Path) -> Result:
    """Run the commands of a group, and print their output and the result."""
    begun_s = time.monotonic()
    output = folder / f"{name}.log"
    results, skipped = [], 0
    with output.open("wb") as file:
        for number, command in enumerate(GROUPS[name].commands):
            report = folder / f"{name}-{number}.xml"
            reporting = (f"--junitxml={report}",) if command[: len(PYTEST)] == PYTEST else ()
            process = await asyncio.create_subprocess_exec(
                *command, *reporting, stdout=file, stderr=asyncio.subprocess.STDOUT, env={**os.environ, **FULL_COUNTS}
            )
            exit_code, counts = await process.wait(), read_counts(report)
            results.append(result_of(exit_code, counts))
            skipped += counts.skipped
    result = Result.of(results)
    print(output.read_text(errors="replace"))
    left_out = f", {skipped} skipped" if skipped else ""
    print(f"soak {name}: {result} in {time.monotonic() - begun_s:.0f} s{left_out}", flush=True)
    return result


async def run_groups(names: Sequence[str]) -> bool:
    """Run the groups that must run alone first, then the others two at a time; return whether all of them passed.
    A group that was skipped has not."""
    room = asyncio.Semaphore(SIDE_BY_SIDE)
    results = []

    async def beside(name: str) -> None:
        async with room:
            results.append(await run_group(name, folder))

    with tempfile.TemporaryDirectory(prefix="argus-soak-") as path:
        folder = Path(path)
        for name in names:
            if GROUPS[name].alone:
                results.append(await run_group(name, folder))
        async with asyncio.TaskGroup() as tasks:
            for name in names:
                if not GROUPS[name].alone:
                    tasks.create_task(beside(name))
    return all(result is Result.PASSED for result in results)


def main(
    only: Annotated[str, typer.Option(help=f"One group: {', '.join(GROUPS)}. Empty: all.")] = "",
) -> None:
    if only and only not in GROUPS:
        typer.echo(f"There is no group {only!r}. Groups: {', '.join(GROUPS)}", err=True)
        raise typer.Exit(2)
    if not asyncio.run(run_groups([only] if only else list(GROUPS))):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
