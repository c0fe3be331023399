"""Routes of profiles. The contract names them without describing them, so they are not in its document."""

from cloud.clinical.profiles.handlers import ProfileHandlers
from cloud.clinical.profiles.schemas import EnrichmentRequest, ProfileEnrichment, ProfileShown
from cloud.foundation.http import Host, Parts, RateClass, Route, Scopes

PROFILES_READ = Scopes.any_of("argus:profiles:read", "argus:profiles:write")
PROFILES_WRITE = Scopes.any_of("argus:profiles:write")
_ENRICHED = {
    "id": "enr_123",
    "profile_id": "prf_123",
    "enriched_at": "2026-03-24T11:02:30.000000Z",
    "risk": {"level": "low", "score": 0},
    "connectors": [
        {
            "connector": "sanctions",
            "status": "completed",
            "risk_score": 0,
            "sources": [
                {
                    "name": "ofac-sdn",
                    "published_on": "2026-03-24",
                    "imported_at": "2026-03-24T10:00:00.000000Z",
                    "entries": 18000,
                    "sha256": "0" * 64,
                }
            ],
            "hits": [],
        }
    ],
}
_PROFILE = {
    "id": "prf_123",
    "organization_id": "org_123",
    "reference": "CRM-1",
    "kind": "person",
    "names": ["Examplo Testovich"],
    "birth_date": "1948",
    "countries": [],
    "asset": None,
    "address": None,
    "secrecy_level": "standard",
    "created_at": "2026-03-24T10:00:00.000000Z",
    "updated_at": "2026-03-24T10:00:00.000000Z",
    "enrichment": _ENRICHED,
}


def routes(parts: Parts) -> tuple[Route, ...]:
    h = ProfileHandlers(parts)
    return (
        Route(
            method="GET",
            path="/v1/profiles/{id}",
            handler=h.read,
            host=Host.API,
            scopes=PROFILES_READ,
            needs_organization=True,
            in_contract=False,
            response=ProfileShown,
            responses={200: "The profile with its last enrichment.", 404: "Profile not found."},
            operation_id="readProfile",
            summary="Fetch a profile",
            description="A person, organisation or wallet, with the last enrichment.",
            tag="Profiles",
            response_example=_PROFILE,
        ),
        Route(
            method="POST",
            path="/v1/profiles/{id}/enrich",
            handler=h.enrich,
            host=Host.API,
            scopes=PROFILES_WRITE,
            needs_organization=True,
            in_contract=False,
            idempotent=True,
            rate_class=RateClass.WRITE,
            body=EnrichmentRequest,
            body_optional=True,
            response=ProfileEnrichment,
            responses={
                200: "The enrichment, which is stored.",
                400: "The body is invalid.",
                404: "Profile not found.",
                422: "A connector does not enrich profiles of this kind.",
            },
            operation_id="enrichProfile",
            summary="Enrich a profile",
            description="Compares the profile with the imported sanctions lists and labels of wallets. Each hit has a "
            "score and an explanation; a person must decide about it. Without an imported list the risk is `unknown`.",
            tag="Profiles",
            request_example={"connectors": ["sanctions"]},
            response_example=_ENRICHED,
        ),
    )
