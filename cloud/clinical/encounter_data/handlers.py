"""Handlers of the data of an encounter."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cloud.clinical.devices import VEHICLE_EVENTS, Devices
from cloud.clinical.encounter_data.observations import EncounterObservations
from cloud.clinical.encounter_data.page import Page
from cloud.clinical.encounter_data.schemas import Format, ObservationQuery, TimelineQuery, WaveformQuery
from cloud.clinical.encounter_data.selection import Wanted
from cloud.clinical.encounter_data.timeline import EncounterTimeline
from cloud.clinical.encounter_data.waveform_blocks import WaveformBlocks
from cloud.clinical.encounter_data.waveform_envelope import WaveformEnvelope
from cloud.clinical.encounter_data.waveform_samples import WaveformSamples
from cloud.clinical.epcr import SETTLE_ENCOUNTER, VisibleRecords
from cloud.clinical.observations import RECEIVED_BATCHES
from cloud.foundation.http import (
    Listing,
    Parts,
    QueryMalformed,
    Request,
    Response,
    Streamed,
    filters_of,
    link_to_next,
    prefers,
    strong_etag,
)
from cloud.foundation.moments import read_moment
from cloud.foundation.objects import object_store_of

NDJSON = "application/x-ndjson"
_PLACE = (int, int, int, int)
_VARY = {"Vary": "Accept"}
_NONE: Mapping[str, str] = {}


class EncounterDataHandlers:
    """Handlers of `GET /api/v1/epcr/encounters/{encounterId}/observations`, `…/waveforms` and `…/timeline`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._settle = parts.supplies[SETTLE_ENCOUNTER](parts)
        self._timeline = EncounterTimeline(
            parts.database, Devices(parts.ids), VisibleRecords(parts.master), parts.supplies[VEHICLE_EVENTS]
        )
        objects = object_store_of(parts.settings)
        blocks = WaveformBlocks(parts.database, objects)
        self._samples = WaveformSamples(parts.database, blocks)
        self._envelope = WaveformEnvelope(parts.database, objects, blocks)
        self._observations = EncounterObservations(parts.database, parts.supplies[RECEIVED_BATCHES])

    async def observations(self, request: Request) -> Response:
        """Return a page of observations or of summaries by interval, or all of them as a stream of NDJSON."""
        query, viewer, encounter_id = request.query, request.viewer, request.path["encounterId"]
        assert isinstance(query, ObservationQuery)
        await self._settle(viewer, encounter_id, waveforms=False)
        wanted = _wanted(query)
        if _is_stream(request, query):
            if query.interval_s is None:
                parts = self._observations.stream(viewer, encounter_id, wanted)
            else:
                parts = self._observations.interval_stream(viewer, encounter_id, wanted, interval_s=query.interval_s)
            return Streamed(await _begun(parts), NDJSON, tenant_id=viewer.tenant_id, headers=_VARY)
        listing = self._listing(request, _PLACE if query.interval_s is None else (int, str))
        after = listing.read_position(query.cursor)
        if query.interval_s is None:
            page = await self._observations.page(viewer, encounter_id, wanted, after=after, limit=query.limit)
        else:
            page = await self._observations.interval_page(
                viewer, encounter_id, wanted, interval_s=query.interval_s, after=after, limit=query.limit
            )
        return self._page(request, listing, page, _VARY)

    async def waveforms(self, request: Request) -> Response:
        """Return a page of samples, or of the envelope of the waveforms."""
        query, viewer, encounter_id = request.query, request.viewer, request.path["encounterId"]
        assert isinstance(query, WaveformQuery)
        await self._settle(viewer, encounter_id)
        wanted = _wanted(query)
        listing = self._listing(request, _PLACE if query.points is None else (int, int, int))
        after = listing.read_position(query.cursor)
        if query.points is None:
            page = await self._samples.page(viewer, encounter_id, wanted, after=after, limit=query.limit)
        else:
            page = await self._envelope.page(viewer, encounter_id, wanted, points=query.points, after=after)
        return self._page(request, listing, page)

    async def timeline(self, request: Request) -> Response:
        """Return a page of the timeline."""
        query, viewer, encounter_id = request.query, request.viewer, request.path["encounterId"]
        assert isinstance(query, TimelineQuery)
        await self._settle(viewer, encounter_id, waveforms=False)
        listing = self._listing(request, (int, int, str))
        after = listing.read_position(query.cursor)
        page = await self._timeline.page(viewer, encounter_id, _in_time(query), after=after, limit=query.limit)
        return self._page(request, listing, page)

    def _page(self, request: Request, listing: Listing, page: Page, headers: Mapping[str, str] = _NONE) -> Response:
        next_cursor = None if page.next is None else listing.cursor_after(page.next)
        link = link_to_next(self._parts.bases, request, next_cursor)
        body = f"[{','.join(page.lines)}]".encode()
        return Response(200, body, "application/json", headers={**headers, **link}, etag=strong_etag(body))

    def _listing(self, request: Request, position: tuple[type, ...]) -> Listing:
        return Listing(
            cursors=self._parts.cursors,
            viewer=request.viewer,
            route=request.route.name,
            filters={**filters_of(request), **request.path},
            position=position,
        )


def _wanted(query: ObservationQuery | WaveformQuery) -> Wanted:
    codes = None if query.mdc_code is None else frozenset(query.mdc_code)
    return replace(_in_time(query), device_id=query.device_id, codes=codes)


def _in_time(query: ObservationQuery | WaveformQuery | TimelineQuery) -> Wanted:
    return Wanted(
        since_us=None if query.since is None else read_moment(query.since),
        until_us=None if query.until is None else read_moment(query.until),
    )


def _is_stream(request: Request, query: ObservationQuery) -> bool:
    """Return whether the client wants a stream. Raises `QueryMalformed` for a stream with a parameter of a page."""
    form = query.format
    if form is None and prefers(request.headers.getall("Accept", ()), NDJSON, "application/json"):
        form = Format.NDJSON
    if form is Format.NDJSON and (query.cursor is not None or "limit" in query.model_fields_set):
        raise QueryMalformed("(A stream has no pages: omit limit and cursor.)")
    return form is Format.NDJSON


async def _begun(parts: AsyncIterator[Sequence[str]]) -> AsyncIterator[bytes]:
    """Read the first part, so that its errors are those of the request; return all parts as bytes."""
    first = await anext(parts, ())

    async def encoded() -> AsyncIterator[bytes]:
        yield _encoded(first)
        async for part in parts:
            yield _encoded(part)

    return encoded()


def _encoded(lines: Sequence[Any]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
