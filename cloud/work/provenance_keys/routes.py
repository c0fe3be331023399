"""The routes of the published provenance keys: the well-known address and its alias under `/v1`, with the same bytes
(contract matrix A-110)."""

import orjson

from cloud.foundation.http import (
    PUBLIC,
    Handler,
    Host,
    NotFound,
    Parts,
    RateClass,
    Request,
    Response,
    Route,
    strong_etag,
)
from cloud.work.provenance_keys.keys import ProvenanceKeys
from cloud.work.provenance_keys.provenance_key import MAX_AGE_S, STALE_S
from cloud.work.provenance_keys.schemas import ProvenanceKeySet
from protocols.provenance.signatures import Algorithm

ML_DSA_65 = Algorithm.ML_DSA_65.value
PATH = "/.well-known/provenance-keys/{algorithm}"
_HEADERS = {"Cache-Control": f"public, max-age={MAX_AGE_S}, stale-while-revalidate={STALE_S}"}
_SAMPLE = {
    "keys": [
        {
            "kid": "prov-2026-05-mldsa",
            "alg": ML_DSA_65,
            "public_key": "<base64 ML-DSA-65 public key>",
            "not_before": "2026-05-01T00:00:00.000000Z",
            "not_after": None,
            "status": "current",
        }
    ]
}


def routes(parts: Parts) -> tuple[Route, ...]:
    keys = parts.shared(ProvenanceKeys.of)
    canonical = f'<{parts.bases[Host.API]}{PATH.replace("{algorithm}", ML_DSA_65)}>; rel="canonical"'

    async def key_set(request: Request) -> Response:
        if request.path["algorithm"] != ML_DSA_65:
            # The keys of HMAC are secrets of a tenant; any other word gets the same response.
            raise NotFound
        body = orjson.dumps({"keys": [key.published_form() for key in await keys.listed()]})
        return Response(200, body, "application/json", headers=_HEADERS, etag=strong_etag(body))

    async def alias(request: Request) -> Response:
        response = await key_set(request)
        return Response(
            200, response.body, response.media_type, headers={**_HEADERS, "Link": canonical}, etag=response.etag
        )

    def route(path: str, handler: Handler, operation_id: str, description: str, *, in_contract: bool) -> Route:
        return Route(
            method="GET",
            path=path,
            handler=handler,
            host=Host.API,
            scopes=PUBLIC,
            rate_class=RateClass.PUBLIC,
            response=ProvenanceKeySet,
            responses={200: "The public keys.", 404: "The algorithm has no public key."},
            operation_id=operation_id,
            summary="Fetch a provenance verify key",
            description=description,
            tag="Evidence",
            added_in="v2026.4",
            open_to_browsers=True,
            response_example=_SAMPLE,
            in_contract=in_contract,
        )

    return (
        route(
            PATH,
            key_set,
            "getProvenanceKeys",
            "The keys of the platform that verify provenance transcripts offline. `ml-dsa-65` is the only algorithm "
            "with a public key: the keys of `hmac-sha256` are secrets of a tenant. Fetch the set again when a `kid` is "
            "not in it.",
            in_contract=True,
        ),
        route(
            f"/v1{PATH}",
            alias,
            "getVersionedProvenanceKeys",
            "The same document in the versioned namespace. The header `Link` has the canonical address.",
            in_contract=False,
        ),
    )
