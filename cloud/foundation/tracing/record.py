"""Spans as they are recorded and stored: a root with the spans within it. Only attributes of an allow-list are stored,
so that the database gets no body, token, query, address or value of a patient (contract matrix A-107).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from cloud.foundation.db import Records
from cloud.foundation.trace import InnerSpan
from cloud.foundation.tracing.tables import spans as table

OMITTED = "argus.spans.omitted"
"""The attribute of a root with more spans within it than are stored: the number of those that are not."""

ATTRIBUTES = frozenset(
    {
        "http.request.method",
        "http.route",
        "http.response.status_code",
        "server.host",
        "error.type",
        "service.name",
        "db.system.name",
        "messaging.system",
        "messaging.destination.name",
        "messaging.batch.message_count",
        "argus.event.id",
        "argus.event.type",
        "argus.delivery.id",
        "argus.delivery.attempt",
        "argus.webhook.id",
        "argus.job.id",
        "argus.job.kind",
        "argus.job.attempt",
        "argus.gateway.id",
        "argus.lane",
        "argus.batch.kind",
        "argus.batch.sequence",
        "argus.batch.historical",
        OMITTED,
    }
)
"""The attributes that a span may have: only our own ids, closed sets of words and counts. The names are those of the
semantic conventions of OpenTelemetry where they have one; our own begin with `argus.`."""


@dataclass(frozen=True, slots=True)
class Span:
    """A span of a trace. `kind` is server, internal, client, producer or consumer; `status` is ok or error."""

    tenant_id: str
    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    kind: str
    started_at_us: int
    ended_at_us: int
    status: str
    attributes: Mapping[str, Any]
    inner_spans: Sequence[InnerSpan] | None = None
    """The spans within this one; None if there are none."""

    def flattened(self) -> Iterator["Span"]:
        """Yield this span and the spans within it, each without spans within."""
        yield self if self.inner_spans is None else replace(self, inner_spans=None)
        for one in self.inner_spans or ():
            yield Span(
                self.tenant_id,
                self.trace_id,
                one.span_id,
                self.span_id,
                one.name,
                one.kind,
                self.started_at_us + one.began_us,
                self.started_at_us + one.ended_us,
                one.status,
                one.attributes or {},
            )


def allowed(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the attributes that a span may have: usually all, and then the mapping itself."""
    if attributes.keys() <= ATTRIBUTES:
        return attributes
    return {name: value for name, value in attributes.items() if name in ATTRIBUTES}


def write_attributes(attributes: Mapping[str, Any]) -> str:
    """Return the allowed attributes as they are stored."""
    return orjson.dumps(allowed(attributes)).decode()


def write_inner(inner: Sequence[InnerSpan] | None) -> str | None:
    """Return the spans within a span as they are stored; None if there are none."""
    if not inner:
        return None
    rows = [one[:] if one[-1] is None else (*one[:-1], allowed(one[-1])) for one in inner]  # as plain tuples
    return orjson.dumps(rows).decode()


def _read_inner(text: str) -> Sequence[InnerSpan]:
    return [InnerSpan(*row) for row in orjson.loads(text)]


SPANS = Records(
    Span,
    table,
    codecs={"attributes": (write_attributes, orjson.loads), "inner_spans": (write_inner, _read_inner)},
)
