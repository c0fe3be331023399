"""The interface for verifying tokens. The pipeline calls it, and the slice `cloud.access.tokens` implements it."""

from typing import Protocol

from cloud.foundation.http.host import Host
from cloud.foundation.http.request import Caller


class TokenVerifier(Protocol):
    """Verifies bearer tokens."""

    async def verify(self, bearer: str, host: Host) -> Caller:
        """Return the caller of a token. Raises `InvalidToken`, `WrongEnvironment` for a sandbox token on a live host or
        a live token on the sandbox, and `DatabaseUnavailable` when revocation cannot be looked up."""
        ...

    def needs_arithmetic(self, bearer: str) -> bool:
        """Return whether `verify` would check the token's signature. `verify` checks it only for a token that has the
        form of our tokens and was not verified before."""
        ...
