"""Errors about signing keys and minting."""

from cloud.foundation.errors import DomainError, PrivateError


class KeysAbsent(PrivateError, code="signing_keys_absent", status=503):
    """There is no signing key. Start the api role once, or run `argus-cloud keys rotate`."""


class KeyTooFresh(PrivateError, code="signing_key_too_fresh", status=409):
    """The next key was published too recently. Clients with a cached key set would reject its tokens."""


class TooManyKeys(PrivateError, code="too_many_signing_keys", status=409):
    """The key set is full. Wait until a retired key has left it, or withdraw a key, which ends the tokens that it
    signed."""


class KeyUnknown(PrivateError, code="signing_key_unknown", status=404):
    """Signing key not found."""


class ServiceTokensDisabled(DomainError, code="service_tokens_disabled", status=403):
    """The app's governance does not allow service tokens."""


class LifetimeRefused(DomainError, code="invalid_ttl", status=400):
    """ttl_seconds is 60 to 7776000 and at most the limit of the app's governance."""


class RevocationUnknown(DomainError, code="revocation_unavailable", status=503):
    """Revocations could not be read for a minute, so no token is accepted. Try again shortly."""
