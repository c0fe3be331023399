"""Record the spans of this process, and look up those of a trace (contract matrix C-144 … C-151, A-008, A-108).

Spans are recorded in a bounded queue, so no request waits for the database. A loop writes them in batches, in
transactions of their own: a span of a change that was rolled back is stored too. A look-up writes the queued spans
before it reads (`peers.py` does so for other processes), so a trace is found as soon as its request has a response.

Every span is stored, whatever the sampled flag of its caller. Sampling applies to the export alone (`export.py`).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import structlog
from sqlalchemy import bindparam

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Prepared, Transaction
from cloud.foundation.errors import DomainError
from cloud.foundation.process import Process
from cloud.foundation.trace import CURRENT, LocalRoot, TraceContext
from cloud.foundation.tracing.record import OMITTED, SPANS, Span, write_attributes, write_inner
from cloud.foundation.tracing.tables import spans as table
from cloud.foundation.viewer import Viewer

log = structlog.get_logger()

WAITING_MAX = 20_000
BATCH_MAX = 1_024
"""Spans of one transaction. A power of two is inserted by one statement on SQLite."""
FLUSH_EVERY_S = 1.0
TRACE_ROWS_MAX = 1_000
"""Rows that a look-up reads. They are not sorted before they are counted, so a trace id that a client uses for all its
requests does not make a look-up slow."""
TRACE_SPANS_MAX = 2_000
"""Spans that a look-up returns: about 700 kB."""

_COLUMNS = [column.name for column in SPANS.columns]
_FIND = Prepared(
    SPANS.select()
    .where(table.c.tenant_id == bindparam("tenant"), table.c.trace_id == bindparam("trace"))
    .limit(bindparam("count"))
)

Sink = Callable[[Span], None]


class Spans:
    """Records spans and looks them up. At most `waiting_max` spans, each with those within it, are queued until they
    are written."""

    def __init__(self, database: Database, *, waiting_max: int = WAITING_MAX) -> None:
        self._database = database
        # As rows: tuples of texts and numbers, which the garbage collector does not traverse.
        self._waiting: deque[tuple[Any, ...]] = deque(maxlen=waiting_max)
        self._writing = asyncio.Lock()
        self.dropped = 0
        """Number of spans that were dropped before they were written, for lack of room."""
        self.sink: Sink | None = None
        """Gets each recorded span for the export; None: there is no export."""

    def record(self, span: Span) -> None:
        """Queue a finished span. If the queue is full, the oldest span is dropped."""
        self._queue(SPANS.row(span))
        if self.sink is not None:
            self.sink(span)

    def _queue(self, row: tuple[Any, ...]) -> None:
        if len(self._waiting) == self._waiting.maxlen:
            self.dropped += 1
        self._waiting.append(row)

    def end(
        self,
        root: LocalRoot,
        clock: Clock,
        tenant_id: str,
        name: str,
        kind: str,
        attributes: dict[str, Any],
        *,
        failed: bool,
    ) -> None:
        """Queue the span of a local root that ends now, and the spans within it."""
        if root.omitted:
            attributes[OMITTED] = root.omitted
        trace_id, span_id, parent_span_id = root.context
        ended_us, status = clock.now_us(), "error" if failed else "ok"
        span = (tenant_id, trace_id, span_id, parent_span_id, name, kind, root.began_us, ended_us, status)
        if self.sink is None:  # the row of a `Span` without making the object, which takes as long
            self._queue((*span, write_attributes(attributes), write_inner(root.inner)))
        else:
            self.record(Span(*span, attributes, root.inner or None))

    async def find(self, tx: Transaction, viewer: Viewer, trace_id: str) -> tuple[Sequence[Span], bool]:
        """Return the stored spans of a trace in the viewer's tenant, in the order of their start, and whether these are
        all. Call `flush` first."""
        values = {"tenant": viewer.tenant_id, "trace": trace_id, "count": TRACE_ROWS_MAX + 1}
        rows = [SPANS.read(row) for row in await tx.driver.rows(_FIND, values)]
        omitted = any(OMITTED in row.attributes for row in rows)
        roots = sorted(rows[:TRACE_ROWS_MAX], key=lambda span: (span.started_at_us, span.span_id))
        # A second sort, which keeps the order of equals: a root is before the spans within it.
        found = sorted((span for root in roots for span in root.flattened()), key=lambda span: span.started_at_us)
        return found[:TRACE_SPANS_MAX], not omitted and len(rows) <= TRACE_ROWS_MAX and len(found) <= TRACE_SPANS_MAX

    async def flush(self) -> None:
        """Write the spans that are queued now. Raises `DomainError`; the spans then stay queued as far as the queue has
        room."""
        async with self._writing:
            due = len(self._waiting)
            while due > 0 and self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(BATCH_MAX, len(self._waiting)))]
                due -= len(batch)
                try:
                    async with self._database.transaction() as tx:
                        await tx.driver.append(table, _COLUMNS, batch)
                except BaseException:
                    self._put_back(batch)
                    raise

    def _put_back(self, batch: Sequence[tuple[Any, ...]]) -> None:
        room = (self._waiting.maxlen or 0) - len(self._waiting)
        self.dropped += max(0, len(batch) - room)
        self._waiting.extendleft(reversed(batch[-room:] if room else []))

    async def run(self, stopping: asyncio.Event) -> None:
        """Write the queued spans once a second until a stop is requested, then write the rest."""
        ending = False
        while not ending:
            with suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_EVERY_S):
                    await stopping.wait()
            ending = stopping.is_set()
            try:
                await self.flush()
            except DomainError as error:
                log.warning("spans.not_written", code=error.code, waiting=len(self._waiting), given_up=self.dropped)


class traced:  # noqa: N801  read as a word in `with traced(…):`
    """Run a block as the span `context`. Record it with the spans within it, unless `spans` is None. The block may add
    attributes; with `error.type`, or with an exception, the span has the status error."""

    # Not a generator, which would take as long as the rest for a short job.
    __slots__ = ("_attributes", "_before", "_clock", "_context", "_kind", "_name", "_root", "_spans", "_tenant_id")

    def __init__(
        self,
        spans: Spans | None,
        clock: Clock,
        tenant_id: str,
        name: str,
        kind: str,
        context: TraceContext,
        attributes: dict[str, Any],
    ) -> None:
        self._spans = spans
        self._clock = clock
        self._tenant_id = tenant_id
        self._name = name
        self._kind = kind
        self._context = context
        self._attributes = attributes

    def __enter__(self) -> LocalRoot:
        root = self._root = LocalRoot(self._context, self._clock.now_us())
        self._before = CURRENT.set(root)
        return root

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        CURRENT.reset(self._before)
        given = self._attributes
        if error is not None:
            given.setdefault("error.type", error.code if isinstance(error, DomainError) else type(error).__name__)
        if self._spans is not None:
            failed = "error.type" in given
            self._spans.end(self._root, self._clock, self._tenant_id, self._name, self._kind, given, failed=failed)


def spans_of(process: Process) -> Spans:
    """Make the recorder of a process. Call it as `process.shared(spans_of)`."""
    return Spans(process.database)
