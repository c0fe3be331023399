"""Read the observations of an encounter: a page, or all of them as a stream; each value, or a summary by interval.

A page is one read transaction, and a stream is one for each part, so that neither occupies a connection for long. A
stream keeps the walks that it began with; a value that arrives behind its place is found by the next request.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import orjson
from sqlalchemy import BigInteger, select

from cloud.clinical.encounter_data.intervals import Intervals
from cloud.clinical.encounter_data.observation_lines import Lanes, ObservationLines
from cloud.clinical.encounter_data.page import Page
from cloud.clinical.encounter_data.selection import Wanted
from cloud.clinical.epcr import Encounters, EncounterUnknown
from cloud.clinical.observations import (
    API_LANE_ID,
    BEFORE_ALL,
    EncounterRow,
    EncounterWalks,
    Place,
    ReceivedBatches,
    Selection,
    open_walks,
)
from cloud.foundation.db import Database, GivenRows, Prepared, given
from cloud.foundation.viewer import Viewer

PART_ROWS = 1_000
"""Rows of one part of a stream, and of one read for a summary."""
SCANNED_MAX = 200_000
"""Values that a page of summaries reads before it ends, with the interval that is open: some seconds."""
PAGES_MAX = 250
"""Reads for a page of summaries that finds nothing, before it ends: a rare code in a long encounter takes several
pages."""


@dataclass(frozen=True, slots=True)
class RowPage:
    """Rows of a page, the position after which the next one begins (None on the last page), and the walks and lanes of
    the rows of this page and those before it."""

    rows: Sequence[EncounterRow]
    next: Place | None
    walks: EncounterWalks
    lanes: Lanes


_lanes = GivenRows("lanes", lane_id=BigInteger())


class EncounterObservations:
    """Reads the observations of encounters."""

    def __init__(self, database: Database, received: ReceivedBatches) -> None:
        self._database = database
        self._encounters = Encounters()
        lanes = received.lanes.c
        wanted = _lanes.among(lanes.lane_id, _lanes.c("lane_id"))
        self._find_lanes = Prepared(select(lanes.lane_id, lanes.gateway_id, lanes.epoch, lanes.lane).where(wanted))

    async def page(self, viewer: Viewer, encounter_id: str, wanted: Wanted, *, after: Place | None, limit: int) -> Page:
        """Return the observations after a place (None: from the first), at most `limit`. Raises `EncounterUnknown`."""
        walks = await self._open(viewer, encounter_id, wanted.selection())
        async with self._database.read() as tx:
            placed, end = await walks.page(tx, BEFORE_ALL if after is None else after, limit)
        rows = [row for _, row in placed]
        lanes = await self.lanes_of(rows)
        return Page(ObservationLines(walks, lanes).write(rows), end)

    async def stream(self, viewer: Viewer, encounter_id: str, wanted: Wanted) -> AsyncIterator[Sequence[str]]:
        """Yield all observations in parts. Raises `EncounterUnknown` before the first part."""
        async for page in self.pages(viewer, encounter_id, wanted):
            yield page.lines

    async def pages(
        self,
        viewer: Viewer,
        encounter_id: str,
        wanted: Wanted,
        *,
        after: Place | None = None,
        limit: int = PART_ROWS,
    ) -> AsyncGenerator[Page, None]:
        """Yield the observations after a place (None: from the first) in pages of at most `limit`. Raises
        `EncounterUnknown` before the first page."""
        lines: ObservationLines | None = None
        async with aclosing(self.row_pages(viewer, encounter_id, wanted, after=after, limit=limit)) as found:
            async for page in found:
                lines = lines or ObservationLines(page.walks, page.lanes)
                yield Page(lines.write(page.rows), page.next)

    async def row_pages(
        self,
        viewer: Viewer,
        encounter_id: str,
        wanted: Wanted,
        *,
        after: Place | None = None,
        limit: int = PART_ROWS,
    ) -> AsyncGenerator[RowPage, None]:
        """Yield the rows of the observations after a place (None: from the first) in pages of at most `limit`. Raises
        `EncounterUnknown` before the first page."""
        lanes: dict[int, tuple[str, str, str]] = {}
        walks = await self._open(viewer, encounter_id, wanted.selection())
        place: Place | None = BEFORE_ALL if after is None else after
        while place is not None:
            async with self._database.read() as tx:
                placed, place = await walks.page(tx, place, limit)
            rows = [row for _, row in placed]
            lanes |= await self.lanes_of(rows, known=lanes.keys())
            yield RowPage(rows, place, walks, lanes)

    async def interval_page(
        self,
        viewer: Viewer,
        encounter_id: str,
        wanted: Wanted,
        *,
        interval_s: int,
        after: tuple[int, str] | None,
        limit: int,
    ) -> Page:
        """Return summaries by interval after a position (interval and series), at most `limit`. Raises
        `EncounterUnknown`."""
        lines: list[str] = []
        from_us, series = after or (None, "")
        last: tuple[int, str] | None = None
        async for begin_us, key, line in self._intervals(viewer, encounter_id, wanted, interval_s, from_us):
            if line is None:
                return Page(lines, (begin_us, ""))
            if begin_us == from_us and key <= series:
                continue
            if len(lines) == limit:
                return Page(lines, last)
            lines.append(line)
            last = begin_us, key
        return Page(lines, None)

    async def interval_stream(
        self, viewer: Viewer, encounter_id: str, wanted: Wanted, *, interval_s: int
    ) -> AsyncIterator[Sequence[str]]:
        """Yield all summaries by interval in parts. Raises `EncounterUnknown` before the first part."""
        from_us: int | None = None
        goes_on = True
        while goes_on:
            goes_on = False
            part: list[str] = []
            async for begin_us, _, line in self._intervals(viewer, encounter_id, wanted, interval_s, from_us):
                if line is None:
                    from_us, goes_on = begin_us, True
                    break
                part.append(line)
                if len(part) == PART_ROWS:
                    yield part
                    part = []
            yield part

    async def _intervals(
        self, viewer: Viewer, encounter_id: str, wanted: Wanted, interval_s: int, from_us: int | None
    ) -> AsyncIterator[tuple[int, str, str | None]]:
        """Yield beginning, series and JSON text of each summary, from the interval that begins at `from_us` on. If the
        request has read enough, the last item has the beginning of the next interval, and no text."""
        intervals = Intervals(interval_s, wanted.codes)
        begin_us = from_us if wanted.since_us is None or from_us is None else max(from_us, wanted.since_us)
        walks = await self._open(viewer, encounter_id, wanted.selection(from_us=begin_us))
        place: Place | None = BEFORE_ALL
        scanned = pages = 0
        while place is not None:
            async with self._database.read() as tx:
                placed, place = await walks.page(tx, place, PART_ROWS)
            scanned, pages = scanned + len(placed), pages + 1
            for (at_us, *_), row in placed:
                complete = intervals.add(at_us, row, walks.channels[row[4]])
                if complete is None:
                    continue
                for series, document in intervals.documents(complete):
                    yield complete.from_us, series, orjson.dumps(document).decode()
                if scanned >= SCANNED_MAX or pages >= PAGES_MAX:
                    yield intervals.begin_of(at_us), "", None
                    return
            if place is not None and pages >= PAGES_MAX and intervals.is_empty:
                yield intervals.begin_of(place[0]), "", None
                return
        last = intervals.end()
        if last is not None:
            for series, document in intervals.documents(last):
                yield last.from_us, series, orjson.dumps(document).decode()

    async def _open(self, viewer: Viewer, encounter_id: str, selection: Selection) -> EncounterWalks:
        if await self._encounters.look_up(self._database.peek, viewer, encounter_id) is None:
            raise EncounterUnknown
        return await open_walks(self._database.peek, viewer, encounter_id, selection)

    async def lanes_of(self, rows: Sequence[EncounterRow], known: Collection[int] = ()) -> Lanes:
        """Return the lanes of these rows that are not known yet. Posted observations have none."""
        wanted = {row[0] for row in rows} - {API_LANE_ID, *known}
        if not wanted:
            return {}
        found = await self._database.peek(self._find_lanes, {"lanes": given([(one,) for one in wanted])})
        return {lane_id: (gateway, epoch, lane) for lane_id, gateway, epoch, lane in found}
