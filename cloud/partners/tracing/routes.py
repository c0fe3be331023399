"""The route of traces on the API host (contract C-144 … C-151)."""

from cloud.foundation.http import Host, Parts, Route, Scopes
from cloud.partners.tracing.handlers import TraceHandlers
from cloud.partners.tracing.schemas import TraceShown

_TRACE = "0af7651916cd43dd8448eb211c80319c"


def routes(parts: Parts) -> tuple[Route, ...]:
    return (
        Route(
            method="GET",
            path="/v1/observability/traces/{trace_id}",
            path_forms={"trace_id": "[0-9a-f]{32}"},
            handler=TraceHandlers(parts).inspect,
            host=Host.API,
            tag="Traces",
            scopes=Scopes.any_of("argus:observability:read"),
            response=TraceShown,
            responses={
                200: "The spans of the trace.",
                400: "The trace id is not 32 lower-case hexadecimal digits, or all are 0.",
                404: "Trace not found.",
                503: "The stored traces cannot be read at the moment. The trace was recorded. `query_hint` is "
                "`use_your_backend`: look it up in your own tracing backend, if it has the trace.",
            },
            errors=(
                "trace_id_malformed",
                "trace_unknown",
                "traces_unreachable",
            ),
            operation_id="getTrace",
            summary="Look up a recorded trace",
            description="Returns the spans of your tenant in a W3C trace. Its id is in `X-Argus-Trace-ID` of each "
            "response, and a `traceparent` that you send continues your own trace. Spans are visible as soon as their "
            "request has its response. The tree follows from `parent_span_id`.",
            response_example={
                "trace_id": _TRACE,
                "spans": [
                    {
                        "span_id": "b7ad6b7169203331",
                        "parent_span_id": None,
                        "name": "GET /api/v1/devices",
                        "kind": "server",
                        "start_time": "2026-05-08T12:00:00.000000Z",
                        "end_time": "2026-05-08T12:00:00.004200Z",
                        "status": "ok",
                        "attributes": {
                            "http.request.method": "GET",
                            "http.route": "/api/v1/devices",
                            "http.response.status_code": 200,
                            "server.host": "api",
                        },
                    }
                ],
                "complete": True,
            },
        ),
    )
