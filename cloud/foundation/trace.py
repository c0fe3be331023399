"""The trace of a request (W3C Trace Context level 1; contract matrix C-012, C-147, A-007, A-008), and its spans.

A valid `traceparent` header continues the caller's trace, even with the sampled flag off. A missing or invalid header
begins a new trace and is never an error. `tracestate` is not read.

A `LocalRoot` collects the spans within one request, event, webhook attempt or job, such as those of the database. They
are recorded together at its end, by `cloud.foundation.tracing`, when the tenant is known.
"""

import os
import re
import time
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple

from cloud.foundation.errors import DomainError

# Version 00 has exactly these fields; a later version may have more after a hyphen. Lower case only, ff is forbidden.
_TRACEPARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<parent>[0-9a-f]{16})-[0-9a-f]{2}(?P<more>-.*)?"
)
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
_SPAN_BYTES = 8
_TRACE_RANDOM_BYTES = 12
_STOCK_BYTES = 6144


class TraceContext(NamedTuple):
    """The trace and the server span of a request. Ids are lower-case hex, 32 digits for the trace and 16 for a span.
    `parent_span_id` is the caller's span, or None. A tuple, since each request and each job makes one, and a frozen
    dataclass takes twice as long."""

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
        self._time = ""

    def hex(self, size: int) -> str:
        begin, end = self._at, self._at + 2 * size
        if end > len(self._stock):
            self._stock = os.urandom(_STOCK_BYTES).hex()
            self._time = f"{int(time.time()) & 0xFFFF_FFFF:08x}"
            begin, end = 0, 2 * size
        self._at = end
        return self._stock[begin:end]

    def trace_id(self) -> str:
        """Return a new trace id: the second in which the stock was read, and 12 random bytes.

        Ids of about the same time are then neighbours in the index of the stored spans, so a batch of spans changes few
        of its pages. W3C Trace Context wants at least the last 7 bytes to be random, and samplers choose by the last
        8."""
        random = self.hex(_TRACE_RANDOM_BYTES)
        return self._time + random


_random = _RandomStock()


def new_span_id() -> str:
    """Return a random span id."""
    return _random.hex(_SPAN_BYTES)


INNER_SPANS_MAX = 64
"""Spans within a local root. A request has fewer than ten; a job with thousands of steps has those of its beginning."""


class InnerSpan(NamedTuple):
    """A span within a local root. Its parent is the root. The times are offsets from the beginning of the root."""

    span_id: str
    name: str
    kind: str
    began_us: int
    ended_us: int
    status: str
    attributes: Mapping[str, Any] | None


class LocalRoot:
    """The span with which a trace begins or continues in this process, and the spans within it: a request, the delivery
    of an event, an attempt of a webhook, or a job. `began_us` is the time of its beginning."""

    __slots__ = ("_began_ns", "began_us", "context", "error_type", "inner", "omitted")

    def __init__(self, context: TraceContext, began_us: int) -> None:
        self.context = context
        self.began_us = began_us
        self.inner: list[InnerSpan] = []
        self.omitted = 0
        """Spans beyond `INNER_SPANS_MAX`, which are only counted."""
        self.error_type: str | None = None
        """The name of an error that the response does not show; None if there was none."""
        self._began_ns = time.perf_counter_ns()

    def add(
        self,
        name: str,
        kind: str,
        began_ns: int,
        error: BaseException | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a span that ends now. `began_ns` is its beginning by `time.perf_counter_ns`, and `error` what ended it.
        An error of the client, such as a resource that is not found, leaves its status `ok`."""
        if len(self.inner) >= INNER_SPANS_MAX:
            self.omitted += 1
            return
        failed = error is not None and not (isinstance(error, DomainError) and error.status < 500)
        self.inner.append(
            InnerSpan(
                _random.hex(_SPAN_BYTES),
                name,
                kind,
                (began_ns - self._began_ns) // 1000,
                (time.perf_counter_ns() - self._began_ns) // 1000,
                "error" if failed else "ok",
                attributes,
            )
        )


CURRENT: ContextVar[LocalRoot | None] = ContextVar("argus_trace", default=None)
"""The local root of the work that is being done; None outside of a trace."""


class SpanTimer:
    """Adds the time of a `with` block to the current local root, as a span. Outside of a trace it does nothing."""

    __slots__ = ("_attributes", "_began_ns", "_kind", "_name", "_root")

    def __init__(self, name: str, kind: str = "internal", attributes: Mapping[str, Any] | None = None) -> None:
        self._name = name
        self._kind = kind
        self._attributes = attributes

    def __enter__(self) -> None:
        root = self._root = CURRENT.get()
        if root is not None:
            self._began_ns = time.perf_counter_ns()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self._root is not None:
            self._root.add(self._name, self._kind, self._began_ns, error, self._attributes)


def note_error(error: BaseException) -> None:
    """Note in the current trace an error that the response masks, by the name of its class: its text may quote data."""
    root = CURRENT.get()
    if root is not None:
        root.error_type = type(error).__name__


def current_context() -> TraceContext | None:
    """Return the trace of the work that is being done; None outside of a trace."""
    root = CURRENT.get()
    return None if root is None else root.context


def continued(traceparent: str | None) -> str:
    """Return the `traceparent` for work in the trace of `traceparent` that the current work causes: the current span if
    it is in this trace, otherwise `traceparent`. If that is None: the current span, or a new trace."""
    context = current_context()
    if context is not None and (traceparent is None or context.trace_id in traceparent):
        return context.traceparent
    return traceparent or begin_trace().traceparent


def begin_trace(traceparent: str | None = None) -> TraceContext:
    """Begin a span: in the caller's trace if the `traceparent` header is valid, otherwise in a new trace."""
    if traceparent is not None:
        found = _TRACEPARENT.fullmatch(traceparent)
        if found is not None:
            version, trace_id, parent, more = found.groups()
            if trace_id != _NO_TRACE and parent != _NO_SPAN and not (version == "00" and more):
                return TraceContext(trace_id, _random.hex(_SPAN_BYTES), parent)
    return TraceContext(_random.trace_id(), _random.hex(_SPAN_BYTES))
