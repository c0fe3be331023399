"""The route of the public keys that verify `v1a` webhook signatures, separate from the keys of access tokens."""

import orjson

from cloud.foundation.http import PUBLIC, Host, Parts, RateClass, Request, Response, Route, strong_etag
from cloud.foundation.master_key import MasterKey, MasterKeyAbsent
from cloud.partners.webhooks.keys import MAX_AGE_S, WebhookKeys
from cloud.partners.webhooks.schemas import WebhookPublicKeySet

_HEADERS = {"Cache-Control": f"public, max-age={MAX_AGE_S}"}
_SAMPLE = {
    "keys": [
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "kid": "webhook-1-0123456789",
            "use": "sig",
            "alg": "EdDSA",
            "status": "current",
            "x": "…",
            "standard_webhooks_key": "whpk_…",
        }
    ]
}


def key_routes(parts: Parts) -> tuple[Route, ...]:
    """Return the route `GET /.well-known/webhook-keys.json` of the auth host."""
    keys = WebhookKeys(parts.database, parts.clock, _no_master)

    async def key_set(_request: Request) -> Response:
        body = orjson.dumps({"keys": [key.jwk() for key in await keys.published()]})
        return Response(200, body, "application/json", headers=_HEADERS, etag=strong_etag(body))

    return (
        Route(
            method="GET",
            path="/.well-known/webhook-keys.json",
            handler=key_set,
            host=Host.AUTH,
            scopes=PUBLIC,
            rate_class=RateClass.PUBLIC,
            response=WebhookPublicKeySet,
            responses={200: "The public webhook keys."},
            operation_id="readWebhookKeys",
            summary="Fetch the keys that verify webhooks",
            description="Every delivery carries a `v1a` signature of one of these keys, so a receiver needs no shared "
            "secret. Fetch the set again when no known key verifies a delivery.",
            tag="Webhooks",
            added_in="v2026.4",
            open_to_browsers=True,
            response_example=_SAMPLE,
            in_contract=False,
        ),
    )


def _no_master() -> MasterKey:
    """Raise `MasterKeyAbsent` instead of returning the master key, which is not needed to publish the public keys."""
    raise MasterKeyAbsent
