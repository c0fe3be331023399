"""Read the envelope of an encounter's waveforms, a page of intervals at a time.

The envelope of packed waveforms comes from the indexes at the ends of their objects, without their samples. Samples are
read and summarised only where an index does not suffice: for waveforms in rows, for those of a gateway that did not
know the time (an index has the times that the gateway sent), and for an object that also has samples of the same device
in another vehicle or organisation, or that is not summarised as a whole.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace

from cloud.clinical.encounter_data.envelope import MINUTE_US, SECOND_US, Envelope, Interval, Window
from cloud.clinical.encounter_data.page import Page
from cloud.clinical.encounter_data.selection import Wanted
from cloud.clinical.encounter_data.waveform_blocks import Block, WaveformBlocks, WaveformSources
from cloud.clinical.observations import EncounterSource, KnownClock, is_mixed
from cloud.clinical.waveforms import (
    ChannelKey,
    ClockOfSource,
    ObjectOfSource,
    SampleBlocks,
    Summarising,
    WaveformEnvelopes,
    WaveformIndex,
)
from cloud.foundation.db import Database, Transaction
from cloud.foundation.objects import ObjectStore
from cloud.foundation.viewer import Viewer
from protocols.ieee11073.nomenclature import name_of

RUNS_MAX = 2_048
"""Runs of one device of which a page reads the indexes: those of a day in objects of a quarter of an hour are about
500, and with an object each second, a page takes some seconds."""
BLOCKS_MAX = 20_000
"""Blocks of samples that a page reads where the indexes do not suffice: some minutes of a vehicle."""
BLOCK_US_MAX = 60 * SECOND_US
"""Longest time of a block that is looked for before the beginning of a page, and after the last block's beginning."""

Position = tuple[int, int, int]
"""The window of the rest: its beginning, its end and the seconds of an interval."""


class WaveformEnvelope:
    """Reads pages of envelopes. `objects` is the object store of the settings."""

    def __init__(self, database: Database, objects: ObjectStore | None, blocks: WaveformBlocks) -> None:
        self._database = database
        self._objects = WaveformEnvelopes(objects)
        self._blocks = blocks
        self._index = WaveformIndex()

    async def page(
        self, viewer: Viewer, encounter_id: str, wanted: Wanted, *, points: int, after: Position | None
    ) -> Page:
        """Return the envelope from a position on (None: from the beginning), with at most `points` intervals in all
        pages together. Raises `EncounterUnknown`."""
        async with self._database.read() as tx:
            opened = await self._blocks.open(tx, viewer, encounter_id, wanted)
            whole = await self._window(tx, opened, wanted, points) if after is None else Window(*after)
            if whole is None:
                return Page([], None)
            window = await self._limited(tx, opened, whole)
            objects, sampled = await self._objects_of(tx, opened, window)
        envelope = await self._of_samples(opened, wanted, window, sampled)
        for source_id, found in objects.items():
            if source_id not in sampled:
                await self._add_indexes(envelope, opened, wanted, source_id, found)
        stop_us = envelope.window.until_us
        if stop_us >= whole.until_us:
            return Page(envelope.lines(is_last=True), None)
        return Page(envelope.lines(), (stop_us, whole.until_us, whole.interval_s))

    async def _window(self, tx: Transaction, opened: WaveformSources, wanted: Wanted, points: int) -> Window | None:
        """Return the window of the whole envelope; None if there are no waveforms."""
        found: list[Interval] = []
        for source in opened.sources:
            for clock in (None, *opened.clocks[source.source_id]):
                anchor = None if clock is None else clock.anchor
                of_clock = ClockOfSource(
                    source_id=source.source_id,
                    clock_id=0 if clock is None else clock.clock_id,
                    by_monotonic=anchor is not None,
                )
                extent = await self._index.extent(tx, of_clock)
                if extent is not None:
                    offset_us = 0 if anchor is None else anchor.offset_us
                    found.append(_within(source, extent[0] + offset_us, extent[1] + offset_us + BLOCK_US_MAX))
        extent = await opened.rows.extent(tx)
        if extent is not None:
            found.append((extent[0], extent[1] + BLOCK_US_MAX))
        cut = [one for one in (_cut(each, wanted) for each in found) if one[0] < one[1]]
        if not cut:
            return None
        return Window.of(min(begin for begin, _ in cut), max(end for _, end in cut), points)

    async def _limited(self, tx: Transaction, opened: WaveformSources, window: Window) -> Window:
        """Return the intervals of a window of which one page reads the indexes."""
        for source_id in {source.source_id for source in opened.sources}:
            begin_us = window.from_us - BLOCK_US_MAX
            stop_us = await self._index.nth_run(tx, source_id, begin_us, window.until_us, RUNS_MAX)
            if stop_us is not None:
                window = window.until(stop_us)
        return window

    async def _objects_of(
        self, tx: Transaction, opened: WaveformSources, window: Window
    ) -> tuple[dict[int, list[ObjectOfSource]], set[int]]:
        """Return the objects of each source in a window, and the sources whose samples must be read."""
        objects: dict[int, list[ObjectOfSource]] = {}
        sampled: set[int] = set()
        for source in {source.source_id: source for source in opened.sources}.values():
            source_id, begin_us = source.source_id, window.from_us - BLOCK_US_MAX
            found = await self._index.objects_of_source(tx, source_id, begin_us, window.until_us)
            objects[source_id] = found
            if await self._index.has_own_clock(tx, source_id, begin_us, window.until_us) or await is_mixed(
                tx, source, [one.object_id for one in found]
            ):
                sampled.add(source_id)
        return objects, sampled

    async def _of_samples(
        self, opened: WaveformSources, wanted: Wanted, window: Window, sampled: Collection[int]
    ) -> Envelope:
        """Return the envelope of the samples that are not read from indexes. Its window ends earlier if they are
        many."""
        summaries: dict[int, Summarising] = {}

        def is_chosen(source: EncounterSource, clock: KnownClock | None) -> bool:
            return clock is not None or source.source_id in sampled

        begin_us, count = window.from_us - BLOCK_US_MAX, 0
        near = replace(wanted, since_us=max(begin_us, wanted.since_us or begin_us), until_us=window.until_us)
        async with aclosing(self._blocks.read(opened, near, chosen=is_chosen)) as found:
            async for block in found:
                count += 1
                if count > BLOCKS_MAX and block.at_us >= window.from_us + window.interval_us:
                    window = window.until(block.at_us)
                    break
                _add_block(summaries, block)
        envelope = Envelope(window)
        self._add_summaries(envelope, opened, wanted, summaries)
        return envelope

    async def _add_indexes(
        self,
        envelope: Envelope,
        opened: WaveformSources,
        wanted: Wanted,
        source_id: int,
        objects: Sequence[ObjectOfSource],
    ) -> None:
        """Add the extremes of a source in these objects, from the objects' indexes."""
        intervals = _intervals(opened, wanted, source_id)
        sources = [one for one in opened.sources if one.source_id == source_id]
        device_id, system_id = sources[0].device_id, sources[0].device.system_id
        due = [one for one in objects if one.from_us < envelope.window.until_us]
        seconds = [envelope.window.needs_seconds or _is_cut(one, intervals) for one in due]
        listed = [(one.object, each) for one, each in zip(due, seconds, strict=True)]
        incomplete: list[ObjectOfSource] = []
        read = self._objects.read_indexes(listed)
        for one in due:
            _, index = await anext(read)
            for summary in index.summaries:
                if summary.system_id == system_id and wanted.names(name_of(summary.type)):
                    envelope.add(summary, device_id, intervals)
            if not index.summarised:
                incomplete.append(one)
        for one in incomplete:
            summaries: dict[int, Summarising] = {}
            near = replace(wanted, since_us=one.from_us, until_us=one.until_us + 1)
            only = replace(opened, sources=sources)
            async with aclosing(self._blocks.read(only, near, chosen=lambda _, clock: clock is None)) as found:
                async for block in found:
                    _add_block(summaries, block)
            self._add_summaries(envelope, opened, wanted, summaries)

    def _add_summaries(
        self, envelope: Envelope, opened: WaveformSources, wanted: Wanted, summaries: Mapping[int, Summarising]
    ) -> None:
        device_ids = {source.source_id: source.device_id for source in opened.sources}
        for source_id, summarising in summaries.items():
            for summary in summarising.end().channels():
                envelope.add(summary, device_ids[source_id], _intervals(opened, wanted, source_id))


def _add_block(summaries: dict[int, Summarising], block: Block) -> None:
    channel = block.channel
    key = ChannelKey("", channel.device, channel.channel)
    blocks = SampleBlocks([key], [0], [block.at_us], [block.data])
    summaries.setdefault(channel.source_id, Summarising()).add(blocks)


def _within(source: EncounterSource, from_us: int, until_us: int) -> Interval:
    return max(from_us, source.from_us), min(until_us, source.until_us)


def _cut(interval: Interval, wanted: Wanted) -> Interval:
    """Return the part of an interval that a request selects; empty if its end is not after its beginning."""
    from_us, until_us = interval
    return (
        from_us if wanted.since_us is None else max(from_us, wanted.since_us),
        until_us if wanted.until_us is None else min(until_us, wanted.until_us),
    )


def _intervals(opened: WaveformSources, wanted: Wanted, source_id: int) -> list[Interval]:
    """Return the intervals in which the waveforms of a source belong to the encounter and are selected."""
    own = (source for source in opened.sources if source.source_id == source_id)
    return [_cut((source.from_us, source.until_us), wanted) for source in own]


def _is_cut(found: ObjectOfSource, intervals: Sequence[Interval]) -> bool:
    """Return whether an interval begins or ends in the time of an object, so that minutes do not suffice."""
    begin_us, end_us = found.from_us - MINUTE_US, found.until_us + BLOCK_US_MAX + MINUTE_US
    return any(begin_us < edge_us < end_us for interval in intervals for edge_us in interval)
