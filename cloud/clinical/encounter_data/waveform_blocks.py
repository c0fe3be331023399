"""Read the waveforms of an encounter block by block, in the order of time, from packed objects and from rows.

A block is the samples of one channel that a device sent at once, usually a quarter of a second. Blocks come from the
object store; those of releases before it are in rows. Memory holds the runs of packed batches that overlap
(`PackedWalk`).
"""

import heapq
from array import array
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass

from cloud.clinical.encounter_data.selection import Wanted
from cloud.clinical.epcr import Encounters, EncounterUnknown
from cloud.clinical.observations import (
    BEFORE_ALL,
    TIME_MIN_US,
    DeviceChannel,
    EncounterRow,
    EncounterSource,
    EncounterWalks,
    KnownClock,
    PackedWalk,
    Place,
    clocks_of_sources,
    open_walks,
    sources_of_encounter,
)
from cloud.clinical.waveforms import WaveformEnvelopes
from cloud.foundation.db import Database, Transaction
from cloud.foundation.objects import ObjectStore
from cloud.foundation.viewer import Viewer
from protocols.ieee11073.nomenclature import name_of
from protocols.observation import Channel, SampleArray
from protocols.observation_record import ObservationRecord, integers_of

PAGE_RUNS = 4
"""Runs of one device that are read at once: a page of samples is some seconds, and a run is at least one."""
PAGE_ROWS = 500
"""Blocks in rows that are read at once."""


Choice = Callable[[EncounterSource, KnownClock | None], bool]
"""Returns whether the packed waveforms of a source by a clock (None: synchronised wall clocks) are to be read."""


def _all(_source: EncounterSource, _clock: KnownClock | None) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The samples of one channel that a device sent at once, as the bytes `data`. The first was taken at `at_us`, whose
    error is at most `uncertainty_us` (None: unknown). `place` is the block's place in the order of all blocks. `origin`
    is what the block was read from: a record of a packed batch, or a row."""

    place: Place
    channel: DeviceChannel
    at_us: int
    uncertainty_us: int | None
    status: int
    data: bytes
    origin: ObservationRecord | EncounterRow

    @property
    def scale(self) -> SampleArray:
        scale = self.channel.channel.array
        assert scale is not None, "a block has samples"
        return scale

    @property
    def samples(self) -> "array[int]":
        """The samples as integers."""
        return integers_of(self.data, self.scale.format)


@dataclass(frozen=True, slots=True)
class WaveformSources:
    """The sources of an encounter's waveforms (devices as carried by vehicles), their clocks, and the walks through the
    waveforms in rows."""

    sources: Sequence[EncounterSource]
    clocks: dict[int, Sequence[KnownClock]]
    rows: EncounterWalks


class WaveformBlocks:
    """Reads the blocks of encounters. `objects` is the object store of the settings."""

    def __init__(self, database: Database, objects: ObjectStore | None) -> None:
        self._database = database
        self._envelopes = WaveformEnvelopes(objects)
        self._encounters = Encounters()

    async def open(self, tx: Transaction, viewer: Viewer, encounter_id: str, wanted: Wanted) -> WaveformSources:
        """Return the sources of the waveforms that a request selects. Raises `EncounterUnknown`."""
        if await self._encounters.find(tx, viewer, encounter_id) is None:
            raise EncounterUnknown
        selection = wanted.selection(waveforms=True)
        sources = [
            one
            for one in await sources_of_encounter(tx.driver.rows, viewer, encounter_id)
            if selection.has_part_of(one)
        ]
        clocks = await clocks_of_sources(tx.driver.rows, {source.source_id for source in sources})
        rows = await open_walks(tx.driver.rows, viewer, encounter_id, selection)
        return WaveformSources(sources, dict(clocks), rows)

    async def read(
        self, opened: WaveformSources, wanted: Wanted, *, after: Place | None = None, chosen: Choice = _all
    ) -> AsyncGenerator[Block]:
        """Yield the blocks after a place (None: from the first), in order. A block of which a copy is in a row and in
        an object is yielded once. `chosen` decides which sources and clocks are read from objects."""
        async with AsyncExitStack() as stack:
            walks = [self._rows(opened.rows, after)]
            for source in opened.sources:
                for clock in (None, *opened.clocks[source.source_id]):
                    # Times of an estimated clock are certainly wrong, so its waveforms have no encounter.
                    is_dated = clock is None or clock.anchor is not None or not clock.estimated
                    if is_dated and chosen(source, clock):
                        walks.append(self._packed(source, clock, wanted, after))
            heads: list[tuple[Place, int, Block]] = []
            for number, walk in enumerate(walks):
                await stack.enter_async_context(aclosing(walk))
                await _push_next(heads, number, walk)
            last = after
            while heads:
                place, number, block = heapq.heappop(heads)
                if last is None or place > last:
                    last = place
                    yield block
                await _push_next(heads, number, walks[number])

    async def _packed(
        self, source: EncounterSource, clock: KnownClock | None, wanted: Wanted, after: Place | None
    ) -> AsyncGenerator[Block]:
        begins = [source.from_us, *(one for one in (wanted.since_us, after and after[0]) if one is not None)]
        since_us = max(begins)
        walk = PackedWalk(
            source_id=source.source_id,
            device=source.device,
            clock=clock,
            since_us=None if since_us == TIME_MIN_US else since_us,
            until_us=source.until_us if wanted.until_us is None else min(source.until_us, wanted.until_us),
            page_runs=PAGE_RUNS,
        )
        async with aclosing(walk.read(self._database, self._envelopes)) as found:
            async for place, record, _ in found:
                if record.samples is not None and record.array is not None and wanted.names(name_of(record.type)):
                    yield _of_record(place, record, source)

    async def _rows(self, walks: EncounterWalks, after: Place | None) -> AsyncGenerator[Block]:
        place: Place | None = BEFORE_ALL if after is None else after
        while place is not None:
            async with self._database.read() as tx:
                found, place = await walks.page(tx, place, PAGE_ROWS)
            for own, row in found:
                channel = walks.channels[row[4]]
                at_us, uncertainty_us = walks.time_of(row[5], row[6], row[12], row[14], row[15])
                if channel.channel.array is not None and row[10] is not None:
                    yield Block(
                        place=own,
                        channel=channel,
                        at_us=at_us,
                        uncertainty_us=uncertainty_us,
                        status=row[11],
                        data=bytes(row[10]),
                        origin=row,
                    )


def _of_record(place: Place, record: ObservationRecord, source: EncounterSource) -> Block:
    assert record.samples is not None, "only blocks of samples are chosen"
    channel = DeviceChannel(
        channel_id=0,
        source_id=source.source_id,
        device_id=source.device_id,
        device=source.device,
        channel=Channel(
            handle=record.handle,
            type=record.type,
            unit=record.unit,
            person=record.person,
            components=record.components,
            supplemental_types=record.supplemental_types,
            array=record.array,
        ),
        mdc_code=None,
        unit_ucum=None,
    )
    return Block(
        place=place,
        channel=channel,
        at_us=record.observed_at_us,
        uncertainty_us=record.uncertainty_us,
        status=record.status,
        data=record.samples,
        origin=record,
    )


async def _push_next(heads: list[tuple[Place, int, Block]], number: int, walk: AsyncGenerator[Block]) -> None:
    """Push the next block of a walk, if any, to the heap `heads`; `number` decides between equal places."""
    block = await anext(walk, None)
    if block is not None:
        heapq.heappush(heads, (block.place, number, block))
