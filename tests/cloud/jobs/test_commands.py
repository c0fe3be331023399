"""An operator lists, inspects and cancels the jobs of a tenant at the console."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cloud.access.audit import Audit
from cloud.cli import app
from cloud.foundation.db import open_database
from cloud.foundation.viewer import Actor
from cloud.work.jobs.model import JobError, JobStatus
from tests.builders.cloud_people import HandClock, household
from tests.builders.cloud_settings import settings_file
from tests.builders.job_rows import JobRows
from tests.cloud.cli.conftest import logging_as_before

__all__ = ["logging_as_before"]

OF_NORTH = {"tenant_id": "tnt_north", "organization_id": "org_north", "client_id": "app_north", "kind": "graph.compute"}


@pytest.fixture
def config(database_url: str, tmp_path: Path) -> Path:
    return settings_file(tmp_path, database_url=database_url, more="")


def run(config: Path, *words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["--config", str(config), "jobs", *words, "--tenant", "tnt_north"])
    return done.exit_code, done.stdout, done.stderr


def read(config: Path, *words: str) -> Any:
    code, out, err = run(config, *words, "--json")
    assert code == 0, err
    return json.loads(out)


async def _prepare(url: str) -> list[str]:
    """Enqueue three jobs of the tenant `tnt_north`, of which the first has failed; return their ids."""
    database = await open_database(url)
    try:
        clock = HandClock()
        await household(database, clock)
        rows = JobRows(database, clock)
        ids = await rows.enqueue(3, **OF_NORTH)
        error = JobError("source_unavailable", "The source did not respond.", True)
        await rows.settle(await rows.claim_one("tnt_north"), JobStatus.FAILED, error=error)
        return ids
    finally:
        await database.close()


async def _trail(url: str) -> list[tuple[str, str]]:
    database = await open_database(url)
    try:
        async with database.read() as tx:
            entries = await Audit(HandClock()).list(tx, Actor.operator("tnt_north"), action="job.cancel")
        return [(entry.actor, entry.object) for entry in entries]
    finally:
        await database.close()


def test_operator_lists_inspects_and_cancels_jobs(config: Path, database_url: str) -> None:
    failed, queued, other = asyncio.run(_prepare(database_url))
    assert [row["id"] for row in read(config, "list")] == [other, queued, failed]
    assert [row["id"] for row in read(config, "list", "--status", "failed")] == [failed]
    assert [row["id"] for row in read(config, "list", "--limit", "1")] == [other]
    assert len(read(config, "list", "--kind", "graph.compute")) == 3
    code, _, err = run(config, "list", "--kind", "graph.compute", "--kind", "graf.compute")
    assert (code, "Did you mean graph.compute?" in " ".join(err.replace("│", "").split())) == (2, True)
    document = read(config, "show", failed)
    assert document["error"] == {
        "code": "source_unavailable",
        "message": "The source did not respond.",
        "retryable": True,
    }
    assert document["client_id"] == "app_north"
    assert "source_unavailable" in run(config, "show", failed)[1]
    assert run(config, "cancel", queued)[:2] == (0, f"Job {queued} is cancelled.\n")
    assert run(config, "cancel", queued)[1] == f"Job {queued} was cancelled before.\n"
    code, _, err = run(config, "cancel", failed)
    assert (code, err) == (1, "The job has ended and cannot be cancelled.\n")
    assert asyncio.run(_trail(database_url)) == [("operator", queued)]
    code, _, err = run(config, "show", f"{failed}0")
    assert code == 1
    assert "job" in err.lower()
