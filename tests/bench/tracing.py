"""`tracing.*`: what traces cost a request, and the time of a look-up.

- authenticated_get: requests by processor time of a server that records, stores and indexes the spans of each request,
  and of the same server without traces. A ratio of 0.8 is a quarter more processor time. The clients are in another
  process, and the spans are written during the run.
- look_up: milliseconds of `GET /v1/observability/traces/{trace_id}` for a trace of 500 spans, among 100 000 others; the
  spread is the fastest and the slowest of `LOOK_UPS`.
"""

import asyncio
import atexit
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from cloud.foundation.db import open_database
from cloud.foundation.trace import InnerSpan, new_span_id
from cloud.foundation.tracing import Span, Spans
from tests.bench.frame import Done, Figure, plain_figure
from tests.bench.http import REQUESTS, Load
from tests.builders.trace_desk import TRACE, trace_desk
from tests.harness.databases import migrated_file
from tests.harness.postgresql import postgresql_running, programs

NAMES = ("tracing.look_up", "tracing.look_up.postgresql")
LOOK_UPS = 50
ROWS, SPANS_EACH = 100, 5
OTHER_ROWS = 20_000

_TICKS = os.sysconf("SC_CLK_TCK")


def measure_authenticated_get() -> tuple[Callable[[], Done], Callable[[], Done]]:
    """Return two runs: GETs of a list of devices from a server with traces, and from one without."""
    return _Served("on").run, _Served("off").run


class _Served:
    """A running server and its clients; it is stopped when the interpreter ends."""

    def __init__(self, traced: str) -> None:
        self._open = ExitStack()
        atexit.register(self._open.close)
        folder = self._open.enter_context(tempfile.TemporaryDirectory())
        words = [sys.executable, "-m", "tests.harness.traced_server", folder, traced]
        self._server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self._open.callback(self._server.wait)
        self._open.callback(self._server.kill)
        assert self._server.stdout is not None
        port = int(self._server.stdout.readline())
        request = (
            "GET /api/v1/devices?limit=1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n"
            "Accept: application/json\r\n\r\n"
        )
        self._load = Load(port, request.encode(), 200)
        self._open.callback(self._load.close)

    def run(self) -> Done:
        begun_s = self._cpu_s()
        for _ in range(4):
            self._load.run()
        time.sleep(1.1)  # the spans of the last second are written too
        return Done(4 * REQUESTS, self._cpu_s() - begun_s)

    def _cpu_s(self) -> float:
        fields = Path(f"/proc/{self._server.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


def measure_look_ups() -> list[Figure]:
    """Measure look-ups on SQLite and, where it is installed, on PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{shutil.copy(migrated_file(), Path(folder) / 'cloud.db')}"
        figures = [asyncio.run(_look_ups(NAMES[0], url))]
    if programs() is not None:
        with postgresql_running() as cluster, cluster.database() as url:
            figures.append(asyncio.run(_look_ups(NAMES[1], url)))
    return figures


async def _look_ups(name: str, url: str) -> Figure:
    database = await open_database(url)
    spans = Spans(database, waiting_max=ROWS + OTHER_ROWS)
    for number in range(OTHER_ROWS):
        spans.record(_span(f"{number + 1:032x}"))
    for _ in range(ROWS):
        spans.record(_span(TRACE))
    await spans.flush()
    async with trace_desk(database, spans=spans) as desk:
        times_ms = []
        for _ in range(LOOK_UPS):
            begun_s = time.perf_counter()
            found = await desk.look_up()
            times_ms.append((time.perf_counter() - begun_s) * 1000)
            assert len(found.document["spans"]) == ROWS * SPANS_EACH
    await database.close()
    return plain_figure(name, "ms", statistics.median(times_ms), (min(times_ms), max(times_ms)))


def _span(trace_id: str) -> Span:
    inner = [
        InnerSpan(new_span_id(), "db.read", "client", at_us, at_us + 90, "ok", {"db.system.name": "sqlite"})
        for at_us in range(0, 100 * (SPANS_EACH - 1), 100)
    ]
    attributes = {
        "http.request.method": "GET",
        "http.route": "/api/v1/devices",
        "http.response.status_code": 200,
        "server.host": "api",
    }
    times_us = 1_790_000_000_000_000, 1_790_000_000_000_400
    name = "GET /api/v1/devices"
    return Span("tnt_north", trace_id, new_span_id(), None, name, "server", *times_us, "ok", attributes, inner)
