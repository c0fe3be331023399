"""Encode spans as OTLP, and choose those to export, with the SDK of OpenTelemetry.

A span is recorded as a value of our own, in 2 µs; one of the SDK takes 18 µs of processor time, which is a tenth of a
short request. So the SDK makes only the spans that are exported: when the export is on, for the chosen traces, and on a
thread beside the event loop.
"""

from collections.abc import Sequence
from importlib.metadata import version

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from cloud.foundation.tracing.record import Span, allowed

SERVICE = "argus-cloud"
TENANT = "argus.tenant.id"
"""The attribute with the tenant of a span, for the operator. Look-ups do not need it."""

_KINDS = {kind.name.lower(): kind for kind in SpanKind}
_STATUS = {"ok": Status(StatusCode.UNSET), "error": Status(StatusCode.ERROR)}
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_TIME_US_MAX = (2**64 - 1) // 1000
"""Latest time that OTLP can express: its times are 64-bit numbers of nanoseconds."""


class Sampling:
    """Chooses the traces to export by their ids: every process, and each other program with the same ratio, chooses the
    same ones."""

    def __init__(self, ratio: float) -> None:
        self._sampler = TraceIdRatioBased(ratio)

    def chooses(self, trace_id: str) -> bool:
        return self._sampler.should_sample(None, int(trace_id, 16), "").decision is Decision.RECORD_AND_SAMPLE


class OtlpEncoder:
    """Encodes spans as requests of OTLP/HTTP."""

    def __init__(self) -> None:
        self._resources: dict[str, Resource] = {}

    def encode(self, spans: Sequence[Span]) -> bytes:
        """Return an `ExportTraceServiceRequest` with these spans and those within them."""
        message = encode_spans([self._readable(one) for span in spans for one in span.flattened()])
        return bytes(message.SerializeToString())

    def _readable(self, span: Span) -> ReadableSpan:
        attributes = {**allowed(span.attributes), TENANT: span.tenant_id}
        service = str(attributes.pop("service.name", SERVICE))
        trace_id, parent = int(span.trace_id, 16), span.parent_span_id
        return ReadableSpan(
            name=span.name,
            context=SpanContext(trace_id, int(span.span_id, 16), is_remote=False, trace_flags=_SAMPLED),
            parent=None if parent is None else SpanContext(trace_id, int(parent, 16), is_remote=True),
            resource=self._resource(service),
            attributes=attributes,
            kind=_KINDS[span.kind],
            status=_STATUS[span.status],
            start_time=_time_ns(span.started_at_us),
            end_time=_time_ns(span.ended_at_us),
        )

    def _resource(self, service: str) -> Resource:
        if service not in self._resources:
            self._resources[service] = Resource({"service.name": service, "service.version": version("argus")})
        return self._resources[service]


def _time_ns(at_us: int) -> int:
    """Return a time in nanoseconds, limited to what OTLP can express. A vehicle's clock may state any time."""
    return min(max(0, at_us), _TIME_US_MAX) * 1000


def rejected_spans(body: bytes) -> int:
    """Return the number of spans that a receiver rejected, by the body of its response with status 200. A body that
    cannot be read rejects none."""
    response = ExportTraceServiceResponse()
    try:
        response.ParseFromString(body)
    except Exception:  # the errors of protobuf's implementations have no common base but this
        return 0
    return int(response.partial_success.rejected_spans)
