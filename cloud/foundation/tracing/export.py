"""Export spans to the operator's tracing backend by OTLP/HTTP.

Recording never waits for the export: spans are queued within a limit, and dropped and counted if the receiver is absent
for long or too slow. The spans in the database do not depend on it.
"""

import asyncio
from collections import deque
from contextlib import suppress
from itertools import islice

import structlog
from yarl import URL

from cloud.foundation.egress import (
    AllowList,
    Egress,
    Failure,
    Response,
    Target,
    UrlBlocked,
    UrlMalformed,
    read_target,
)
from cloud.foundation.settings import SettingsUnusable
from cloud.foundation.stopping import pause
from cloud.foundation.tracing.otlp import OtlpEncoder, Sampling, rejected_spans
from cloud.foundation.tracing.record import Span
from cloud.foundation.tracing.settings import TracingSection

QUEUED_MAX = 8_192
"""Spans that are queued, each with those within it: about 20 MB."""
BATCH_MAX = 512
EXPORT_EVERY_S = 1.0
ATTEMPTS_MAX = 5
"""Attempts of one batch, with pauses of 1, 2, 4 and 8 s: the restart of a collector."""
RETRIED = frozenset({429, 502, 503, 504})
"""Statuses after which OTLP/HTTP permits another attempt."""
STOP_S_MAX = 5.0
"""Time for the last batches at the end of the process."""

log = structlog.get_logger()


class SpanExport:
    """Queues the spans of the chosen traces and sends them. `queue` is the sink of a recorder."""

    def __init__(self, section: TracingSection, *, pause_s: float = EXPORT_EVERY_S) -> None:
        """Prepare the export. Raises `SettingsUnusable` if the endpoint is not a URL, or if the file of headers cannot
        be used."""
        self._target, allowed = _permitted(section.otlp_endpoint)
        self._headers = {**section.otlp_headers(), "Content-Type": "application/x-protobuf"}
        self._egress = Egress(allowed)
        self._sampling = Sampling(section.export_ratio)
        self._encoder = OtlpEncoder()
        self._queued: deque[Span] = deque()
        self._pause_s = pause_s
        self.exported = 0
        """Number of spans that the receiver took, not counting those within them."""
        self.unexported = 0
        """Number of spans that were chosen and not exported."""

    def queue(self, span: Span) -> None:
        """Queue a span if its trace is chosen. If the queue is full, the oldest span is dropped."""
        if not self._sampling.chooses(span.trace_id):
            return
        if len(self._queued) >= QUEUED_MAX:
            self._queued.popleft()
            self.unexported += 1
        self._queued.append(span)

    async def run(self, stopping: asyncio.Event) -> None:
        """Send the queued spans once a second until a stop is requested, then try to send the rest."""
        try:
            while not stopping.is_set():
                await pause(stopping, self._pause_s)
                while self._queued and not stopping.is_set():
                    await self._send_batch(stopping)
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_S_MAX):
                    while self._queued:
                        await self._send_batch(stopping)
        finally:
            await self._egress.close()

    async def _send_batch(self, stopping: asyncio.Event) -> None:
        """Send the oldest spans, with up to `ATTEMPTS_MAX` attempts; only one after a stop was requested."""
        batch = list(islice(self._queued, BATCH_MAX))
        for _ in batch:
            self._queued.popleft()
        try:
            body = await asyncio.to_thread(self._encoder.encode, batch)
        except Exception as error:  # one span that the SDK refuses must not end the process, as the end of a loop does
            self.unexported += len(batch)
            log.warning("spans.not_exported", spans=len(batch), why=type(error).__name__)
            return
        outcome = ""
        for attempt in range(ATTEMPTS_MAX):
            response = await self._egress.send("POST", self._target, headers=self._headers, body=body)
            outcome = response.reason.value if isinstance(response, Failure) else str(response.status)
            if isinstance(response, Response) and response.status == 200:
                rejected = min(rejected_spans(response.body), len(batch))
                self.exported += len(batch) - rejected
                self.unexported += rejected
                return
            if stopping.is_set() or (isinstance(response, Response) and response.status not in RETRIED):
                break
            await pause(stopping, self._pause_s * 2**attempt)
        self.unexported += len(batch)
        log.warning("spans.not_exported", spans=len(batch), why=outcome)


def _permitted(endpoint: str) -> tuple[Target, AllowList]:
    """Return the operator's receiver as a target, and the permission to call it, since it is usually in a private
    network. Raises `SettingsUnusable`."""
    try:
        url = URL(endpoint)
        allowed = AllowList([(url.raw_host or "", url.port or 0)])
        return read_target(endpoint, allowed), allowed
    except (UrlBlocked, UrlMalformed, ValueError):
        raise SettingsUnusable("([tracing] otlp_endpoint is not a URL with http or https and a host.)") from None
