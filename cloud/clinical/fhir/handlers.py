"""Handler of FHIR bundles. The summary route returns the same bundle for `?format=fhir` (contract A-099)."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from cloud.clinical.devices import Devices
from cloud.clinical.epcr import (
    ENCOUNTER_EVIDENCE,
    IDENTIFIED,
    SETTLE_ENCOUNTER,
    IdentifiedReads,
    PurposeOfUse,
    VisibleRecords,
)
from cloud.clinical.fhir.encounter_observations import Position
from cloud.clinical.fhir.errors import BundleInvalid
from cloud.clinical.fhir.schemas import BundleQuery, HandoverQuery
from cloud.clinical.fhir.service import Bundles
from cloud.clinical.fhir.settings import FhirSection
from cloud.clinical.fhir.validation import find_faults
from cloud.clinical.observations import RECEIVED_BATCHES
from cloud.foundation.http import Host, InvalidCursor, Parts, Request, Response, strong_etag
from cloud.foundation.objects import object_store_of
from protocols.epcr.element import Audience
from protocols.provenance.transcript import Operation

log = structlog.get_logger()

BUNDLE_PATH = "/api/v1/epcr/encounters/{encounterId}/fhir-bundle"
HANDOVER_PATH = "/api/v1/identified/encounters/{encounterId}/fhir-bundle"
MEDIA_TYPE = "application/fhir+json; fhirVersion=4.0"
_POSITION = (bool, str, int, int, int, str)


class FhirHandlers:
    """Handlers of the FHIR routes."""

    def __init__(self, parts: Parts) -> None:
        self._bases = parts.bases
        self._settle = parts.supplies[SETTLE_ENCOUNTER](parts)
        self._database = parts.database
        self._reads = IdentifiedReads(parts.clock)
        self._evidence = parts.supplies[ENCOUNTER_EVIDENCE](parts)
        self._cursors = parts.cursors
        self._validates = parts.settings.section(FhirSection).validate_bundles
        self._bundles = Bundles(
            parts.database,
            Devices(parts.ids),
            parts.supplies[RECEIVED_BATCHES],
            VisibleRecords(parts.master),
            object_store_of(parts.settings),
        )

    @classmethod
    def of(cls, parts: Parts) -> "FhirHandlers":
        return cls(parts)

    async def bundle(self, request: Request) -> Response:
        """Return a part of the de-identified bundle of an encounter."""
        return await self._respond(request, Audience.PARTNERS, BUNDLE_PATH)

    async def handover(self, request: Request) -> Response:
        """Return a part of the bundle with the identity of the patient. The audit entry of the reading is durable
        before, and so is, for the first part, the record in the encounter's evidence."""
        query = request.query
        assert isinstance(query, HandoverQuery)
        async with self._database.transaction() as tx:
            purpose = PurposeOfUse(query.purpose_of_use)
            encounter = await self._reads.admit(
                tx, request.actor, request.path["encounterId"], scope=IDENTIFIED, purpose=purpose, form="fhir"
            )
            if query.cursor is None:
                details = {"purpose_of_use": purpose.value, "form": "fhir"}
                await self._evidence.append(tx, request.actor, encounter, Operation.EXPORT, details=details)
        return await self._respond(request, Audience.TREATMENT, HANDOVER_PATH)

    async def _respond(self, request: Request, audience: Audience, path: str) -> Response:
        """Return a part of an encounter's bundle for an audience, the first one unless the query names another. `path`
        is the path template of the bundle's own route, to which the links lead."""
        encounter_id = request.path["encounterId"]
        query = request.query
        purpose = query.purpose_of_use if isinstance(query, HandoverQuery) else None
        link = _Link(path, encounter_id, purpose)
        after = None
        if isinstance(query, BundleQuery) and query.cursor is not None:
            after = self._open(query.cursor, request, link)
        await self._settle(request.viewer, encounter_id)
        part = await self._bundles.part(request.viewer, encounter_id, after, audience=audience)
        next_url = None if part.position is None else self._url_of(part.position, request, link)
        body = part.encode(next_url)
        if self._validates and (faults := await asyncio.to_thread(find_faults, body)):
            log.error("fhir.bundle_invalid", encounter_id=encounter_id, faults=faults)
            raise BundleInvalid
        headers = {"Vary": "Accept"}
        if next_url is not None:
            headers["Link"] = f'<{next_url}>; rel="next"'
        return Response(200, body, MEDIA_TYPE, headers=headers, etag=strong_etag(body))

    def _open(self, cursor: str, request: Request, link: "_Link") -> Position:
        parts = self._cursors.open(cursor, request.viewer, link.route, link.filters)
        if tuple(map(type, parts)) != _POSITION:
            raise InvalidCursor
        return Position(*parts)

    def _url_of(self, position: Position, request: Request, link: "_Link") -> str:
        """Return the address of the part behind a position: the same for the same position, so that the bundle's bytes
        do not change."""
        cursor = self._cursors.seal(position, request.viewer, link.route, link.filters, repeatable=True)
        return f"{self._bases[Host.API]}{link.path.format(encounterId=link.encounter_id)}?{link.query}cursor={cursor}"


@dataclass(frozen=True, slots=True)
class _Link:
    """The route of a bundle to whose parts links lead, the encounter, and the purpose of use that the route needs, or
    None. A cursor is valid for this route and encounter only."""

    path: str
    encounter_id: str
    purpose: str | None

    @property
    def query(self) -> str:
        return "" if self.purpose is None else f"purpose_of_use={self.purpose}&"

    @property
    def route(self) -> str:
        return f"GET {self.path}"

    @property
    def filters(self) -> Mapping[str, str]:
        return {"encounter": self.encounter_id}
