"""The rows of an export as JSON lines, one page after the other from any position on.

What a partner may see is decided where it is decided for the API: each source reads as the route with the same data
does, with the same viewer. So an export shows no row and no field that the caller could not read one by one.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from cloud.clinical.devices import Devices
from cloud.clinical.encounter_data import (
    EncounterObservations,
    ObservationTable,
    Page,
    Wanted,
    WaveformBlocks,
    WaveformSamples,
)
from cloud.clinical.epcr import CHANGES_READ_MAX, CareRecordTooLarge, Encounter, VisibleRecords, listed_document
from cloud.clinical.fhir import EncounterResources, ResourcePage, WaveformResources
from cloud.clinical.nemsis import AgencyMissing, ReportExport
from cloud.clinical.observations import RECEIVED_BATCHES, Place
from cloud.foundation.db import Database
from cloud.foundation.http import NotFound
from cloud.foundation.objects import object_store_of
from cloud.foundation.process import Process
from cloud.foundation.viewer import Actor, Viewer
from cloud.work.exports.columns import columns_of_lines
from cloud.work.exports.nemsis_archive import Refused
from cloud.work.exports.schemas import ExportData, ExportFormat, ExportPayload
from cloud.work.jobs import JobFailure

PAGE_ROWS = 2_000
"""Observations of a page: ten milliseconds of work between two turns of the event loop."""
PAGE_SAMPLES = 250_000
"""Samples of a page: 1 MB as text, and some seconds of a vehicle."""


PAGE_WORK = 20
"""Work of a page behind which the encounter goes on: as many rows as it may have, or a search through many rows."""
RECORD_WORK = 3
"""Work of an encounter with its care record, whose values take `VALUE_WORK` each: four reads, and two resources."""
VALUE_WORK = 0.03


@dataclass(frozen=True, slots=True)
class Rows:
    """A page of an export: `count` rows as JSON lines or as the columns of a table, and the place behind which the next
    page of the encounter begins (None: the encounter has no more). `identified` is the id of the encounter if the page
    has the identity of its patient, so that the reading is recorded. `record_values` is the number of values of the
    care record that were read for the page (None: it was not read)."""

    page: Any
    count: int
    next: Place | None
    identified: str | None = None
    record_values: int | None = None

    @property
    def work(self) -> float:
        """The processor time of the page, about a millisecond for each unit. It is estimated from counts: from the same
        rows, a part that is made again on another machine ends at the same one."""
        record = 0.0 if self.record_values is None else RECORD_WORK + VALUE_WORK * self.record_values
        return record + (1 if self.next is None else PAGE_WORK)


class Source(Protocol):
    """The rows of encounters."""

    def pages(self, viewer: Actor, encounter: Encounter, after: Place | None) -> AsyncGenerator[Rows, None]:
        """Yield the rows of an encounter that the viewer may see, behind a place (None: all). Raises
        `EncounterUnknown` if it was erased, and `JobFailure`."""
        ...


@dataclass(frozen=True, slots=True)
class EncounterSource:
    """Encounters as in their list."""

    is_table: bool

    async def pages(self, _viewer: Viewer, encounter: Encounter, _after: Place | None) -> AsyncGenerator[Rows, None]:
        lines = [orjson.dumps(listed_document(encounter)).decode()]
        yield Rows(_rows(lines, ExportData.ENCOUNTERS, is_table=self.is_table), 1, None)


@dataclass(frozen=True, slots=True)
class ObservationSource:
    """Observations as in the stream of an encounter, each with the id of the encounter."""

    observations: EncounterObservations
    wanted: Wanted

    async def pages(self, viewer: Viewer, encounter: Encounter, after: Place | None) -> AsyncGenerator[Rows, None]:
        found = self.observations.pages(viewer, encounter.id, self.wanted, after=after, limit=PAGE_ROWS)
        async with aclosing(found):
            async for page in found:
                yield Rows(_of_encounter(encounter, page), len(page.lines), page.next)


@dataclass(frozen=True, slots=True)
class ObservationTableSource:
    """The same observations as columns."""

    observations: EncounterObservations
    wanted: Wanted

    async def pages(self, viewer: Viewer, encounter: Encounter, after: Place | None) -> AsyncGenerator[Rows, None]:
        table: ObservationTable | None = None
        found = self.observations.row_pages(viewer, encounter.id, self.wanted, after=after, limit=PAGE_ROWS)
        async with aclosing(found):
            async for page in found:
                table = table or ObservationTable(page.walks, page.lanes)
                count = len(page.rows)
                yield Rows([[encounter.id] * count, *table.read(page.rows)], count, page.next)


@dataclass(frozen=True, slots=True)
class WaveformSource:
    """Samples as in the pages of an encounter's waveforms, each block with the id of the encounter."""

    samples: WaveformSamples
    wanted: Wanted
    is_table: bool

    async def pages(self, viewer: Viewer, encounter: Encounter, after: Place | None) -> AsyncGenerator[Rows, None]:
        while True:
            page = await self.samples.page(viewer, encounter.id, self.wanted, after=after, limit=PAGE_SAMPLES)
            lines = _of_encounter(encounter, page)
            yield Rows(_rows(lines, ExportData.WAVEFORMS, is_table=self.is_table), len(lines), page.next)
            after = page.next
            if after is None:
                return


@dataclass(frozen=True, slots=True)
class EncounterResourceSource:
    """Encounters with their care records as FHIR resources for partners."""

    resources: EncounterResources

    async def pages(self, _viewer: Viewer, encounter: Encounter, _after: Place | None) -> AsyncGenerator[Rows, None]:
        lines = await self.resources.encounter(encounter)
        yield Rows(lines, len(lines), None)


class ResourcePages(Protocol):
    """Returns the pages of the resources of an encounter's measurements behind a place."""

    def __call__(
        self, viewer: Viewer, encounter: Encounter, wanted: Wanted, *, after: Place | None, limit: int
    ) -> AsyncGenerator[ResourcePage, None]: ...


@dataclass(frozen=True, slots=True)
class MeasurementResourceSource:
    """Observations or waveforms as FHIR resources for partners, with what they refer to. `limit` is that of a page."""

    read: ResourcePages
    wanted: Wanted
    limit: int

    async def pages(self, viewer: Viewer, encounter: Encounter, after: Place | None) -> AsyncGenerator[Rows, None]:
        found = self.read(viewer, encounter, self.wanted, after=after, limit=self.limit)
        async with aclosing(found):
            async for page in found:
                yield Rows(page.lines, len(page.lines), page.next, record_values=page.record_values)


@dataclass(frozen=True, slots=True)
class ReportSource:
    """Care records with the identity of the patient, as NEMSIS reports. The page of an encounter is its report, or the
    reason why it has none. The right is checked for each encounter, as the route of one report checks it, since an
    export may take longer than an entitlement lasts."""

    export: ReportExport

    async def pages(self, viewer: Actor, encounter: Encounter, _after: Place | None) -> AsyncGenerator[Rows, None]:
        if viewer.client_id is not None and viewer.organization_id is None:
            raise JobFailure("organization_required", "The app needs an organisation to read reports.")
        try:
            report = await self.export.read_for_job(viewer, encounter.id)
        except AgencyMissing as error:
            yield Rows(Refused(encounter, error), 1, None)
            return
        except CareRecordTooLarge as error:
            yield Rows(Refused(encounter, error), 1, None, record_values=CHANGES_READ_MAX)
            return
        except NotFound:
            sentence = "The tenant is not entitled to records with the identity of patients."
            raise JobFailure("insufficient_scope", sentence) from None
        incomplete = report.incomplete
        page = report if incomplete is None else Refused(encounter, incomplete)
        yield Rows(page, 1, None, identified=encounter.id, record_values=report.record_values)


def source_of(process: Process, database: Database, payload: ExportPayload, *, is_table: bool) -> Source:
    """Return the source of the data that a payload selects, as lines or as columns of a table. It reads `database`."""
    codes = None if payload.mdc_codes is None else frozenset(payload.mdc_codes)
    wanted = Wanted(device_id=payload.device_id, codes=codes)
    received = process.supplies[RECEIVED_BATCHES]
    objects = object_store_of(process.settings)
    if payload.format is ExportFormat.NEMSIS:
        return ReportSource(ReportExport(database, process.clock))
    if payload.format is ExportFormat.FHIR_NDJSON:
        resources = EncounterResources(database, Devices(process.ids), received, VisibleRecords(process.master))
        match payload.data:
            case ExportData.ENCOUNTERS:
                return EncounterResourceSource(resources)
            case ExportData.OBSERVATIONS:
                return MeasurementResourceSource(resources.observations, wanted, PAGE_ROWS)
            case ExportData.WAVEFORMS:
                waveforms = WaveformResources(database, resources, received, objects)
                return MeasurementResourceSource(waveforms.pages, wanted, PAGE_SAMPLES)
    match payload.data:
        case ExportData.ENCOUNTERS:
            return EncounterSource(is_table)
        case ExportData.OBSERVATIONS:
            observations = EncounterObservations(database, received)
            return (ObservationTableSource if is_table else ObservationSource)(observations, wanted)
        case ExportData.WAVEFORMS:
            return WaveformSource(WaveformSamples(database, WaveformBlocks(database, objects)), wanted, is_table)


def _of_encounter(encounter: Encounter, page: Page) -> list[str]:
    head = f'{{"encounter_id":"{encounter.id}",'
    return [head + line[1:] for line in page.lines]


def _rows(lines: list[str], data: ExportData, *, is_table: bool) -> Any:
    return columns_of_lines(lines, data) if is_table else lines
