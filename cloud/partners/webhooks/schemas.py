"""Bodies of the webhook routes (C-074…C-094)."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from cloud.foundation.egress import URL_LENGTH_MAX
from cloud.foundation.http import Paged
from cloud.partners.webhooks.catalogue import EVENTS, EVENTS_MAX
from cloud.partners.webhooks.model import DeliveryKind, DeliveryStatus
from cloud.partners.webhooks.signing import SECRET_LENGTH_MAX

DESCRIPTION_LENGTH_MAX = 200
WebhookStatus = Literal["active", "disabled"]

_EVENT_NAMES = {"items": {"type": "string", "enum": [one.name for one in EVENTS]}}
_URL = "Target of the deliveries: https, a public host, port 443, 8443 or any from 1024."
_SIGNS = (
    "Signs deliveries: `whsec_` and the base64 of at least 24 bytes, or any other text of at least 24 bytes, which is "
    "the key itself."
)
_EVENTS = "Names from the event catalogue. The app must be approved for each."


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class _Response(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


EventNames = Annotated[
    list[Annotated[str, Field(max_length=64)]],
    Field(min_length=1, max_length=EVENTS_MAX, description=_EVENTS, json_schema_extra=_EVENT_NAMES),
]
Moment = Annotated[str, Field(max_length=40, json_schema_extra={"format": "date-time"})]


class WebhookWanted(_Body):
    """A webhook to create."""

    url: str = Field(min_length=1, max_length=URL_LENGTH_MAX, description=_URL, json_schema_extra={"format": "uri"})
    events: EventNames
    secret: str | None = Field(
        default=None,
        repr=False,
        max_length=SECRET_LENGTH_MAX,
        description=f"{_SIGNS} Default: a generated secret, which is in the response once.",
    )
    description: str | None = Field(default=None, max_length=DESCRIPTION_LENGTH_MAX, description="Display name.")
    status: WebhookStatus = Field(default="active", description="`disabled`: only tests are sent.")


def _kept(**facts: Any) -> Any:
    """Return a field whose stored value is kept if it is omitted; its schema has no null and no default."""

    def shown(schema: dict[str, Any]) -> None:
        schema.pop("default", None)
        choices = [one for one in schema.pop("anyOf", ()) if one != {"type": "null"}]
        schema.update(choices[0] if choices else {})

    return Field(default=None, json_schema_extra=shown, **facts)


class WebhookChange(_Body):
    """Fields to change. Omitted fields are kept."""

    url: str | None = _kept(min_length=1, max_length=URL_LENGTH_MAX, description=_URL)
    events: EventNames | None = _kept()
    secret: str | None = _kept(
        repr=False,
        max_length=SECRET_LENGTH_MAX,
        description=f"{_SIGNS} The previous secret also signs for 24 hours.",
    )
    description: str | None = Field(
        default=None, max_length=DESCRIPTION_LENGTH_MAX, description="Display name; null removes it."
    )
    status: WebhookStatus | None = _kept(description="`disabled`: no events are sent until it is `active`.")

    @field_validator("url", "events", "secret", "status", mode="before")
    @classmethod
    def _not_null(cls, value: object) -> object:
        if value is None:
            raise ValueError("omit it to keep it")
        return value


class WebhookShown(_Response):
    """A webhook."""

    id: str = Field(description="The webhook, wh_….")
    url: str
    events: list[str]
    description: str | None
    status: WebhookStatus
    disabled_reason: str | None = Field(
        description="`gone`: the receiver returned 410; `failing`: five days without a success; `not_allowed`: the "
        "app's governance no longer allows this host; `by_owner`: disabled by its owner."
    )
    disabled_at: str | None
    failing_since: str | None = Field(description="Time of the first failure since the last success; null: no failure.")
    previous_secret_expires_at: str | None = Field(
        description="End of the overlap in which the previous secret also signs; null: no overlap."
    )
    client_id: str = Field(description="The app of the webhook.")
    organization_id: str | None = Field(description="The organisation of its events; null: the whole tenant.")
    created_at: str
    updated_at: str


class WebhookCreated(WebhookShown):
    """A new webhook."""

    secret: str | None = Field(
        default=None, repr=False, description="The generated signing secret, if none was sent. It is shown only once."
    )


class WebhookPage(_Response):
    """A page of webhooks."""

    webhooks: list[WebhookShown]
    next_cursor: str | None = Field(description="For the next page; null on the last.")


class WebhookQuery(Paged):
    """Page of the listing of webhooks."""


class DeliveryQuery(Paged):
    """Filters of the listing of deliveries."""

    status: Annotated[DeliveryStatus | None, Field(description="Filter by status.")] = None
    kind: Annotated[DeliveryKind | None, Field(description="Filter by kind.")] = None
    event: Annotated[str | None, Field(max_length=64, description="Filter by event.")] = None
    event_id: Annotated[str | None, Field(max_length=64, description="Filter by `webhook-id`.")] = None


class AttemptShown(_Response):
    """One delivery attempt."""

    number: int
    attempted_at: str
    duration_ms: int
    response_status: int | None = Field(description="null: no response.")
    error_code: str | None = Field(description="null: success.")
    response_head: str | None = Field(description="The first KiB of the response, with likely secrets removed.")


class DeliveryShown(_Response):
    """The delivery of one event to this webhook. The fields of an attempt are those of the last one."""

    id: str
    status: DeliveryStatus
    kind: DeliveryKind
    event: str
    event_id: str = Field(description="The `webhook-id` of every attempt and replay.")
    replay_id: str | None
    created_at: str
    attempt: int = Field(description="Number of attempts.")
    attempted_at: str | None = Field(description="Time of the last attempt; null: none yet.")
    duration_ms: int | None
    response_status: int | None
    error_code: str | None = Field(description="Reason of the failure or of the discard.")
    next_attempt_at: str | None = Field(
        description="Time of the next attempt; null: none is due, or an earlier delivery is pending."
    )
    trace_id: str | None = Field(description="Trace of the change that caused the event.")
    attempts: list[AttemptShown]


class DeliveryPage(_Response):
    """A page of deliveries, newest first."""

    deliveries: list[DeliveryShown]
    next_cursor: str | None = Field(description="For the next page; null on the last.")


class QueuedTest(_Response):
    """A queued test."""

    delivery_id: str
    status: str


class ReplayWanted(_Body):
    """Deliveries to replay: one, all failed ones since a time, or all of a range."""

    delivery_id: str | None = Field(default=None, max_length=64, description="Replay this delivery.")
    failed_since: Moment | None = Field(
        default=None, description="Replay all that failed since this time and have not succeeded since."
    )
    since: Moment | None = Field(default=None, description="Replay all from this time,")
    until: Moment | None = Field(default=None, description="until before this time. Default: now.")


class ReplayShown(_Response):
    """A replay."""

    replay_id: str
    mode: str = Field(description="`one`, `failed` or `range`.")
    status: str = Field(description="`running` until all are queued, then `done`.")
    queued: int = Field(description="Number of deliveries queued so far. Each has this replay's id.")
    since: str | None
    until: str | None
    created_at: str
    done_at: str | None


class WebhookPublicKey(_Response):
    """One Ed25519 key (RFC 8037)."""

    kty: Literal["OKP"] = Field(description="Key type.")
    crv: Literal["Ed25519"] = Field(description="The curve.")
    kid: str = Field(description="Key id.")
    use: Literal["sig"] = Field(description="Use: signatures.")
    alg: Literal["EdDSA"] = Field(description="The only algorithm of this key.")
    status: Literal["next", "current", "retired"] = Field(
        description="`current` signs all deliveries, `next` follows it, and `retired` verifies earlier deliveries."
    )
    x: str = Field(description="The public key, base64url.")
    standard_webhooks_key: str = Field(description="The same key in the form of Standard Webhooks, `whpk_…`.")


class WebhookPublicKeySet(_Response):
    """The keys of `v1a` signatures: the current one, the next one, and, for a day, a retired one."""

    keys: list[WebhookPublicKey] = Field(description="Newest first. A signature is valid if one of them verifies it.")
