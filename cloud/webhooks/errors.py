"""What can be refused about webhooks."""

from cloud.errors import DomainError


class SecretMalformed(DomainError):
    """A signing secret is `whsec_` and the base64 of at least 24 octets, or any other text of at least 24 octets."""

    code = "webhook_secret_malformed"
    status = 400


class WebhookKeyTooFresh(DomainError):
    """The next webhook key was published too recently for receivers that cache the set to know it; wait a while."""

    code = "webhook_key_too_fresh"
    status = 409


class WebhookKeysAbsent(DomainError):
    """The webhook keys are being made at this moment; try again shortly."""

    code = "webhook_keys_absent"
    status = 503
