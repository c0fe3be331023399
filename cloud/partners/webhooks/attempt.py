"""Sign one webhook delivery, send it and read the response. schedule.py plans retries, settling.py
writes the result."""

from typing import Any

from cloud.foundation.clock import Clock
from cloud.foundation.egress import Egress, Failure, Response
from cloud.foundation.trace import begin_trace
from cloud.foundation.tracing import Spans, traced
from cloud.partners.webhooks.delivery import LeasedDelivery
from cloud.partners.webhooks.model import Attempt, ErrorCode
from cloud.partners.webhooks.redaction import redacted_head
from cloud.partners.webhooks.schedule import read_retry_after

HTTP_OK, HTTP_REDIRECT, HTTP_REFUSED, HTTP_GONE = 200, 300, 400, 410

SECOND_US = 1_000_000


async def send(delivery: LeasedDelivery, egress: Egress, clock: Clock, spans: Spans | None = None) -> None:
    """Send a delivery once and record the attempt in the delivery (`delivery.end`), even if no response came. `spans`
    records the attempt as a span, in the trace of the change that caused the event."""
    attributes: dict[str, Any] = {
        "argus.webhook.id": delivery.webhook_id,
        "argus.delivery.id": delivery.id,
        "argus.delivery.attempt": delivery.attempts + 1,
        "argus.event.id": delivery.event_id,
        "argus.event.type": delivery.event,
    }
    with traced(
        spans,
        clock,
        delivery.tenant_id,
        "webhook.attempt",
        "client",
        begin_trace(delivery.traceparent),
        attributes,
    ) as root:
        await _send(delivery, egress, clock, root.context.traceparent)
        attempt = delivery.attempt
        if attempt is not None and attempt.response_status is not None:
            attributes["http.response.status_code"] = attempt.response_status
        if attempt is not None and attempt.error_code is not None:
            attributes["error.type"] = attempt.error_code.value


async def _send(delivery: LeasedDelivery, egress: Egress, clock: Clock, traceparent: str) -> None:
    begun_us, begun_s = clock.now_us(), clock.monotonic_s()
    body = delivery.body.encode()
    headers = {
        "Content-Type": "application/json",
        **delivery.signer.headers(delivery.event_id, begun_us // SECOND_US, body, delivery.keys),
        "traceparent": traceparent,  # so that receiver and operator see the same trace
    }
    response = await egress.request("POST", delivery.endpoint.url, headers=headers, body=body)
    duration_ms = max(0, round((clock.monotonic_s() - begun_s) * 1000))
    if isinstance(response, Failure):
        delivery.end(_attempt(delivery, begun_us, duration_ms, None, ErrorCode(response.reason.value)))
        return
    retry_after_us = read_retry_after(response.status, response.headers.get("Retry-After"), clock.now_us())
    delivery.end(_attempt(delivery, begun_us, duration_ms, response, _error_of(response.status)), retry_after_us)


def _attempt(
    delivery: LeasedDelivery, begun_us: int, duration_ms: int, response: Response | None, error: ErrorCode | None
) -> Attempt:
    return Attempt(
        number=delivery.attempts + 1,
        attempted_at_us=begun_us,
        duration_ms=duration_ms,
        response_status=None if response is None else response.status,
        error_code=error,
        response_head=None if response is None else redacted_head(response.body),
    )


def _error_of(status: int) -> ErrorCode | None:
    """Return the error code for the HTTP status of a receiver's response. Return None for 2xx, the only success
    (contract matrix A-062)."""
    if HTTP_OK <= status < HTTP_REDIRECT:
        return None
    if HTTP_REDIRECT <= status < HTTP_REFUSED:
        return ErrorCode.REDIRECT
    return ErrorCode.GONE if status == HTTP_GONE else ErrorCode.HTTP_STATUS
