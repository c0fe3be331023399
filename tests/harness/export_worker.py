"""A process that runs an export of a database to its end, and prints what it cost as JSON.

    python -m tests.harness.export_worker DATABASE_URL OBJECTS PAYLOAD

It runs the steps of the job as a worker does, without the rows of the job. `memory_mb` is the growth of the process's
resident memory to its peak. `rows_per_s` is per second of processor time, of all threads together and without the first
part, in which modules are loaded.
"""

import asyncio
import json
import resource
import sys
from pathlib import Path
from typing import Any

import structlog

from cloud.foundation.clock import SystemClock
from cloud.foundation.db import open_database
from cloud.foundation.master_key import MasterKey
from cloud.foundation.objects import LocalObjects
from cloud.work.exports.schemas import ExportPayload, ExportState
from cloud.work.exports.work import ExportWork
from cloud.work.jobs import Finish, RunningJob
from tests.builders.ingest_cloud import OPERATOR
from tests.builders.parts import make_parts

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


async def _run(url: str, objects: str, wanted: str) -> dict[str, object]:
    database, clock = await open_database(url), SystemClock()
    sections: Any = {"objects_dir": objects}
    work = ExportWork(make_parts(database, clock, master=MasterKey(bytes(32)), sections=sections))
    payload = ExportPayload.model_validate_json(wanted)
    job = RunningJob("job_measured", OPERATOR, payload, ExportState(), 1)
    done = asyncio.Event()
    turns = asyncio.create_task(_longest_turn_s(done))
    await asyncio.sleep(0.1)
    Path("/proc/self/clear_refs").write_text("5")
    idle_mb, begun_s, rows_before = _peak_mb(), 0.0, 0
    try:
        while not isinstance(outcome := await work.step(job), Finish):
            state = ExportState.model_validate_json(outcome.state.model_dump_json())
            if job.state.before_us is not None and begun_s == 0.0:
                begun_s, rows_before = _cpu_s(), state.rows
            job = RunningJob(job.id, job.actor, payload, state, 1)
        cpu_s = _cpu_s() - begun_s
    finally:
        done.set()
        longest_turn_s = await turns
        await database.close()
    joined = job.state.joined
    assert joined is not None
    await LocalObjects(Path(objects)).remove(joined.object_name)
    return {
        "rows": job.state.rows,
        "rows_per_s": (job.state.rows - rows_before) / cpu_s,
        "memory_mb": _peak_mb() - idle_mb,
        "longest_turn_s": longest_turn_s,
        "sha256": joined.sha256,
        "bytes": joined.size_bytes,
    }


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    print(json.dumps(asyncio.run(_run(*sys.argv[1:4]))))
