"""Routes of the key set."""

from cloud.access.tokens.handlers import KeySetHandlers
from cloud.access.tokens.schemas import PublicKeySet
from cloud.foundation.http import PUBLIC, Host, RateClass, Route

_SAMPLE = {"keys": [{"kty": "RSA", "kid": "2026-03-signing-key", "use": "sig", "alg": "RS256", "n": "…", "e": "AQAB"}]}


def key_set_rows(h: KeySetHandlers) -> tuple[Route, ...]:
    return (
        _key_set("/.well-known/jwks.json", h, "readJwks", "Published by the auth host for every verifier."),
        _key_set("/v1/auth/jwks.json", h, "readVersionedJwks", "The same document in the versioned namespace."),
    )


def _key_set(path: str, h: KeySetHandlers, operation_id: str, description: str) -> Route:
    return Route(
        method="GET",
        path=path,
        handler=h.key_set,
        host=Host.AUTH,
        scopes=PUBLIC,
        rate_class=RateClass.PUBLIC,
        response=PublicKeySet,
        responses={200: "The public signing keys.", 304: "Not modified."},
        operation_id=operation_id,
        summary="Fetch public signing keys",
        description=f"{description} Fetch the set again when the `kid` of a token is not in it.",
        tag="Authentication",
        added_in="v2026.2",
        open_to_browsers=True,
        response_example=_SAMPLE,
    )
