"""What can be refused about signing keys and minting."""

from cloud.foundation.errors import DomainError


class KeysAbsent(DomainError):
    """There is no signing key yet; start the api role once, or run `argus-cloud keys rotate`."""

    code = "signing_keys_absent"
    status = 503


class KeyTooFresh(DomainError):
    """The next key was published too recently: clients that cached the key set would refuse its tokens."""

    code = "signing_key_too_fresh"
    status = 409


class TooManyKeys(DomainError):
    """The key set is full; wait until an old key has left it, or withdraw one, which ends the tokens that it signed."""

    code = "too_many_signing_keys"
    status = 409


class KeyUnknown(DomainError):
    """There is no such signing key."""

    code = "signing_key_unknown"
    status = 404


class ServiceTokensDisabled(DomainError):
    """The governance of this app does not allow service tokens."""

    code = "service_tokens_disabled"
    status = 403


class LifetimeRefused(DomainError):
    """A service token lives from one minute to 90 days."""

    code = "invalid_ttl"
    status = 400


class StandingUnknown(DomainError):
    """Whether tokens were revoked could not be looked up for a minute, so none is accepted; try again shortly."""

    code = "revocation_unavailable"
    status = 503
