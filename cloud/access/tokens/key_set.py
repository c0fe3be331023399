"""The published key set (RFC 7517): the same bytes and the same entity tag at both of its addresses."""

import orjson

from cloud.access.tokens.signing_key import MAX_AGE_S, STALE_S, SigningKey, jwk
from cloud.foundation.http import Response, strong_etag

HEADERS = {"Cache-Control": f"public, max-age={MAX_AGE_S}, stale-while-revalidate={STALE_S}"}
MEDIA_TYPE = "application/json"  # as in the contract's sample, instead of the type of RFC 7517


class KeySet:
    """The JWKS document of the installation, shared by all tenants; rendered again only when the keys change."""

    def __init__(self) -> None:
        self._kids: tuple[str, ...] = ()
        self._body = b'{"keys":[]}'

    def respond(self, keys: tuple[SigningKey, ...]) -> Response:
        """Return the response with the JWKS document of these keys."""
        kids = tuple(key.kid for key in keys)
        if kids != self._kids:
            self._body = orjson.dumps({"keys": [jwk(key) for key in keys]})
            self._kids = kids
        return Response(200, self._body, MEDIA_TYPE, headers=HEADERS, etag=strong_etag(self._body))
