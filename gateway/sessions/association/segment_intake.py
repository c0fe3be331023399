"""Intake of PM-store entries: they become durable together with the progress of their segment.

A device may resend its PM-store, or may have reported an entry live as well. An entry with a date that a working clock
could give (`credible_dates`) gets a content key (DESIGN D3), by which the cloud drops duplicates. An entry without such
a date is recognised by its position in the segment; the progress is stored for this purpose.

Entries do not show the present state of a device's clock, so they never update the estimate of the clock. The times of
entries are computed from the known relation of the clock. If the device reports that it has adjusted its clock since it
stored the entries, the adjustment is added. Entries are not shown on the crew page, which shows present values.
"""

from collections.abc import Iterator, Sequence

import structlog

from gateway.buffer import Buffer
from gateway.buffer.errors import StoreFull
from gateway.buffer.losses import losses_of
from gateway.buffer.segments import FetchedSegment
from gateway.sessions.clocks.clock_relation import UNKNOWN, ClockRelation
from gateway.sessions.clocks.credible_dates import DATES, find_keyed_in_memory
from gateway.sessions.clocks.device_clock import DeviceClocks
from gateway.sessions.formless import part_by_form
from gateway.sessions.journal import Journal
from gateway.sessions.sections import Placed, cut_sections, placed_by
from gateway.transports.clock import Instant
from protocols.device_time import TimeKind
from protocols.errors import ProtocolError
from protocols.ieee11073.association.fetched_segments import RememberedSegments, SegmentKey, SegmentProgress
from protocols.ieee11073.association.segment_events import SegmentDataReceived, SegmentNotFetched, SegmentsCleared
from protocols.observation import Observation
from protocols.uplink.observations import DeviceObservations, DeviceRef

log = structlog.get_logger()


class SegmentIntake:
    """Intake of PM-store entries for all sessions of one gateway. `fetched`: the durable progress of each segment; the
    associations read it to continue a fetch."""

    def __init__(self, store: Buffer, clocks: DeviceClocks, journal: Journal) -> None:
        self.fetched = RememberedSegments()
        self._store = store
        self._clocks = clocks
        self._journal = journal

    def load(self, rows: list[FetchedSegment]) -> None:
        """Load the fetch progress of PM-store segments that was durable when the gateway started."""
        for key, progress in rows:
            self.fetched.note(key, progress)

    async def store(
        self, event: SegmentDataReceived, device: DeviceRef, instant: Instant, *, wall_synchronised: bool
    ) -> bool:
        """Store the entries of one segment data event. Return whether they are durable now."""
        key = SegmentKey(bytes.fromhex(device.system_id), event.store, event.segment)
        progress = self._progress(key, event)
        known = self.fetched.progress(key)
        fetched = None if progress is None or progress == known else FetchedSegment(key, progress)
        sections = list(self._sections(event, device, instant, wall_synchronised=wall_synchronised))
        try:
            await self._store.append_sections(sections, held_by_device=event.confirmed, fetched=fetched)
        except StoreFull:
            await self._journal.record("store.refused_entries", device.system_id, entries=event.entries)
            return False
        except ProtocolError:
            if not await self._store_what_has_form(sections, event, device, fetched):
                return False
        if progress is not None:
            self.fetched.note(key, progress)
        if event.last:
            await self._journal.record(
                "memory.segment_fetched",
                device.system_id,
                store=event.store,
                segment=event.segment,
                entries=event.first_entry + event.entries,
                whole=bool(progress is not None and progress.state),
            )
        return True

    async def _store_what_has_form(
        self,
        sections: Sequence[DeviceObservations],
        event: SegmentDataReceived,
        device: DeviceRef,
        fetched: FetchedSegment | None,
    ) -> bool:
        """Store the entries that the record format can represent, and count the other entries in a gap record, so that
        these do not stop the fetch. Return False if the store is full."""
        parted = part_by_form(sections)
        try:
            await self._store.record_loss(losses_of(parted.formless))
            await self._store.append_sections(parted.formed, held_by_device=event.confirmed, fetched=fetched)
        except StoreFull:
            await self._journal.record("store.refused_entries", device.system_id, entries=event.entries)
            return False
        log.error("store.no_form", device=device.system_id, why=parted.why)
        await self._journal.record(
            "store.no_form", device.system_id, observations=parted.formless_count, kept=False, why=parted.why
        )
        return True

    async def note(self, event: SegmentNotFetched | SegmentsCleared, system_id: str) -> None:
        """Record that a segment could not be fetched, or that the device cleared segments."""
        if isinstance(event, SegmentNotFetched):
            await self._journal.record(
                "memory.not_fetched", system_id, store=event.store, segment=event.segment, why=event.why.value
            )
            return
        keys = [SegmentKey(bytes.fromhex(system_id), event.store, segment) for segment in event.segments]
        for key in keys:
            self.fetched.forget(key)
        try:
            await self._store.forget_segments(keys)
        except StoreFull:
            # The progress stays. At worst it is applied to another segment with the same number, start and length.
            log.warning("memory.mark_kept", device=system_id, segments=len(keys))
        await self._journal.record("memory.cleared", system_id, store=event.store, segments=len(keys))

    def _progress(self, key: SegmentKey, event: SegmentDataReceived) -> SegmentProgress | None:
        """Return the fetch progress of the segment after `event`. Return None if entries before `event` are not
        durable."""
        known = self.fetched.progress(key)
        had = known.through if known is not None and known.identity == event.identity else 0
        if event.first_entry > had:
            return None
        return SegmentProgress(event.identity, event.through, event.whole)

    def _sections(
        self, event: SegmentDataReceived, device: DeviceRef, instant: Instant, *, wall_synchronised: bool
    ) -> Iterator[DeviceObservations]:
        received_us = round(event.received_s * 1_000_000)
        keyed: Sequence[bool] = find_keyed_in_memory(
            event.observations, instant.wall_us, synchronised=wall_synchronised
        )

        def place(kind: TimeKind | None, run: Sequence[Observation]) -> Placed:
            return self._placed(event, device, kind, run, received_us)

        return cut_sections(
            event.observations, keyed, place, device, instant, received_us, wall_synchronised=wall_synchronised
        )

    def _placed(
        self,
        event: SegmentDataReceived,
        device: DeviceRef,
        kind: TimeKind | None,
        observations: Sequence[Observation],
        received_us: int,
    ) -> Placed:
        """Yield `observations` in pieces, each with the relation that converts the device's times to the gateway's
        clock."""
        if kind is None or kind not in DATES:
            # Counters restart with each power-on, and a PM-store does not name the power-on of its entries.
            yield UNKNOWN, observations
            return
        clock = self._clocks.clock(device.system_id, kind)
        if not event.adjustment_us:
            yield from placed_by(clock, observations, received_us, live=False)
            return
        # The device itself reports how these times relate to the present state of its clock.
        now = clock.relation()
        offset_us = None if now.offset_us is None else now.offset_us + event.adjustment_us
        yield ClockRelation(offset_us, now.uncertainty_us), observations
