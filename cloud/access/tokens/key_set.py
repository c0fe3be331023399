"""The published key set (RFC 7517): one sequence of octets with one tag, whichever of its two addresses is asked."""

import orjson

from cloud.access.tokens.signing_key import MAX_AGE_S, STALE_S, SigningKey, jwk
from cloud.foundation.http import Octets, strong_etag

HEADERS = {"Cache-Control": f"public, max-age={MAX_AGE_S}, stale-while-revalidate={STALE_S}"}
MEDIA_TYPE = "application/json"  # as the contract's sample; RFC 7517's own type is for those who ask for it


class KeySet:
    """Renders the set once for as long as it stays the same."""

    def __init__(self) -> None:
        self._of: tuple[str, ...] = ()
        self._octets = b'{"keys":[]}'

    def answer(self, keys: tuple[SigningKey, ...]) -> Octets:
        """The answer for these keys."""
        kids = tuple(key.kid for key in keys)
        if kids != self._of:
            self._octets = orjson.dumps({"keys": [jwk(key) for key in keys]})
            self._of = kids
        return Octets(self._octets, MEDIA_TYPE, headers=HEADERS, etag=strong_etag(self._octets))
