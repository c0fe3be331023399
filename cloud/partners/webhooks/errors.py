"""What can be refused about webhooks."""

from collections.abc import Sequence

from cloud.foundation.errors import DomainError
from cloud.foundation.http.errors import Refused


class SecretMalformed(DomainError):
    """A signing secret is `whsec_` and the base64 of at least 24 octets, or any other text of at least 24 octets."""

    code = "webhook_secret_malformed"
    status = 400


class WebhookKeyTooFresh(DomainError):
    """The next webhook key was published too recently for receivers that cache the set to know it; wait a while."""

    code = "webhook_key_too_fresh"
    status = 409


class TooManyWebhookKeys(DomainError):
    """The set of webhook keys is full; wait until a retired key has left it, a day after it retired."""

    code = "too_many_webhook_keys"
    status = 409


class WebhookKeysAbsent(DomainError):
    """The webhook keys are being made at this moment; try again shortly."""

    code = "webhook_keys_absent"
    status = 503


class WebhookUnknown(DomainError):
    """There is no such webhook."""

    code = "webhook_unknown"
    status = 404


class DeliveryUnknown(DomainError):
    """This webhook has no such delivery, or it is older than 30 days."""

    code = "delivery_unknown"
    status = 404


class ReplayUnknown(DomainError):
    """This webhook has no such replay."""

    code = "replay_unknown"
    status = 404


class EventsMalformed(DomainError):
    """A webhook names events of the catalogue, one by one; the docs host lists them."""

    code = "invalid_events"
    status = 400


class EventNotApproved(Refused):
    """This integration was not approved for some of these events; ask the tenant's administrator for their scopes."""

    code = "event_not_approved"
    status = 403

    def __init__(self, events: Sequence[str]) -> None:
        """`events`: those that were not approved."""
        super().__init__(f"({', '.join(events)}.)", members={"events": list(events)})


class WebhookHostNotAllowed(DomainError):
    """The tenant's administrator does not let this app's webhooks go to that host."""

    code = "webhook_host_not_allowed"
    status = 403


class DescriptionMalformed(DomainError):
    """A description is one line of visible characters."""

    code = "description_malformed"
    status = 422


class TooManyWebhooks(DomainError):
    """This app has as many webhooks as it may have; remove one, or let one take more events."""

    code = "too_many_webhooks"
    status = 409


class TooManyTests(Refused):
    """Tests of this webhook still wait for its receiver; look at their deliveries first."""

    code = "too_many_tests"
    status = 429


class WebhookDisabled(DomainError):
    """This webhook is disabled; enable it first."""

    code = "webhook_disabled"
    status = 409


class DeliveryUnfinished(DomainError):
    """This delivery is still on its way."""

    code = "delivery_unfinished"
    status = 409


class ReplayUnderWay(DomainError):
    """A replay of this webhook is under way; wait until it is done."""

    code = "replay_under_way"
    status = 409


class ReplayMalformed(DomainError):
    """A replay names one delivery, or since when the failed ones are wanted, or a range that begins before it ends."""

    code = "invalid_replay"
    status = 400
