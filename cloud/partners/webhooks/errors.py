"""Errors about webhooks."""

from collections.abc import Sequence

from cloud.foundation.errors import DomainError, PrivateError
from cloud.foundation.http import Refused


class SecretMalformed(DomainError, code="webhook_secret_malformed", status=400):
    """A signing secret is `whsec_` and the base64 of at least 24 bytes, or any other text of at least 24 bytes."""


class WebhookKeyTooFresh(PrivateError, code="webhook_key_too_fresh", status=409):
    """The next webhook key was published too recently for receivers that cache the key set. Try again later."""


class TooManyWebhookKeys(PrivateError, code="too_many_webhook_keys", status=409):
    """The set of webhook keys is full. A retired key leaves it after a day."""


class WebhookKeysAbsent(PrivateError, code="webhook_keys_absent", status=503):
    """The webhook keys are not available. Try again shortly."""


class WebhookUnknown(DomainError, code="webhook_unknown", status=404):
    """Webhook not found."""


class DeliveryUnknown(DomainError, code="delivery_unknown", status=404):
    """Delivery not found. Deliveries are kept for 30 days."""


class ReplayUnknown(DomainError, code="replay_unknown", status=404):
    """Replay not found."""


class EventsMalformed(DomainError, code="invalid_events", status=400):
    """events lists names from the event catalogue on the docs host. Wildcards are not supported."""


class EventNotApproved(Refused, code="event_not_approved", status=403):
    """The app is not approved for these events. The tenant's administrator approves their scopes."""

    def __init__(self, events: Sequence[str]) -> None:
        """`events`: those that were not approved."""
        super().__init__(f"({', '.join(events)}.)", members={"events": list(events)})


class WebhookHostNotAllowed(DomainError, code="webhook_host_not_allowed", status=403):
    """The app's governance does not allow webhooks on this host."""


class DescriptionMalformed(DomainError, code="description_malformed", status=422):
    """A description is one line of printable characters."""


class TooManyWebhooks(DomainError, code="too_many_webhooks", status=409):
    """The app has the maximum number of webhooks. Delete one, or add events to an existing one."""


class TooManyCallbackAddresses(DomainError, code="too_many_callback_addresses", status=409):
    """The app's jobs of the last weeks have named the maximum number of addresses for call-backs. Use one address for
    many jobs: a call-back names its job."""


class TooManyTests(Refused, code="too_many_tests", status=429):
    """Tests of this webhook are still pending. Check their deliveries first."""


class WebhookDisabled(DomainError, code="webhook_disabled", status=409):
    """The webhook is disabled. Enable it first."""


class DeliveryUnfinished(DomainError, code="delivery_unfinished", status=409):
    """The delivery is still pending."""


class ReplayUnderWay(DomainError, code="replay_under_way", status=409):
    """A replay of this webhook is running. Wait until it is done."""


class ReplayMalformed(DomainError, code="invalid_replay", status=400):
    """A replay takes one of delivery_id, failed_since, or since with an optional later until."""
