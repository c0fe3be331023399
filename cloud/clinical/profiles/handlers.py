"""Handlers of profiles, and their representation for partners."""

from typing import Any

from cloud.clinical.profiles.model import Profile
from cloud.clinical.profiles.schemas import EnrichmentRequest
from cloud.clinical.profiles.service import Profiles, read_document
from cloud.foundation.http import Json, Parts, Request, Response, strong_etag
from cloud.foundation.moments import write_moment


class ProfileHandlers:
    """Handlers of the profile routes."""

    def __init__(self, parts: Parts) -> None:
        self._profiles = Profiles(parts.database, parts.clock, parts.ids)

    async def read(self, request: Request) -> Response:
        profile, enrichment = await self._profiles.read(request.viewer, request.path["id"])
        last = None if enrichment is None else read_document(enrichment)
        response = Json({**shown(profile), "enrichment": last})
        response.etag = strong_etag(response.body)
        return response

    async def enrich(self, request: Request) -> Response:
        wanted = request.body or EnrichmentRequest()
        assert isinstance(wanted, EnrichmentRequest)
        return await self._profiles.enrich(
            request.actor,
            request.path["id"],
            wanted.connectors,
            request.idempotent_reply,
            lambda enrichment: Json(read_document(enrichment)),
        )


def shown(profile: Profile) -> dict[str, Any]:
    """Return the JSON fields of a profile, without its enrichment."""
    return {
        "id": profile.id,
        "organization_id": profile.organization_id,
        "reference": profile.reference,
        "kind": profile.kind,
        "names": list(profile.names),
        "birth_date": profile.birth_date,
        "countries": list(profile.countries),
        "asset": profile.asset,
        "address": profile.address,
        "secrecy_level": profile.secrecy_level.word,
        "created_at": write_moment(profile.created_at_us),
        "updated_at": write_moment(profile.updated_at_us),
    }
