"""What the webhook routes read and answer (C-074…C-094)."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from cloud.foundation.egress.target import URL_LENGTH_MAX
from cloud.foundation.http.query import Paged
from cloud.partners.webhooks.catalogue import EVENTS, EVENTS_MAX
from cloud.partners.webhooks.model import DeliveryKind, DeliveryStatus
from cloud.partners.webhooks.signing import SECRET_LENGTH_MAX

DESCRIPTION_LENGTH_MAX = 200
WebhookStatus = Literal["active", "disabled"]

_EVENT_NAMES = {"items": {"type": "string", "enum": [one.name for one in EVENTS]}}
_URL = "Where deliveries are posted: https, a public host, port 443, 8443 or from 1024 on."
_SIGNS = (
    "Signs deliveries: `whsec_` and the base64 of at least 24 octets, or any other text of at least 24 octets, whose "
    "octets are the key as they stand."
)
_EVENTS = "Names of the event catalogue; the app must be approved for each."


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


EventNames = Annotated[
    list[Annotated[str, Field(max_length=64)]],
    Field(min_length=1, max_length=EVENTS_MAX, description=_EVENTS, json_schema_extra=_EVENT_NAMES),
]
Moment = Annotated[str, Field(max_length=40, json_schema_extra={"format": "date-time"})]


class WebhookWanted(_Body):
    """A webhook to be created."""

    url: str = Field(min_length=1, max_length=URL_LENGTH_MAX, description=_URL, json_schema_extra={"format": "uri"})
    events: EventNames
    secret: str | None = Field(
        default=None,
        repr=False,
        max_length=SECRET_LENGTH_MAX,
        description=f"{_SIGNS} Left out, one is made and told in the answer, once.",
    )
    description: str | None = Field(default=None, max_length=DESCRIPTION_LENGTH_MAX, description="What people call it.")
    status: WebhookStatus = Field(default="active", description="`disabled`: to be tested before anything is sent.")


def _kept(**facts: Any) -> Any:
    """A field that may be left out, and is then kept as it is; its schema has no null and no default."""

    def shown(schema: dict[str, Any]) -> None:
        schema.pop("default", None)
        choices = [one for one in schema.pop("anyOf", ()) if one != {"type": "null"}]
        schema.update(choices[0] if choices else {})

    return Field(default=None, json_schema_extra=shown, **facts)


class WebhookChange(_Body):
    """What shall be different; what is left out stays (A-057)."""

    url: str | None = _kept(min_length=1, max_length=URL_LENGTH_MAX, description=_URL)
    events: EventNames | None = _kept()
    secret: str | None = _kept(
        repr=False,
        max_length=SECRET_LENGTH_MAX,
        description=f"{_SIGNS} The one before signs beside it for 24 hours.",
    )
    description: str | None = Field(
        default=None, max_length=DESCRIPTION_LENGTH_MAX, description="What people call it; null takes it away."
    )
    status: WebhookStatus | None = _kept(description="`disabled`: nothing is sent until it is `active` again.")

    @field_validator("url", "events", "secret", "status", mode="before")
    @classmethod
    def _not_null(cls, value: object) -> object:
        if value is None:
            raise ValueError("leave it out to keep it")
        return value


class WebhookShown(_Answer):
    """A webhook."""

    id: str = Field(description="The webhook, wh_….")
    url: str
    events: list[str]
    description: str | None
    status: WebhookStatus
    disabled_reason: str | None = Field(
        description="`gone`: the receiver answered 410; `failing`: five days of failures only; `not_allowed`: the "
        "tenant does not let the app send to this host any more; `by_owner`."
    )
    disabled_at: str | None
    failing_since: str | None = Field(description="The first failure after the last success; null: none.")
    previous_secret_expires_at: str | None = Field(
        description="Until when the previous secret signs beside the present one; null: it does not."
    )
    client_id: str = Field(description="The app that it belongs to.")
    organization_id: str | None = Field(description="The organisation that it hears of; null: all of the tenant.")
    created_at: str
    updated_at: str


class WebhookCreated(WebhookShown):
    """A new webhook."""

    secret: str | None = Field(
        default=None, repr=False, description="Only when none was sent, and only now: what signs its deliveries."
    )


class WebhookPage(_Answer):
    """A page of webhooks."""

    webhooks: list[WebhookShown]
    next_cursor: str | None = Field(description="For the next page; null on the last.")


class WebhookQuery(Paged):
    """Which page of the webhooks."""


class DeliveryQuery(Paged):
    """Which deliveries."""

    status: Annotated[DeliveryStatus | None, Field(description="Only those that stand so.")] = None
    kind: Annotated[DeliveryKind | None, Field(description="Only those that are sent for this reason.")] = None
    event: Annotated[str | None, Field(max_length=64, description="Only those of this event.")] = None
    event_id: Annotated[str | None, Field(max_length=64, description="Only those that carry this `webhook-id`.")] = None


class AttemptShown(_Answer):
    """One attempt."""

    number: int
    attempted_at: str
    duration_ms: int
    response_status: int | None = Field(description="null: there was no answer.")
    error_code: str | None = Field(description="null: it succeeded.")
    response_head: str | None = Field(description="The first KiB of the answer, without what looks like a secret.")


class DeliveryShown(_Answer):
    """An event on its way to this webhook. The fields of an attempt are those of the last one."""

    id: str
    status: DeliveryStatus
    kind: DeliveryKind
    event: str
    event_id: str = Field(description="The `webhook-id` that the receiver sees: the same in every attempt and replay.")
    replay_id: str | None
    created_at: str
    attempt: int = Field(description="How many there were.")
    attempted_at: str | None = Field(description="null: there was none yet.")
    duration_ms: int | None
    response_status: int | None
    error_code: str | None = Field(description="Why it failed, or why it is not sent.")
    next_attempt_at: str | None = Field(description="null: there will be none, or it waits for the one before it.")
    trace_id: str | None = Field(description="The trace of the change that it tells of.")
    attempts: list[AttemptShown]


class DeliveryPage(_Answer):
    """A page of deliveries, the newest first."""

    deliveries: list[DeliveryShown]
    next_cursor: str | None = Field(description="For the next page; null on the last.")


class QueuedTest(_Answer):
    """A test that will be sent."""

    delivery_id: str
    status: str


class ReplayWanted(_Body):
    """What to send again: one delivery, all that failed since a moment, or all of a range."""

    delivery_id: str | None = Field(default=None, max_length=64, description="This one.")
    failed_since: Moment | None = Field(
        default=None, description="All that were given up since and have not got through otherwise."
    )
    since: Moment | None = Field(default=None, description="All that were told from this moment on,")
    until: Moment | None = Field(default=None, description="and before this one; left out: until now.")


class ReplayShown(_Answer):
    """A replay."""

    replay_id: str
    mode: str = Field(description="`one`, `failed` or `range`.")
    status: str = Field(description="`running` until all are queued, then `done`.")
    queued: int = Field(description="Deliveries that were queued so far; each is in the log with this replay's id.")
    since: str | None
    until: str | None
    created_at: str
    done_at: str | None
