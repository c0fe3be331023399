"""A process that runs the export of observations of a database to its end, and prints what it cost as JSON.

    python -m tests.harness.export_worker DATABASE OBJECTS FORMAT BEFORE_US STATE

It runs the steps of the job as a worker does, and stores the state after each step in the file STATE, from which
another process continues.
"""

import asyncio
import json
import resource
import sys
from pathlib import Path

import structlog

from cloud.foundation.clock import SystemClock
from cloud.foundation.db import open_database
from cloud.foundation.ids import UlidIds
from cloud.foundation.master_key import MasterKey
from cloud.foundation.process import Process
from cloud.settings import MODEL
from cloud.supplies import make_supplies
from cloud.work.exports.schemas import ExportPayload, ExportState
from cloud.work.exports.work import ExportWork
from cloud.work.jobs import Finish, RunningJob
from tests.builders.ingest_cloud import OPERATOR

_STATUS = Path("/proc/self/status")


def _peak_mb() -> float:
    lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) / 1024


async def _longest_turn_s(done: asyncio.Event) -> float:
    """Return the longest time for which the event loop had no turn: a cancellation is delayed by it."""
    loop, longest = asyncio.get_running_loop(), 0.0
    while not done.is_set():
        begun = loop.time()
        await asyncio.sleep(0.01)
        longest = max(longest, loop.time() - begun - 0.01)
    return longest


async def _run(url: str, objects: str, form: str, before_us: int, stored: Path) -> dict[str, object]:
    database, clock = await open_database(url), SystemClock()
    settings = MODEL.model_validate({"database_url": url, "objects_dir": objects})
    process = Process(
        settings=settings,
        database=database,
        clock=clock,
        ids=UlidIds(clock),
        master=lambda: MasterKey(bytes(32)),
        supplies=make_supplies(),
    )
    work = ExportWork(process)
    payload = ExportPayload.model_validate({"data": "observations", "format": form})
    state = ExportState.model_validate_json(stored.read_text()) if stored.exists() else ExportState()
    job = RunningJob("job_measured", OPERATOR, payload, state, 1)
    done = asyncio.Event()
    turns = asyncio.create_task(_longest_turn_s(done))
    await asyncio.sleep(0.1)
    Path("/proc/self/clear_refs").write_text("5")
    idle_mb, begun_s, rows_before = _peak_mb(), 0.0, 0
    try:
        while not isinstance(outcome := await work.step(job), Finish):
            state = ExportState.model_validate_json(outcome.state.model_dump_json())
            if job.state.before_us is None:
                # The encounters of the test are of a time of their own.
                state.before_us = before_us
            elif begun_s == 0.0:  # without what is loaded at the first part
                begun_s, rows_before = _cpu_s(), state.rows
            written = stored.with_suffix(".new")
            written.write_text(state.model_dump_json())
            written.rename(stored)
            job = RunningJob(job.id, job.actor, payload, state, 1)
        cpu_s = _cpu_s() - begun_s
    finally:
        done.set()
        longest_turn_s = await turns
        await database.close()
    assert job.state.joined is not None
    return {
        "rows": job.state.rows,
        "rows_per_s": (job.state.rows - rows_before) / cpu_s,
        "memory_mb": _peak_mb() - idle_mb,
        "longest_turn_s": longest_turn_s,
        "sha256": job.state.joined.sha256,
        "bytes": job.state.joined.size_bytes,
    }


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    print(json.dumps(asyncio.run(_run(*sys.argv[1:4], int(sys.argv[4]), Path(sys.argv[5])))))
