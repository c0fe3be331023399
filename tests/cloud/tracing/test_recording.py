"""Spans are recorded in a bounded queue and written in batches, also at the end of the process."""

import asyncio
from time import perf_counter_ns

import pytest

from cloud.foundation.clock import SystemClock
from cloud.foundation.db import Database, DatabaseUnavailable
from cloud.foundation.errors import DomainError
from cloud.foundation.observability import SPANS_DROPPED, Metrics
from cloud.foundation.trace import CURRENT, INNER_SPANS_MAX, LocalRoot, SpanTimer, begin_trace
from cloud.foundation.tracing import Span, Spans, spans_of
from cloud.foundation.tracing.jobs import jobs
from cloud.foundation.tracing.record import OMITTED
from cloud.foundation.viewer import Viewer
from tests.builders.ingest_cloud import StoppedClock
from tests.builders.parts import make_parts, sweep_once

VIEWER = Viewer("tnt_north", None)


def span(trace_number: int = 1, **more: object) -> Span:
    """Return a span of the trace with this number."""
    fields = {
        "tenant_id": VIEWER.tenant_id,
        "trace_id": f"{trace_number:032x}",
        "span_id": begin_trace().span_id,
        "parent_span_id": None,
        "name": "GET /thing",
        "kind": "server",
        "started_at_us": 1_000,
        "ended_at_us": 2_000,
        "status": "ok",
        "attributes": {},
    }
    return Span(**{**fields, **more})  # type: ignore[arg-type]


async def stored(database: Database, trace_number: int) -> list[Span]:
    async with database.read() as tx:
        found, _ = await Spans(database).find(tx, VIEWER, f"{trace_number:032x}")
    return list(found)


async def test_full_queue_drops_its_oldest_span_and_counts_it(database: Database) -> None:
    spans = Spans(database, waiting_max=10)
    for number in range(1, 13):
        spans.record(span(number))
    assert spans.dropped == 2
    await spans.flush()
    assert [len(await stored(database, number)) for number in (1, 2, 3, 12)] == [0, 0, 1, 1]
    metrics = Metrics()
    ((_, sample),) = jobs(make_parts(database, made={spans_of: spans})).samplers
    await sample(metrics)
    assert metrics.value(SPANS_DROPPED) == 2


async def test_spans_past_their_period_are_deleted(database: Database) -> None:
    spans = Spans(database)
    spans.record(span())
    await spans.flush()
    assert await sweep_once(database, StoppedClock(SystemClock().now_us() + 10**12), "spans") == 1
    assert await stored(database, 1) == []


async def test_queued_spans_are_written_when_the_process_stops(database: Database) -> None:
    spans, stopping = Spans(database), asyncio.Event()
    stopping.set()
    spans.record(span())
    await spans.run(stopping)
    assert len(await stored(database, 1)) == 1


async def test_spans_that_could_not_be_written_stay_queued(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost() -> None:
        raise DatabaseUnavailable

    spans = Spans(database, waiting_max=3)
    for number in (1, 2, 3):
        spans.record(span(number))
    with monkeypatch.context() as patched:
        patched.setattr(database, "transaction", lost)
        with pytest.raises(DatabaseUnavailable):
            await spans.flush()
    spans.record(span(4))
    await spans.flush()
    assert spans.dropped == 1
    assert [len(await stored(database, number)) for number in (1, 2, 3, 4)] == [0, 1, 1, 1]


@pytest.mark.contract("A-107", "S-179")
async def test_attributes_that_are_not_on_the_list_are_not_stored(database: Database) -> None:
    spans, root = Spans(database), LocalRoot(begin_trace(f"00-{1:032x}-{1:016x}-01"), 0)
    root.add("db.read", "client", perf_counter_ns(), attributes={"db.system.name": "sqlite", "db.query.text": "canary"})
    spans.end(root, SystemClock(), "tnt_north", "GET /thing", "server", {"url.full": "canary"}, failed=False)
    await spans.flush()
    server, read = await stored(database, 1)
    assert (server.attributes, read.attributes) == ({}, {"db.system.name": "sqlite"})


async def test_spans_within_a_root_are_limited_and_the_others_counted(database: Database) -> None:
    spans, root = Spans(database), LocalRoot(begin_trace(f"00-{1:032x}-{1:016x}-01"), 0)
    for _ in range(INNER_SPANS_MAX + 5):
        root.add("db.read", "client", perf_counter_ns())
    spans.end(root, SystemClock(), "tnt_north", "job.run", "consumer", {}, failed=False)
    await spans.flush()
    async with database.read() as tx:
        found, whole = await spans.find(tx, VIEWER, f"{1:032x}")
    assert (len(found), found[0].attributes, whole) == (INNER_SPANS_MAX + 1, {OMITTED: 5}, False)


def test_block_that_fails_has_a_span_with_an_error_and_one_that_finds_nothing_has_not() -> None:
    root = LocalRoot(begin_trace(), 0)
    CURRENT.set(root)
    for error in (ValueError(), DatabaseUnavailable(), DomainError()):
        with pytest.raises(type(error)), SpanTimer("db.read"):
            raise error
    CURRENT.set(None)
    with SpanTimer("db.read"):
        pass
    assert [one.status for one in root.inner] == ["error", "error", "ok"]
