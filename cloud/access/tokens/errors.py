"""Errors about signing keys and minting."""

from cloud.foundation.errors import DomainError, PrivateError


class KeysAbsent(PrivateError):
    """There is no signing key. Start the api role once, or run `argus-cloud keys rotate`."""

    code = "signing_keys_absent"
    status = 503


class KeyTooFresh(PrivateError):
    """The next key was published too recently. Clients with a cached key set would reject its tokens."""

    code = "signing_key_too_fresh"
    status = 409


class TooManyKeys(PrivateError):
    """The key set is full. Wait until a retired key has left it, or withdraw a key, which ends the tokens that it
    signed."""

    code = "too_many_signing_keys"
    status = 409


class KeyUnknown(PrivateError):
    """Signing key not found."""

    code = "signing_key_unknown"
    status = 404


class ServiceTokensDisabled(DomainError):
    """The app's governance does not allow service tokens."""

    code = "service_tokens_disabled"
    status = 403


class LifetimeRefused(DomainError):
    """ttl_seconds is 60 to 7776000 and at most the limit of the app's governance."""

    code = "invalid_ttl"
    status = 400


class RevocationUnknown(DomainError):
    """Revocations could not be read for a minute, so no token is accepted. Try again shortly."""

    code = "revocation_unavailable"
    status = 503
