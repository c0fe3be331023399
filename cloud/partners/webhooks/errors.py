"""Errors about webhooks."""

from collections.abc import Sequence

from cloud.foundation.errors import DomainError, PrivateError
from cloud.foundation.http import Refused


class SecretMalformed(DomainError):
    """A signing secret is `whsec_` and the base64 of at least 24 bytes, or any other text of at least 24 bytes."""

    code = "webhook_secret_malformed"
    status = 400


class WebhookKeyTooFresh(PrivateError):
    """The next webhook key was published too recently for receivers that cache the key set. Try again later."""

    code = "webhook_key_too_fresh"
    status = 409


class TooManyWebhookKeys(PrivateError):
    """The set of webhook keys is full. A retired key leaves it after a day."""

    code = "too_many_webhook_keys"
    status = 409


class WebhookKeysAbsent(PrivateError):
    """The webhook keys are not available. Try again shortly."""

    code = "webhook_keys_absent"
    status = 503


class WebhookUnknown(DomainError):
    """Webhook not found."""

    code = "webhook_unknown"
    status = 404


class DeliveryUnknown(DomainError):
    """Delivery not found. Deliveries are kept for 30 days."""

    code = "delivery_unknown"
    status = 404


class ReplayUnknown(DomainError):
    """Replay not found."""

    code = "replay_unknown"
    status = 404


class EventsMalformed(DomainError):
    """events lists names from the event catalogue on the docs host. Wildcards are not supported."""

    code = "invalid_events"
    status = 400


class EventNotApproved(Refused):
    """The app is not approved for these events. The tenant's administrator approves their scopes."""

    code = "event_not_approved"
    status = 403

    def __init__(self, events: Sequence[str]) -> None:
        """`events`: those that were not approved."""
        super().__init__(f"({', '.join(events)}.)", members={"events": list(events)})


class WebhookHostNotAllowed(DomainError):
    """The app's governance does not allow webhooks on this host."""

    code = "webhook_host_not_allowed"
    status = 403


class DescriptionMalformed(DomainError):
    """A description is one line of printable characters."""

    code = "description_malformed"
    status = 422


class TooManyWebhooks(DomainError):
    """The app has the maximum number of webhooks. Delete one, or add events to an existing one."""

    code = "too_many_webhooks"
    status = 409


class TooManyTests(Refused):
    """Tests of this webhook are still pending. Check their deliveries first."""

    code = "too_many_tests"
    status = 429


class WebhookDisabled(DomainError):
    """The webhook is disabled. Enable it first."""

    code = "webhook_disabled"
    status = 409


class DeliveryUnfinished(DomainError):
    """The delivery is still pending."""

    code = "delivery_unfinished"
    status = 409


class ReplayUnderWay(DomainError):
    """A replay of this webhook is running. Wait until it is done."""

    code = "replay_under_way"
    status = 409


class ReplayMalformed(DomainError):
    """A replay takes one of delivery_id, failed_since, or since with an optional later until."""

    code = "invalid_replay"
    status = 400
