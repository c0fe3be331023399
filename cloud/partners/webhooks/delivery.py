"""One delivery in a worker, from its claim to its durable result. The object is mutable, because the hot path makes one
for every delivery. The state implies which fields are set: each transition is a method that asserts the previous state.
"""

from dataclasses import dataclass, field
from enum import Enum

from cloud.partners.webhooks.endpoint_store import Endpoint
from cloud.partners.webhooks.model import Attempt, DeliveryKind, DeliveryStatus, ErrorCode
from cloud.partners.webhooks.signing import Signer


class DeliveryState(Enum):
    """The state of a delivery in a worker's memory. `DeliveryStatus` is the stored status."""

    LEASED = "leased"  # claimed; its endpoint is not read yet
    READY = "ready"  # sent when its endpoint has a free slot
    SENDING = "sending"  # an attempt is running
    ENDED = "ended"  # attempted, or discarded without an attempt; the result is not durable yet
    SETTLED = "settled"  # the result is durable
    RELEASED = "released"  # returned without an attempt, for any worker to claim


@dataclass(slots=True, kw_only=True, eq=False)
class LeasedDelivery:
    """A delivery that this worker alone may attempt until its lease ends. `lease_token` is the fencing token: a worker
    whose lease has ended writes nothing to the row. `attempts`: recorded attempts; `attempted_at_us`: time of the last
    one."""

    position: int
    id: str
    webhook_id: str
    tenant_id: str
    kind: DeliveryKind
    event: str
    event_id: str
    lane: str
    body: str = field(repr=False)
    traceparent: str | None
    lease_token: int
    attempts: int
    attempted_at_us: int | None

    state: DeliveryState = DeliveryState.LEASED
    endpoint: Endpoint = field(init=False, repr=False)
    """Set when the delivery is ready or discarded."""
    keys: tuple[bytes, ...] = field(init=False, repr=False)
    """The HMAC key of the secret and, for a day after a rotation, of the previous secret. Set when the delivery is
    ready."""
    signer: Signer = field(init=False, repr=False)
    """Set when the delivery is ready."""
    ready_at_s: float = field(init=False)
    attempt: Attempt | None = None
    """The attempt of this lease; None when the delivery was discarded without one."""
    retry_after_us: int | None = None
    """The time before which the receiver wants no further attempt."""
    discard_reason: ErrorCode | None = None
    """The reason for which the delivery was discarded without an attempt."""
    status: DeliveryStatus = DeliveryStatus.DELIVERING
    """The stored status, decided when the delivery is settled."""
    next_at_us: int | None = None
    """The time of the next attempt, None when the delivery is finished."""

    @property
    def succeeded(self) -> bool:
        return self.attempt is not None and self.attempt.error_code is None

    @property
    def is_endpoint_removed(self) -> bool:
        """Return whether the receiver responded with status 410, which means that it will accept no
        further delivery."""
        return self.attempt is not None and self.attempt.error_code is ErrorCode.GONE

    @property
    def counts(self) -> bool:
        """Return whether the result of the delivery counts for the health of its endpoint. Tests (contract matrix
        A-061), internal errors and discarded deliveries do not count."""
        if self.attempt is None or self.kind is DeliveryKind.TEST:
            return False
        return self.attempt.error_code is not ErrorCode.INTERNAL_ERROR

    def prepare(self, endpoint: Endpoint, keys: tuple[bytes, ...], signer: Signer) -> None:
        """Set the endpoint, keys and signer for sending, and change the state of the delivery to ready."""
        assert self.state is DeliveryState.LEASED
        self.endpoint, self.keys, self.signer = endpoint, keys, signer
        self.state = DeliveryState.READY

    def begin(self) -> None:
        assert self.state is DeliveryState.READY
        self.state = DeliveryState.SENDING

    def end(self, attempt: Attempt, retry_after_us: int | None = None) -> None:
        """Record the finished attempt in the delivery. `retry_after_us`: the time in the response's `Retry-After`
        header, None if the header is absent."""
        assert self.state is DeliveryState.SENDING
        self.attempt, self.retry_after_us = attempt, retry_after_us
        self.state = DeliveryState.ENDED

    def fail_internally(self, now_us: int, endpoint: Endpoint) -> None:
        """End the delivery with our own error: a secret that cannot be unsealed, or a fault while sending."""
        assert self.state in (DeliveryState.LEASED, DeliveryState.SENDING)
        self.endpoint = endpoint
        self.attempt = Attempt(
            number=self.attempts + 1,
            attempted_at_us=now_us,
            duration_ms=0,
            response_status=None,
            error_code=ErrorCode.INTERNAL_ERROR,
            response_head=None,
        )
        self.state = DeliveryState.ENDED

    def discard(self, reason: ErrorCode, endpoint: Endpoint) -> None:
        """End the delivery without an attempt."""
        assert self.state is DeliveryState.LEASED
        self.endpoint, self.discard_reason = endpoint, reason
        self.state = DeliveryState.ENDED

    def decide(self, status: DeliveryStatus, next_at_us: int | None = None) -> None:
        """Set the status to store for the delivery, and the time of its next attempt, None for no further attempt.
        After a rollback the decision may differ, so this method is called again."""
        assert self.state is DeliveryState.ENDED
        self.status, self.next_at_us = status, next_at_us

    def settle(self) -> None:
        """Mark the delivery's result as durable. Call this after the commit of the result."""
        assert self.state is DeliveryState.ENDED
        self.state = DeliveryState.SETTLED

    def release(self) -> None:
        """Mark the delivery as returned to the queue without an attempt."""
        assert self.state in (DeliveryState.LEASED, DeliveryState.READY)
        self.state = DeliveryState.RELEASED
