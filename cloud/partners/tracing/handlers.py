"""The HTTP handler of the look-up of a trace."""

import re

from cloud.foundation.db import DatabaseUnavailable, DatabaseUnusable
from cloud.foundation.http import Json, Parts, Request, Response
from cloud.foundation.moments import write_moment
from cloud.foundation.tracing import Span, peers_of, spans_of
from cloud.partners.tracing.errors import TraceIdMalformed, TracesUnreachable, TraceUnknown

_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")


class TraceHandlers:
    """The handler of `/v1/observability/traces/{trace_id}`."""

    def __init__(self, parts: Parts) -> None:
        self._database = parts.database
        self._spans = parts.shared(spans_of)
        self._peers = parts.shared(peers_of)

    async def inspect(self, request: Request) -> Response:
        """Return the spans of a trace in the caller's tenant. Raises `TraceIdMalformed`, `TraceUnknown`, and
        `TracesUnreachable` if the database cannot be written or read."""
        trace_id = request.path["trace_id"]
        if _TRACE_ID.fullmatch(trace_id) is None:
            raise TraceIdMalformed
        try:
            flushed = await self._peers.flush_all()
            async with self._database.read() as tx:
                found, whole = await self._spans.find(tx, request.viewer, trace_id)
        except (DatabaseUnavailable, DatabaseUnusable):
            raise TracesUnreachable from None
        if not found:
            raise TraceUnknown
        return Json(
            {"trace_id": trace_id, "spans": [_shown(one) for one in found], "complete": flushed and whole},
            headers={"Cache-Control": "no-store"},
        )


def _shown(span: Span) -> dict[str, object]:
    return {
        "span_id": span.span_id,
        "parent_span_id": span.parent_span_id,
        "name": span.name,
        "kind": span.kind,
        "start_time": write_moment(span.started_at_us),
        "end_time": write_moment(span.ended_at_us),
        "status": span.status,
        "attributes": span.attributes,
    }
