"""Errors of the look-up of traces."""

from cloud.foundation.http import NotFound, Refused


class TraceUnknown(NotFound, code="trace_unknown"):
    """Trace not found."""


class TraceIdMalformed(Refused, code="trace_id_malformed", status=400):
    """A trace id has 32 lower-case hexadecimal digits, and not all are 0."""


class TracesUnreachable(Refused, code="traces_unreachable", status=503):
    """The stored traces cannot be read at the moment. The trace was recorded: try again shortly, or use your own
    tracing backend."""

    def __init__(self) -> None:
        # The value is the contract's (C-150): clients compare it.
        super().__init__(members={"query_hint": "use_your_backend"})
