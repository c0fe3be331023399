"""Handler of FHIR bundles. The summary route returns the same bundle for `?format=fhir` (contract A-099)."""

import asyncio

import structlog

from cloud.clinical.devices import Devices
from cloud.clinical.epcr import VisibleRecords
from cloud.clinical.fhir.encounter_observations import Position
from cloud.clinical.fhir.errors import BundleInvalid
from cloud.clinical.fhir.schemas import BundleQuery
from cloud.clinical.fhir.service import Bundles
from cloud.clinical.fhir.settings import FhirSection
from cloud.clinical.fhir.validation import find_faults
from cloud.clinical.observations import RECEIVED_BATCHES
from cloud.foundation.http import Host, InvalidCursor, Parts, Request, Response, strong_etag
from cloud.foundation.objects import object_store_of

log = structlog.get_logger()

BUNDLE_PATH = "/api/v1/epcr/encounters/{encounterId}/fhir-bundle"
MEDIA_TYPE = "application/fhir+json; fhirVersion=4.0"
_CURSOR_ROUTE = f"GET {BUNDLE_PATH}"
_POSITION = (bool, str, int, int, int, str)


class FhirHandlers:
    """Handlers of the FHIR routes."""

    def __init__(self, parts: Parts) -> None:
        self._bases = parts.bases
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
        """Return a part of an encounter's bundle, the first one unless the query names another."""
        encounter_id = request.path["encounterId"]
        query = request.query
        after = None
        if isinstance(query, BundleQuery) and query.cursor is not None:
            after = self._open(query.cursor, request, encounter_id)
        part = await self._bundles.part(request.viewer, encounter_id, after)
        next_url = None if part.position is None else self._url_of(part.position, request, encounter_id)
        body = part.encode(next_url)
        if self._validates and (faults := await asyncio.to_thread(find_faults, body)):
            log.error("fhir.bundle_invalid", encounter_id=encounter_id, faults=faults)
            raise BundleInvalid
        headers = {"Vary": "Accept"}
        if next_url is not None:
            headers["Link"] = f'<{next_url}>; rel="next"'
        return Response(200, body, MEDIA_TYPE, headers=headers, etag=strong_etag(body))

    def _open(self, cursor: str, request: Request, encounter_id: str) -> Position:
        parts = self._cursors.open(cursor, request.viewer, _CURSOR_ROUTE, {"encounter": encounter_id})
        if tuple(map(type, parts)) != _POSITION:
            raise InvalidCursor
        return Position(*parts)

    def _url_of(self, position: Position, request: Request, encounter_id: str) -> str:
        """Return the address of the part behind a position: the same for the same position, so that the bundle's bytes
        do not change."""
        filters = {"encounter": encounter_id}
        cursor = self._cursors.seal(position, request.viewer, _CURSOR_ROUTE, filters, repeatable=True)
        return f"{self._bases[Host.API]}{BUNDLE_PATH.format(encounterId=encounter_id)}?cursor={cursor}"
