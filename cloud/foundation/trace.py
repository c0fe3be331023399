"""The trace of a request (W3C Trace Context level 1; contract matrix C-012, C-147, A-007, A-008).

A valid `traceparent` header continues the caller's trace, even with the sampled flag off. A missing or invalid header
begins a new trace and is never an error. `tracestate` is not read.
"""

import os
import re
from contextvars import ContextVar
from dataclasses import dataclass

# Version 00 has exactly these fields; a later version may have more after a hyphen. Lower case only, ff is forbidden.
_TRACEPARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<parent>[0-9a-f]{16})-[0-9a-f]{2}(?P<more>-.*)?"
)
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
_SPAN_BYTES = 8
_STOCK_BYTES = 6144


@dataclass(frozen=True, slots=True)
class TraceContext:
    """The trace and the server span of a request. Ids are lower-case hex, 32 digits for the trace and 16 for a span.
    `parent_span_id` is the caller's span, or None."""

    trace_id: str
    span_id: str
    parent_span_id: str | None = None

    @property
    def traceparent(self) -> str:
        """The `traceparent` header for outgoing requests. The sampled flag is set, since every span is recorded."""
        return f"00-{self.trace_id}-{self.span_id}-01"


class _RandomStock:
    """Random bytes, read from the system in advance, because a system call for each id would release the interpreter
    lock, and getting the lock back takes 0.1 ms under load."""

    def __init__(self) -> None:
        self._stock = ""
        self._at = 0

    def hex(self, size: int) -> str:
        begin, end = self._at, self._at + 2 * size
        if end > len(self._stock):
            self._stock = os.urandom(_STOCK_BYTES).hex()
            begin, end = 0, 2 * size
        self._at = end
        return self._stock[begin:end]


_random = _RandomStock()

CURRENT: ContextVar[TraceContext | None] = ContextVar("argus_trace", default=None)
"""The trace of the request that is being handled, for log lines."""


def begin_trace(traceparent: str | None = None) -> TraceContext:
    """Begin a span: in the caller's trace if the `traceparent` header is valid, otherwise in a new trace."""
    if traceparent is not None:
        found = _TRACEPARENT.fullmatch(traceparent)
        if (
            found is not None
            and found["trace"] != _NO_TRACE
            and found["parent"] != _NO_SPAN
            and not (found["version"] == "00" and found["more"])
        ):
            return TraceContext(found["trace"], _random.hex(_SPAN_BYTES), found["parent"])
    ids = _random.hex(3 * _SPAN_BYTES)
    return TraceContext(ids[:32], ids[32:])
