"""The retention of spans, their metric, and the loops that write and export them."""

from typing import TYPE_CHECKING

from cloud.foundation.db import Transaction
from cloud.foundation.jobs import Jobs, Loop
from cloud.foundation.observability import SPANS_DROPPED, SPANS_EXPORTED, SPANS_UNEXPORTED, Metrics
from cloud.foundation.process import Process
from cloud.foundation.retention import AgedRows, Kind, Terms
from cloud.foundation.tracing.peers import peers_of
from cloud.foundation.tracing.settings import TracingSection
from cloud.foundation.tracing.shares import TenantShares
from cloud.foundation.tracing.spans import spans_of
from cloud.foundation.tracing.tables import spans

if TYPE_CHECKING:
    from cloud.foundation.tracing.export import SpanExport

SPANS_MAX = 2_000_000
"""Greatest number of stored spans with those within them, whatever their age: about a day of 20 requests a second, and
2 GB."""


class SpanRows(AgedRows):
    """The sweep of spans: those past their period, then those of the tenants above their share of `SPANS_MAX`."""

    def __init__(self) -> None:
        super().__init__(spans, spans.c.ended_at_us)
        self._shares = TenantShares(SPANS_MAX)

    async def delete_chunk(self, tx: Transaction, terms: Terms, now_us: int) -> int:
        return await super().delete_chunk(tx, terms, now_us) or await self._shares.delete_chunk(tx)


KINDS = (
    Kind(
        name="spans",
        meaning=f"spans of requests, events, deliveries, jobs and batches, and about {SPANS_MAX} of all tenants "
        "at most, of which each has an equal share",
        default_days=3,
        is_evidence=False,
        sweep=SpanRows,
    ),
)


def jobs(process: Process) -> Jobs:
    """Return the loops and the metrics of spans. Raises `SettingsUnusable` for an endpoint that is not a URL."""
    recorder = process.shared(spans_of)
    loops = [Loop("span requests", process.shared(peers_of).run)]
    section = process.settings.find(TracingSection)
    export = None if section is None else _export_of(section)
    if export is not None:
        recorder.sink = export.queue
        loops.append(Loop("span export", export.run))

    async def sample(metrics: Metrics) -> None:
        metrics.set(SPANS_DROPPED, recorder.dropped)
        if export is not None:
            metrics.set(SPANS_EXPORTED, export.exported)
            metrics.set(SPANS_UNEXPORTED, export.unexported)

    return Jobs(loops=loops, samplers=[("spans", sample)])


def _export_of(section: TracingSection) -> "SpanExport":
    from cloud.foundation.tracing.export import SpanExport  # with OpenTelemetry's SDK, which others do not need

    return SpanExport(section)
