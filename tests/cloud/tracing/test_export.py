"""Spans are exported to a real OTLP receiver over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from structlog.testing import capture_logs

from cloud.foundation.clock import SystemClock
from cloud.foundation.db import Database
from cloud.foundation.settings import SettingsUnusable
from cloud.foundation.trace import CURRENT, SpanTimer, begin_trace
from cloud.foundation.tracing import Spans, traced
from cloud.foundation.tracing import export as exporting
from cloud.foundation.tracing.export import BATCH_MAX, SpanExport
from cloud.foundation.tracing.otlp import Sampling
from cloud.foundation.tracing.settings import TracingSection
from cloud.foundation.viewer import Viewer
from tests.builders.trace_desk import PARENT, TRACE
from tests.cloud.tracing.test_recording import span
from tests.harness.eventually import eventually


@dataclass
class Collector:
    """An OTLP receiver. `statuses` are the statuses of its next responses, 200 after them; `rejects` is the number of
    spans that it rejects of each request."""

    statuses: list[int] = field(default_factory=list)
    rejects: int = 0
    url: str = ""
    spans: list[Any] = field(default_factory=list)
    resources: list[dict[str, str]] = field(default_factory=list)
    requests: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)

    async def take(self, request: web.Request) -> web.Response:
        self.requests += 1
        self.headers = request.headers
        assert request.content_type == "application/x-protobuf"
        if self.statuses and (status := self.statuses.pop(0)) != 200:
            return web.Response(status=status)
        message = ExportTraceServiceRequest.FromString(await request.read())
        for resource in message.resource_spans:
            self.resources.append({one.key: one.value.string_value for one in resource.resource.attributes})
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]
        partial = ExportTracePartialSuccess(rejected_spans=self.rejects)
        body = ExportTraceServiceResponse(partial_success=partial).SerializeToString()
        return web.Response(body=body, content_type="application/x-protobuf")


@asynccontextmanager
async def collecting(**more: Any) -> AsyncIterator[Collector]:
    collector = Collector(**more)
    app = web.Application()
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    collector.url = f"http://{host}:{port}/v1/traces"
    try:
        yield collector
    finally:
        await runner.cleanup()


@asynccontextmanager
async def exported_to(url: str, ratio: float = 1.0) -> AsyncIterator[SpanExport]:
    """Run an export with pauses of a millisecond."""
    export = SpanExport(TracingSection(otlp_endpoint=url, export_ratio=ratio), pause_s=0.001)
    stopping = asyncio.Event()
    task = asyncio.create_task(export.run(stopping))
    try:
        yield export
    finally:
        stopping.set()
        with suppress(asyncio.CancelledError):
            await task


def attributes(span: Any) -> dict[str, Any]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


@pytest.mark.contract("C-149", "A-107")
async def test_receiver_gets_the_spans_with_their_parents_kinds_and_statuses(database: Database) -> None:
    recorder = Spans(database)
    async with collecting() as collector, exported_to(collector.url) as export:
        recorder.sink = export.queue
        failing = traced(
            recorder,
            SystemClock(),
            "tnt_north",
            "job.run",
            "consumer",
            begin_trace(f"00-{TRACE}-{PARENT}-00"),
            attributes={"argus.job.id": "job_1", "url.full": "canary"},
        )
        with suppress(ValueError), failing:
            with SpanTimer("db.read", "client", {"db.system.name": "sqlite"}):
                pass
            raise ValueError("synthetic canary")
        await eventually(lambda: len(collector.spans) == 2)
    run, read = collector.spans
    assert (run.trace_id.hex(), run.parent_span_id.hex(), run.name) == (TRACE, PARENT, "job.run")
    assert (read.trace_id, read.parent_span_id, read.name) == (run.trace_id, run.span_id, "db.read")
    assert (run.kind, read.kind) == (run.SPAN_KIND_CONSUMER, run.SPAN_KIND_CLIENT)
    assert (run.status.code, read.status.code) == (run.status.STATUS_CODE_ERROR, run.status.STATUS_CODE_UNSET)
    assert attributes(run) == {"argus.job.id": "job_1", "error.type": "ValueError", "argus.tenant.id": "tnt_north"}
    assert attributes(read) == {"db.system.name": "sqlite", "argus.tenant.id": "tnt_north"}
    assert {one["service.name"] for one in collector.resources} == {"argus-cloud"}
    assert "canary" not in str(collector.spans)
    assert (export.exported, export.unexported) == (1, 0)
    assert CURRENT.get() is None


async def test_spans_of_a_vehicle_are_exported_as_those_of_another_service() -> None:
    async with collecting() as collector, exported_to(collector.url) as export:
        export.queue(span(attributes={"service.name": "argus-gateway"}, started_at_us=-5))
        await eventually(lambda: collector.spans)
    assert collector.resources[0]["service.name"] == "argus-gateway"
    assert attributes(collector.spans[0]) == {"argus.tenant.id": "tnt_north"}
    assert collector.spans[0].start_time_unix_nano == 0


async def test_span_of_a_vehicle_whose_clock_is_far_ahead_is_exported_with_the_latest_time() -> None:
    async with collecting() as collector, exported_to(collector.url) as export:
        export.queue(span(started_at_us=10**18 - 1, ended_at_us=10**18))
        await eventually(lambda: collector.spans)
    latest = (2**64 - 1) // 1000 * 1000
    assert (collector.spans[0].start_time_unix_nano, collector.spans[0].end_time_unix_nano) == (latest, latest)


async def test_batch_that_cannot_be_encoded_is_counted_and_the_export_continues() -> None:
    async with collecting() as collector, exported_to(collector.url) as export:
        export.queue(span(kind="unknown to OTLP"))
        await eventually(lambda: export.unexported == 1)
        export.queue(span())
        await eventually(lambda: export.exported == 1)
    assert len(collector.spans) == 1


@pytest.mark.contract("A-008")
async def test_sampling_chooses_whole_traces_for_the_export_and_all_are_stored(database: Database) -> None:
    traces = [f"{number * 0x0123456789ABCDEF0123456789ABCDEF % 2**128:032x}" for number in range(1, 201)]
    sampling = Sampling(0.25)
    chosen = {trace for trace in traces if sampling.chooses(trace)}
    assert 20 < len(chosen) < 80
    recorder = Spans(database)
    async with collecting() as collector, exported_to(collector.url, 0.25) as export:
        recorder.sink = export.queue
        for trace in traces:
            recorder.record(span(trace_id=trace))
            recorder.record(span(trace_id=trace))
        await eventually(lambda: len(collector.spans) == 2 * len(chosen))
    assert {one.trace_id.hex() for one in collector.spans} == chosen
    await recorder.flush()
    async with database.read() as tx:
        stored = [len((await recorder.find(tx, Viewer("tnt_north", None), trace))[0]) for trace in traces]
    assert stored == [2] * len(traces)


@pytest.mark.parametrize(
    ("statuses", "requests", "exported", "unexported"),
    [([503, 429], 3, 1, 0), ([400], 1, 0, 1), ([503] * 9, 5, 0, 1)],
    ids=["taken after a pause", "refused", "absent for long"],
)
async def test_batch_is_sent_again_a_limited_number_of_times_and_only_after_a_status_that_permits_it(
    statuses: Sequence[int], requests: int, exported: int, unexported: int
) -> None:
    async with collecting(statuses=list(statuses)) as collector, exported_to(collector.url) as export:
        export.queue(span())
        await eventually(lambda: export.exported + export.unexported == 1)
        assert (collector.requests, export.exported, export.unexported) == (requests, exported, unexported)


async def test_spans_that_the_receiver_rejects_are_counted() -> None:
    async with collecting(rejects=2) as collector, exported_to(collector.url) as export:
        for _ in range(3):
            export.queue(span())
        await eventually(lambda: export.exported + export.unexported == 3)
    assert (export.exported, export.unexported) == (1, 2)


async def test_full_queue_drops_its_oldest_span_and_counts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "QUEUED_MAX", 3)
    async with collecting() as collector:
        export = SpanExport(TracingSection(otlp_endpoint=collector.url))
        for number in range(1, 6):
            export.queue(span(number))
        stopping = asyncio.Event()
        stopping.set()
        await export.run(stopping)
    assert [int.from_bytes(one.trace_id, "big") for one in collector.spans] == [3, 4, 5]
    assert (export.exported, export.unexported) == (3, 2)


async def test_queue_is_sent_in_limited_requests_when_the_process_stops() -> None:
    async with collecting() as collector:
        export = SpanExport(TracingSection(otlp_endpoint=collector.url))
        for _ in range(BATCH_MAX + 1):
            export.queue(span())
        stopping = asyncio.Event()
        stopping.set()
        await export.run(stopping)
    assert (collector.requests, len(collector.spans)) == (2, BATCH_MAX + 1)


@pytest.mark.parametrize("given", ["collector:4318", "ftp://collector/v1/traces", "http:///v1/traces", "http://a b/"])
def test_endpoint_that_is_no_url_is_refused_at_the_start(given: str) -> None:
    with pytest.raises(SettingsUnusable, match="otlp_endpoint"):
        SpanExport(TracingSection(otlp_endpoint=given))


def headers_file(folder: Path, content: str, mode: int = 0o600) -> Path:
    path = folder / "headers"
    path.write_text(content)
    path.chmod(mode)
    return path


async def test_receiver_gets_the_headers_of_the_file_and_they_are_not_logged(tmp_path: Path) -> None:
    path = headers_file(tmp_path, "Authorization: Bearer canary-1\n\nX-Scope-OrgID:north \n")
    async with collecting(statuses=[400]) as collector:
        export = SpanExport(TracingSection(otlp_endpoint=collector.url, otlp_headers_file=path))
        export.queue(span())
        stopping = asyncio.Event()
        stopping.set()
        with capture_logs() as lines:
            await export.run(stopping)
    assert (collector.headers["Authorization"], collector.headers["X-Scope-OrgID"]) == ("Bearer canary-1", "north")
    assert [line["event"] for line in lines] == ["spans.not_exported"]
    assert "canary" not in str(lines)


@pytest.mark.parametrize(
    ("content", "mode", "reason"),
    [
        ("Authorization: Bearer canary", 0o640, "chmod 600"),
        ("Authorization=Bearer canary", 0o600, "line 1"),
        ("X-One: 1\nHost: canary", 0o600, "line 2"),
        ("X-One: canary\x01", 0o600, "line 1"),
        ("\n".join(f"X-{number}: canary" for number in range(17)), 0o600, "line 17"),
        ("canary" * 3000, 0o600, "too large"),
    ],
    ids=["readable by others", "no header", "set by the export", "control character", "too many", "too long"],
)
def test_file_of_headers_that_cannot_be_used_is_refused_without_quoting_it(
    tmp_path: Path, content: str, mode: int, reason: str
) -> None:
    section = TracingSection(
        otlp_endpoint="http://127.0.0.1:4318/v1/traces", otlp_headers_file=headers_file(tmp_path, content, mode)
    )
    with pytest.raises(SettingsUnusable, match=reason) as refused:
        SpanExport(section)
    assert "canary" not in refused.value.sentence
