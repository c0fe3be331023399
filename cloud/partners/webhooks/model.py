"""What a webhook subscription and its deliveries are, as plain values."""

from dataclasses import dataclass, field
from enum import StrEnum

from cloud.foundation.viewer import SecrecyLevel


class DeliveryStatus(StrEnum):
    """Where a delivery is (A-060)."""

    QUEUED = "queued"  # its first attempt is still to come
    DELIVERING = "delivering"
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # the last attempt failed, and there will be another
    EXHAUSTED = "exhausted"  # every attempt of the schedule failed
    DISCARDED = "discarded"  # its subscription was deleted or disabled before it got through


class DeliveryKind(StrEnum):
    """Why it is sent. A test moves no failure clock and reaches a disabled endpoint too (A-061)."""

    EVENT = "event"
    TEST = "test"
    REPLAY = "replay"
    NOTICE = "notice"


class DisabledReason(StrEnum):
    """Why a subscription gets nothing any more."""

    GONE = "gone"  # the receiver answered 410
    FAILING = "failing"  # five days of failures only
    NOT_ALLOWED = "not_allowed"  # the tenant lets the app send to this host no more
    BY_OWNER = "by_owner"


class ErrorCode(StrEnum):
    """Why an attempt failed, for the receiver's developer. None of them tells what lies behind a blocked address."""

    HTTP_STATUS = "http_status"  # an answer other than 2xx, 3xx and 410
    REDIRECT = "redirect"
    GONE = "gone"
    BLOCKED_ADDRESS = "blocked_address"
    DNS_FAILURE = "dns_failure"
    CONNECT_FAILURE = "connect_failure"
    TLS_FAILURE = "tls_failure"
    TIMEOUT = "timeout"
    CONNECTION_LOST = "connection_lost"
    ANSWER_MALFORMED = "answer_malformed"
    INTERNAL_ERROR = "internal_error"  # ours
    ENDPOINT_DISABLED = "endpoint_disabled"
    ENDPOINT_DELETED = "endpoint_deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One endpoint of an integration. `organization_id` None: it hears of the whole tenant."""

    id: str
    tenant_id: str
    organization_id: str | None
    client_id: str
    clearance: SecrecyLevel
    url: str
    description: str | None
    events: tuple[str, ...]
    previous_secret_expires_at_us: int | None
    disabled_at_us: int | None
    disabled_reason: DisabledReason | None
    failing_since_us: int | None
    version: int
    created_at_us: int
    updated_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What one try came to. `number` counts from 1; `response_status` None: there was no answer."""

    number: int
    attempted_at_us: int
    duration_ms: int
    response_status: int | None
    error_code: ErrorCode | None
    response_head: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event on its way to one endpoint. The fields from `attempted_at_us` on are those of the last attempt."""

    id: str
    webhook_id: str
    kind: DeliveryKind
    event: str
    event_id: str
    replay_id: str | None
    status: DeliveryStatus
    created_at_us: int
    attempts: int
    next_attempt_at_us: int | None
    attempted_at_us: int | None
    duration_ms: int | None
    response_status: int | None
    error_code: ErrorCode | None
    traceparent: str | None
