"""Operators see how far background steps are: in `doctor`, at `/health/ready`, in the metrics and at the console."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from cloud.cli import app
from cloud.foundation.checks import DatabaseCheck
from cloud.foundation.db import Database, known_revisions, open_database
from cloud.foundation.findings import Level
from cloud.foundation.health.routes import HealthHandlers
from cloud.foundation.observability import (
    STEPS_FAILING,
    STEPS_PENDING,
    STEPS_ROWS_DONE,
    STEPS_ROWS_TOTAL,
    Metrics,
)
from cloud.foundation.steps import StepRunner
from cloud.foundation.steps.jobs import steps_sampler
from cloud.step_findings import STALLED_S, revision_sentence, step_findings
from tests.builders.cloud_people import HandClock
from tests.builders.cloud_settings import settings_file
from tests.cloud.steps.test_running import ROWS, ROWS_FIRST, Away, Numbering, Stopped

MINUTE_US = 60_000_000


@pytest.fixture
async def database(migrated_sqlite: Path, tmp_path: Path) -> AsyncIterator[Database]:
    """Yield a SQLite database. The statements are the same on PostgreSQL, where `test_running` runs them."""
    path = shutil.copy(migrated_sqlite, tmp_path / "cloud.db")
    opened = await open_database(f"sqlite:///{path}")
    yield opened
    await opened.close()


async def begin(database: Database, clock: HandClock) -> None:
    """Handle the first chunk of a step."""
    stop = Stopped(at=0)
    await StepRunner(database, clock, [Numbering(stop).step()]).turn(stop.event)


async def fail(database: Database, clock: HandClock) -> None:
    async def away(position: int) -> None:
        raise Away

    await StepRunner(database, clock, [Numbering(away).step()]).turn(asyncio.Event())


async def test_doctor_reports_how_far_a_step_is_and_warns_if_no_process_continues_it(database: Database) -> None:
    clock = HandClock()
    (nothing,) = await step_findings(database, clock)
    assert (nothing.level, nothing.sentence) == (Level.OK, "All background steps have ended.")
    await begin(database, clock)
    clock.advance(us=5 * MINUTE_US)
    (running,) = await step_findings(database, clock)
    assert running.level is Level.OK
    assert running.sentence == f"numbering (count): 41 % done ({ROWS_FIRST} of about {ROWS} rows). About 7 min left."
    clock.advance(us=int(STALLED_S * 1e6))
    (stalled,) = await step_findings(database, clock)
    assert stalled.level is Level.WARNING
    assert stalled.sentence.endswith("does one run with the worker role?")


async def test_doctor_warns_of_a_failing_step_with_the_reason(database: Database) -> None:
    clock = HandClock()
    await fail(database, clock)
    (failing,) = await step_findings(database, clock)
    assert failing.level is Level.WARNING
    assert failing.sentence.endswith("The last attempt failed: The object store does not respond.")


async def test_doctor_reports_a_compatible_database_of_a_later_release(database: Database) -> None:
    assert await revision_sentence(database) == ""
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE schema_revision SET version_num = '9999'"))
    assert f"migrated it to 9999. This one knows up to {known_revisions()[-1]}" in await revision_sentence(database)


async def test_readiness_lists_unfinished_steps_and_is_not_affected_by_them(database: Database) -> None:
    handlers = HealthHandlers([DatabaseCheck(database)], database)
    assert await handlers.readiness() == (200, {"status": "ready", "parts": {"database": "ok"}})
    await begin(database, HandClock())
    status, document = await handlers.readiness()
    assert status == 200
    assert document["background_steps"] == [{"name": "numbering", "percent": 41, "failing": False}]


async def test_metrics_have_the_rows_of_unfinished_steps(database: Database) -> None:
    metrics, sample = Metrics(), steps_sampler(database)
    for prepare, figures in ((begin, (1, 0, ROWS_FIRST, ROWS)), (fail, (1, 1, ROWS_FIRST, ROWS))):
        await prepare(database, HandClock())
        await sample(metrics)
        shown = (STEPS_PENDING, STEPS_FAILING, STEPS_ROWS_DONE, STEPS_ROWS_TOTAL)
        assert tuple(metrics.value(figure) for figure in shown) == figures


def test_console_runs_all_steps_and_lists_them(tmp_path: Path) -> None:
    config = settings_file(tmp_path)

    def run(*words: str) -> list[dict[str, object]]:
        outcome = CliRunner().invoke(app, ["--config", str(config), *words, "--json"])
        assert outcome.exit_code == 0, outcome.stderr
        found: list[dict[str, object]] = json.loads(outcome.stdout)
        return found

    run("init")
    assert run("steps", "list") == []
    done = run("steps", "run")
    assert {state["name"]: state["percent"] for state in done} == {
        "acqi_encounters": 100,
        "acqi_tenant_days": 100,
        "evidence_encounters": 100,
        "indexes": 100,
        "observation_days": 100,
        "unpack_batches": 100,
    }
    assert run("steps", "list") == done
