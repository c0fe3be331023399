"""A process that appends values to a store until it is killed, and prints each value that is durable.

    python -m tests.harness.buffer_victim STORE RUN [LIMIT]

Each line is one value, printed after `append_sections` returned. Eight tasks append concurrently, so that they share
commits. RUN numbers the run, and no value occurs in two runs. With LIMIT (bytes), no file may grow beyond LIMIT, so
writing to the disk fails in the middle of the run. The last line is then `failed: ` and the diagnosis.
"""

import asyncio
import resource
import sys
from pathlib import Path

from gateway.buffer import Buffer, BufferSettings, BufferUnusable
from gateway.transports.clock import SystemClock
from tests.builders.buffer_observations import connected, numerics, section, waveform
from tests.builders.buffer_store import GATEWAY, KEY

TASKS = 8
VALUES_PER_RUN = 1_000_000


async def append_for_ever(buffer: Buffer, values: "asyncio.Queue[int]") -> None:
    while True:
        value = values.get_nowait()
        await buffer.append_sections([section(numerics(1, first=float(value)) + waveform(1, samples=200))])
        sys.stdout.write(f"{value}\n")
        sys.stdout.flush()
        if value % 10 == 0:
            await buffer.append_event(connected())


async def main(path: Path, run: int, limit_bytes: int | None) -> None:
    settings = BufferSettings(commit_interval_s=0.0, reserve_bytes=1 << 20)
    buffer = await Buffer.open(
        path, gateway=GATEWAY, key=KEY, settings=settings, clock=SystemClock(), witness=path.with_name("witness")
    )
    values: asyncio.Queue[int] = asyncio.Queue()
    for value in range(run * VALUES_PER_RUN, run * VALUES_PER_RUN + 20_000):
        values.put_nowait(value)
    if limit_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, resource.RLIM_INFINITY))
    try:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(TASKS):
                tasks.create_task(append_for_ever(buffer, values))
    except* BufferUnusable as failures:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print(f"failed: {failures.exceptions[0]}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None))
