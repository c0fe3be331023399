"""One attempt: sign, send, and say what it came to.

Does not decide whether there will be another (schedule.py) nor writes anything (settling.py).
"""

from dataclasses import dataclass

from cloud.foundation.clock import Clock
from cloud.foundation.egress import Answer, Egress, Failure
from cloud.foundation.http import begin_trace
from cloud.partners.webhooks.endpoint_store import Endpoint
from cloud.partners.webhooks.lease_store import Claimed
from cloud.partners.webhooks.model import Attempt, ErrorCode
from cloud.partners.webhooks.redaction import redacted_head
from cloud.partners.webhooks.schedule import read_retry_after
from cloud.partners.webhooks.signing import Signer

HTTP_OK, HTTP_REDIRECT, HTTP_REFUSED, HTTP_GONE = 200, 300, 400, 410

SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt came to. `retry_after_us`: the moment before which the receiver does not want another."""

    attempt: Attempt
    retry_after_us: int | None = None

    @property
    def succeeded(self) -> bool:
        return self.attempt.error_code is None

    @property
    def gone(self) -> bool:
        """The receiver says that it will never take anything again."""
        return self.attempt.error_code is ErrorCode.GONE


@dataclass(frozen=True, slots=True)
class Post:
    """A delivery with everything that sending it needs. `keys`: the secret's and, in its day, the previous one's."""

    claimed: Claimed
    endpoint: Endpoint
    keys: tuple[bytes, ...]
    signer: Signer


async def attempt(post: Post, egress: Egress, clock: Clock) -> Outcome:
    """Send it once."""
    claimed, begun_us, begun_s = post.claimed, clock.now_us(), clock.monotonic_s()
    body = claimed.body.encode()
    headers = {
        "Content-Type": "application/json",
        **post.signer.headers(claimed.event_id, begun_us // SECOND_US, body, post.keys),
        # In the trace of the change that caused the event, so that the receiver and we look at the same one.
        "traceparent": begin_trace(claimed.traceparent).traceparent,
    }
    answer = await egress.request("POST", post.endpoint.url, headers=headers, body=body)
    took_ms = max(0, round((clock.monotonic_s() - begun_s) * 1000))
    number = claimed.attempts + 1
    if isinstance(answer, Failure):
        return Outcome(_attempt(number, begun_us, took_ms, None, ErrorCode(answer.reason.value)))
    done = _attempt(number, begun_us, took_ms, answer, _error_of(answer.status))
    return Outcome(done, read_retry_after(answer.status, answer.headers.get("Retry-After"), clock.now_us()))


def broken(claimed: Claimed, clock: Clock) -> Outcome:
    """An attempt that failed through a fault of ours."""
    return Outcome(_attempt(claimed.attempts + 1, clock.now_us(), 0, None, ErrorCode.INTERNAL_ERROR))


def _attempt(number: int, at_us: int, took_ms: int, answer: Answer | None, error: ErrorCode | None) -> Attempt:
    return Attempt(
        number=number,
        attempted_at_us=at_us,
        duration_ms=took_ms,
        response_status=None if answer is None else answer.status,
        error_code=error,
        response_head=None if answer is None else redacted_head(answer.body),
    )


def _error_of(status: int) -> ErrorCode | None:
    """None for 2xx, the one success (A-062)."""
    if HTTP_OK <= status < HTTP_REDIRECT:
        return None
    if HTTP_REDIRECT <= status < HTTP_REFUSED:
        return ErrorCode.REDIRECT
    return ErrorCode.GONE if status == HTTP_GONE else ErrorCode.HTTP_STATUS
