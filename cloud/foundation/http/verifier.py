"""The seam to the tokens: what the pipeline asks, and what it may be told."""

from typing import Protocol

from cloud.foundation.http.errors import InvalidToken
from cloud.foundation.http.host import Host
from cloud.foundation.http.request import Caller


class TokenVerifier(Protocol):
    """Says whose a bearer token is."""

    async def verify(self, bearer: str, host: Host) -> Caller:
        """The claims of a token that is good on this host.

        Raises `InvalidToken` (401), `WrongEnvironment` (403) for a sandbox token on a live host and the other way
        round, and `DatabaseUnavailable` when revocation cannot be looked up.
        """
        ...

    def needs_arithmetic(self, bearer: str) -> bool:
        """Whether `verify` would have to check a signature: the token was not seen before and may be one of ours."""
        ...


class NullVerifier:
    """Knows no token: an installation without signing keys refuses all of them."""

    async def verify(self, bearer: str, host: Host) -> Caller:
        raise InvalidToken

    def needs_arithmetic(self, bearer: str) -> bool:
        return False
