"""The data classes of webhook subscriptions, deliveries and attempts."""

from dataclasses import dataclass, field
from enum import StrEnum

from cloud.foundation.viewer import SecrecyLevel

WEBHOOK_ID = "wh"
"""Prefix of the ids of subscriptions."""
RECEIVER_ID = "cb"
"""Prefix of the ids of receivers of call-backs, an app of which may have a thousand. It precedes `WEBHOOK_ID`, so that
a list of subscriptions begins behind them in the index."""


class DeliveryStatus(StrEnum):
    """The stored status of a delivery."""

    QUEUED = "queued"  # no attempt yet
    DELIVERING = "delivering"
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # the last attempt failed; another one is planned
    EXHAUSTED = "exhausted"  # every attempt of the schedule failed
    DISCARDED = "discarded"  # its subscription was deleted or disabled before it succeeded


class DeliveryKind(StrEnum):
    """Kind of a delivery. Tests are also sent to a disabled webhook, and do not count against the endpoint."""

    EVENT = "event"
    TEST = "test"
    REPLAY = "replay"
    NOTICE = "notice"
    CALLBACK = "callback"  # the end of a job, at the address that the job's request named


class DisabledReason(StrEnum):
    """The reason why a subscription is disabled."""

    GONE = "gone"  # the receiver responded with 410
    FAILING = "failing"  # all deliveries failed for five days
    NOT_ALLOWED = "not_allowed"  # the tenant does not allow this host for the app any more
    BY_OWNER = "by_owner"


class ErrorCode(StrEnum):
    """The error of an attempt, for the receiver's developer. No code discloses the service behind a blocked address."""

    HTTP_STATUS = "http_status"  # a response other than 2xx, 3xx and 410
    REDIRECT = "redirect"
    GONE = "gone"
    BLOCKED_ADDRESS = "blocked_address"
    DNS_FAILURE = "dns_failure"
    CONNECT_FAILURE = "connect_failure"
    TLS_FAILURE = "tls_failure"
    TIMEOUT = "timeout"
    CONNECTION_LOST = "connection_lost"
    RESPONSE_MALFORMED = "answer_malformed"
    INTERNAL_ERROR = "internal_error"  # an error in the cloud
    ENDPOINT_DISABLED = "endpoint_disabled"
    ENDPOINT_DELETED = "endpoint_deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """The subscription of an app to events, which are sent to one URL. `organization_id` None: the subscription
    receives events of the whole tenant."""

    id: str
    tenant_id: str
    organization_id: str | None
    client_id: str
    secrecy_level: SecrecyLevel
    """The subscription receives no event above this level."""
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
    """One attempt of a delivery. `number` counts from 1; `response_status` is None when no response came."""

    number: int
    attempted_at_us: int
    duration_ms: int
    response_status: int | None
    error_code: ErrorCode | None
    response_head: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event for one endpoint. The fields from `attempted_at_us` to `error_code` describe the last attempt."""

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
