"""An import whose worker is killed before any of its commits has each effect once, and the same result."""

from contextlib import suppress
from pathlib import Path

import orjson
import pytest
from sqlalchemy import func, select

from cloud.access.audit.tables import audit_entries
from cloud.foundation.db import Database
from cloud.foundation.objects import LocalObjects, ReceivedPieces
from cloud.foundation.viewer import Actor
from cloud.work.imports import work as work_module
from cloud.work.imports.result import document
from cloud.work.imports.schemas import ImportPayload, ImportState
from cloud.work.imports.work import ImportWork
from cloud.work.jobs import Finish, RunningJob
from tests.builders.cloud_people import HandClock, household
from tests.builders.imports import count, device, ndjson
from tests.builders.parts import make_parts

ROWS = 7


class _Killed(Exception):
    """The process ends before the commit."""


@pytest.mark.contract("S-138")
async def test_import_that_is_killed_before_each_commit_has_each_effect_once(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_module, "CHUNK_ROWS", 2)
    clock = HandClock()
    await household(database, clock)
    sections = {"objects_dir": str(tmp_path / "objects")}
    process = make_parts(database, clock, sections=sections)  # type: ignore[arg-type]
    received = ReceivedPieces(LocalObjects(tmp_path / "objects"), process.ids, clock)
    actor = Actor("tnt_north", "org_north", subject="app_north", client_id="app_north")
    rows = [device(number, device_class="oximeter" if number != 4 else "x") for number in range(ROWS)]
    uploads = [await received.keep(actor, part) for part in (ndjson(*rows[:3]), ndjson(*rows[3:]))]
    payload, state = ImportPayload.model_validate({"data": "devices", "uploads": uploads}), ImportState()
    killed = 0
    while True:
        job = RunningJob("job_1", actor, payload, state, 1)
        with suppress(_Killed):
            lost = await ImportWork(process).step(job)
            async with database.transaction() as tx:
                if lost.effect is not None:
                    await lost.effect(tx)
                raise _Killed
        killed += 1
        outcome = await ImportWork(process).step(job)
        async with database.transaction() as tx:
            decided = None if outcome.effect is None else await outcome.effect(tx)
        if isinstance(outcome, Finish):
            break
        assert decided is None or isinstance(decided, ImportState)
        state = ImportState.model_validate_json((decided or outcome.state).model_dump_json())
    assert killed == 2 + 4 + 1
    assert await count(database) == ROWS - 2
    async with database.read() as tx:
        enrolled = select(func.count()).where(audit_entries.c.action == "device.enrol")
        assert (await tx.execute(enrolled)).scalar() == ROWS - 2
    found = orjson.loads(orjson.dumps(document(payload, state)))
    assert (found["created"], found["refused"], found["left_out"]) == (5, 1, 1)
    assert found["not_imported"] == [{"first_line": 5, "last_line": 6}]
