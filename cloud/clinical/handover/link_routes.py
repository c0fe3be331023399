"""Routes by which a tenant lists and revokes the share links of an encounter. They extend the contract
(docs/deviations.md): a crew revokes a link on its tablet, which may be out of coverage.
"""

from collections.abc import Iterable
from typing import Any

from cloud.access.audit import Audit
from cloud.clinical.epcr import Encounter, Encounters, EncounterUnknown
from cloud.clinical.handover.links import ShareLinks
from cloud.clinical.handover.model import ShareLink
from cloud.clinical.handover.schemas import ListedShareLinks
from cloud.foundation.db import Transaction
from cloud.foundation.http import Host, Json, Parts, RateClass, Request, Response, Route, Scopes
from cloud.foundation.moments import write_moment
from cloud.foundation.viewer import Viewer

PATH = "/api/v1/epcr/encounters/{encounterId}/share-links"
_READ, _WRITE = Scopes.any_of("argus:epcr:read", "argus:epcr:write"), Scopes.any_of("argus:epcr:write")
_SAMPLE: dict[str, Any] = {
    "data": [
        {
            "id": "share-5b1f0c9a7e3d",
            "vehicle_id": "AMB-42",
            "added_at": "2026-03-23T11:48:09.000000Z",
            "revoked_at": "2026-03-23T12:10:00.000000Z",
        }
    ]
}


class ShareLinkHandlers:
    """Handlers of the share links of an encounter."""

    def __init__(self, parts: Parts) -> None:
        self._database = parts.database
        self._clock = parts.clock
        self._encounters = Encounters()
        self._links = ShareLinks()
        self._audit = Audit(parts.clock)

    async def list(self, request: Request) -> Response:
        async with self._database.read() as tx:
            encounter = await self._find(tx, request.viewer, request.path["encounterId"])
            return Json(_listed(await self._links.of_encounter(tx, encounter)))

    async def revoke(self, request: Request) -> Response:
        """Revoke every open link of the encounter. Repeating it changes nothing."""
        actor = request.actor
        async with self._database.transaction() as tx:
            encounter = await self._find(tx, actor, request.path["encounterId"])
            ended = await self._links.revoke_all(tx, encounter, by=actor.subject, now_us=self._clock.now_us())
            for link_id in ended:
                metadata = {"encounter": encounter.id}
                await self._audit.record(tx, actor, "handover.link_revoked", link_id, metadata=metadata)
            return Json(_listed(await self._links.of_encounter(tx, encounter)))

    async def _find(self, tx: Transaction, viewer: Viewer, encounter_id: str) -> Encounter:
        found = await self._encounters.find(tx, viewer, encounter_id)
        if found is None:
            raise EncounterUnknown
        return found


def _listed(links: Iterable[ShareLink]) -> dict[str, Any]:
    return {"data": [_shown(link) for link in links]}


def _shown(link: ShareLink) -> dict[str, Any]:
    """Return the JSON fields of a link. The crew member who made it is staff, and left out (contract A-098)."""
    return {
        "id": link.id,
        "vehicle_id": link.vehicle_id,
        "added_at": write_moment(link.added_at_us),
        "revoked_at": None if link.revoked_at_us is None else write_moment(link.revoked_at_us),
    }


def routes(parts: Parts) -> tuple[Route, ...]:
    h = ShareLinkHandlers(parts)
    return (
        Route(
            method="GET",
            path=PATH,
            handler=h.list,
            host=Host.API,
            scopes=_READ,
            needs_organization=True,
            in_contract=False,
            response=ListedShareLinks,
            responses={200: "The share links, oldest first.", 404: "Encounter not found."},
            errors=("encounter_unknown",),
            operation_id="listShareLinks",
            summary="List the share links of an encounter",
            description="The links of a hand-over that the crew shared, without the addresses that open them.",
            tag="ePCR",
            response_example=_SAMPLE,
        ),
        Route(
            method="DELETE",
            path=PATH,
            handler=h.revoke,
            host=Host.API,
            scopes=_WRITE,
            needs_organization=True,
            in_contract=False,
            rate_class=RateClass.WRITE,
            response=ListedShareLinks,
            responses={200: "The share links, none of which is open.", 404: "Encounter not found."},
            errors=("encounter_unknown",),
            operation_id="revokeShareLinks",
            summary="Revoke the share links of an encounter",
            description="Revokes every open link. An open page is cleared within ten seconds. The crew can make "
            "another link.",
            tag="ePCR",
            response_example=_SAMPLE,
        ),
    )
