"""Handler of the list of encounters."""

from collections.abc import Sequence

from cloud.clinical.epcr.list_schemas import EncounterQuery
from cloud.clinical.epcr.listed import listed_document
from cloud.clinical.epcr.model import Encounter
from cloud.clinical.epcr.store import EncounterFilter, Encounters
from cloud.foundation.http import Json, Listing, Parts, Request, Response, filters_of, link_to_next, strong_etag
from cloud.foundation.moments import read_moment


class EncounterListHandlers:
    """Handler of `GET /api/v1/epcr/encounters`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._encounters = Encounters()

    async def list(self, request: Request) -> Response:
        """Return a page of encounters as partners see them: an allow-list of fields (contract A-098)."""
        query, viewer = request.query, request.viewer
        assert isinstance(query, EncounterQuery)
        wanted = EncounterFilter(
            vehicle_id=query.vehicle_id,
            cad_incident_id=query.cad_incident_id,
            status=query.status,
            since_us=None if query.since is None else read_moment(query.since),
        )

        async def read(after: tuple[int, str] | None, count: int) -> Sequence[Encounter]:
            async with self._parts.database.read() as tx:
                return await self._encounters.page(tx, viewer, wanted, after=after, count=count)

        listing = Listing(
            cursors=self._parts.cursors,
            viewer=viewer,
            route=request.route.name,
            filters=filters_of(request),
            position=(int, str),
        )
        page = await listing.read_page(query.cursor, query.limit, read, lambda one: (one.created_at_us, one.id))
        found = [listed_document(one) for one in page.rows]
        response = Json(found, headers=link_to_next(self._parts.bases, request, page.next_cursor))
        response.etag = strong_etag(response.body)
        return response
