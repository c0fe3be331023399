"""Traces: the spans of requests, events, deliveries, jobs and batches, their store, and their export by OTLP."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.foundation.tracing.peers import peers_of
    from cloud.foundation.tracing.record import Span
    from cloud.foundation.tracing.spans import Spans, spans_of, traced
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(
    package=__name__,
    jobs="jobs:jobs",
    retention="jobs:KINDS",
    tables="tables",
    settings={"tracing": "settings:TracingSection"},
)
