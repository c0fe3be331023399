"""The interface to the verification of tokens, which the pipeline calls and the token slice implements."""

from typing import Protocol

from cloud.foundation.http.host import Host
from cloud.foundation.http.request import Caller


class TokenVerifier(Protocol):
    """Verifies bearer tokens."""

    async def verify(self, bearer: str, host: Host) -> Caller:
        """Return the caller of a token that is valid on this host.

        Raises `InvalidToken` (401), `WrongEnvironment` (403) for a sandbox token on a live host and the other way
        round, and `DatabaseUnavailable` when revocation cannot be looked up.
        """
        ...

    def needs_arithmetic(self, bearer: str) -> bool:
        """Return whether `verify` would check a signature: the token is new here and has the form of our tokens."""
        ...
