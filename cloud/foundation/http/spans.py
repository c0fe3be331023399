"""Store trace spans, which a tenant looks up by trace id (contract matrix C-144 … C-151, A-008, A-107, A-108).

Spans are recorded in a bounded queue, so that no request waits for the database. A loop writes them in batches. `find`
reads the queue and the database, so a trace is found as soon as its request has a response. Only attributes of an
allow-list are stored, so the database gets no body, token, query or value.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson
import structlog

from cloud.foundation.db import Database, Records, Transaction
from cloud.foundation.errors import DomainError
from cloud.foundation.http.tables import spans as table
from cloud.foundation.viewer import Viewer

log = structlog.get_logger()

ATTRIBUTES = frozenset(
    {
        "http.request.method",
        "http.route",
        "http.response.status_code",
        "server.host",
        "error.type",
        "job.kind",
        "job.id",
        "messaging.destination",
        "messaging.batch.message_count",
        "db.operation",
    }
)
"""The attributes that a span may have: only our own ids, closed sets of words and counts."""

WAITING_MAX = 20_000
BATCH_MAX = 1_000
FLUSH_EVERY_S = 1.0
TRACE_SPANS_MAX = 1_000


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


def _allowed(attributes: Mapping[str, Any]) -> str:
    return orjson.dumps({name: value for name, value in attributes.items() if name in ATTRIBUTES}).decode()


_SPANS = Records(Span, table, codecs={"attributes": (_allowed, orjson.loads)})
_COLUMNS = [column.name for column in _SPANS.columns]


class Spans:
    """Records spans and looks them up. At most `waiting_max` spans are queued until they are written."""

    def __init__(self, database: Database, *, waiting_max: int = WAITING_MAX) -> None:
        self._database = database
        self._waiting: deque[Span] = deque(maxlen=waiting_max)
        self._writing: Sequence[Span] = ()
        self.dropped = 0
        """Number of spans that were dropped before they were written, for lack of room."""

    def record(self, span: Span) -> None:
        """Queue a finished span. If the queue is full, the oldest span is dropped."""
        if len(self._waiting) == self._waiting.maxlen:
            self.dropped += 1
        self._waiting.append(span)

    async def find(self, tx: Transaction, viewer: Viewer, trace_id: str) -> Sequence[Span]:
        """Return the spans of a trace in the viewer's tenant, in the order of their start, at most 1 000."""
        statement = (
            _SPANS.select()
            .where(table.c.tenant_id == viewer.tenant_id, table.c.trace_id == trace_id)
            .order_by(table.c.started_at_us, table.c.id)
            .limit(TRACE_SPANS_MAX)
        )
        # Read the queue before the table: a span that is written in between is then found twice, and not missed.
        found = {
            span.span_id: span
            for span in (*self._writing, *self._waiting)
            if span.trace_id == trace_id and span.tenant_id == viewer.tenant_id
        }
        found |= {span.span_id: span for span in await _SPANS.all(tx, statement)}
        return sorted(found.values(), key=lambda span: (span.started_at_us, span.span_id))[:TRACE_SPANS_MAX]

    async def flush(self) -> None:
        """Write the queued spans. Raises `DomainError`; the spans then stay queued as far as the queue has room."""
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH_MAX, len(self._waiting)))]
            self._writing = batch
            try:
                async with self._database.transaction() as tx:
                    await tx.driver.append(table, _COLUMNS, [_SPANS.row(span) for span in batch])
            except BaseException:
                room = (self._waiting.maxlen or 0) - len(self._waiting)
                self.dropped += max(0, len(batch) - room)
                self._waiting.extendleft(reversed(batch[-room:] if room else []))
                raise
            finally:
                self._writing = ()

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
