"""Run one analysis in a process of its own (`child.py`), which a cancelled job ends at once, and the end of the worker
too."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import orjson
import structlog

from cloud.work.graph.child import TOO_LARGE
from cloud.work.jobs import JobFailure

log = structlog.get_logger()

# Libraries of the analysis would start a thread for each core; the worker has other jobs.
_ONE_THREAD = {"RAYON_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


async def analyse(request: dict[str, Any], graph: AsyncIterator[bytes], chunk_bytes: int) -> AsyncGenerator[bytes]:
    """Yield the JSON of an analysis in chunks of `chunk_bytes`, the last one shorter. `graph` yields the lines of the
    graph. Raises `JobFailure` when the process does not succeed."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cloud.work.graph.child",
        orjson.dumps(request).decode(),
        str(os.getpid()),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, **_ONE_THREAD},
        limit=chunk_bytes,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        try:
            async for lines in graph:
                child.stdin.write(lines)
                await child.stdin.drain()
            child.stdin.close()
        except (BrokenPipeError, ConnectionResetError):
            pass  # the process has ended, and its exit code has the reason
        while chunk := await _read(child.stdout, chunk_bytes):
            yield chunk
        code = await child.wait()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if code != 0:
        log.warning("graph.analysis_failed", analysis=request["analysis"], exit_code=code)
        if code == TOO_LARGE:
            raise JobFailure("graph_too_large", "The graph needs too much memory. Choose a shorter time range.")
        raise JobFailure("graph_analysis_failed", "The analysis could not be completed. Choose a shorter time range.")


async def _read(stream: asyncio.StreamReader, count: int) -> bytes:
    try:
        return await stream.readexactly(count)
    except asyncio.IncompleteReadError as end:
        return end.partial
