"""Read the observations of one source (a device as carried by one vehicle) from packed waveforms, in order of time.

A walk covers one clock of the gateway. Its runs come in the order of their earliest times, and runs may overlap, so an
observation is returned when no later run can have an earlier one. Memory holds the runs that overlap and the next
`PAGE_RUNS`.
"""

import heapq
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat

from cloud.clinical.observations.clocks import KnownClock
from cloud.clinical.waveforms import ClockOfSource, StoredRun, WaveformEnvelopes, WaveformIndex
from cloud.foundation.db import Database
from cloud.foundation.errors import DomainError
from cloud.foundation.objects import ObjectDamaged
from protocols.errors import RemoteProtocolError
from protocols.observation_record import ObservationRecord, records_of
from protocols.uplink.channels import DeviceRef
from protocols.uplink.envelope import decode_envelope
from protocols.uplink.observations import DeviceObservations, decode_block

PAGE_RUNS = 16
"""Runs of a page, read at once: some seconds of a vehicle's waveforms, at most 16 MB."""

Place = tuple[int, int, int, int]
"""Position of an observation: its time, sequence, position in its batch, and lane id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedWalk:
    """The observations of a device by one clock. `clock` None: by the gateway's synchronised wall clock. The walk
    covers the time from `since_us` until before `until_us`, and reads `page_runs` runs at once."""

    source_id: int
    device: DeviceRef
    clock: KnownClock | None
    since_us: int | None
    until_us: int | None = None
    page_runs: int = PAGE_RUNS

    @property
    def _of_clock(self) -> ClockOfSource:
        clock = self.clock
        return ClockOfSource(
            source_id=self.source_id,
            clock_id=0 if clock is None else clock.clock_id,
            by_monotonic=self._offset_us is not None,
        )

    @property
    def _offset_us(self) -> int | None:
        """The offset from the clock on which the runs are ordered to wall time; None if they are ordered by it."""
        anchor = None if self.clock is None else self.clock.anchor
        return None if anchor is None else anchor.offset_us

    async def read(
        self, database: Database, envelopes: WaveformEnvelopes
    ) -> AsyncGenerator[tuple[Place, ObservationRecord, int]]:
        """Yield each observation with its place and the time when the cloud stored it. Raises `ObjectMissing`,
        `ObjectDamaged` and `ObjectStoreUnavailable` for a run that cannot be read."""
        index, of_clock, offset_us = WaveformIndex(), self._of_clock, self._offset_us or 0
        since_us = None if self.since_us is None else self.since_us - offset_us
        held: list[tuple[Place, ObservationRecord, int]] = []
        after = of_clock.before_all
        while True:
            async with database.read() as tx:
                page = await index.of_clock(tx, of_clock, after=after, since_us=since_us, limit=self.page_runs)
            ended = len(page) < self.page_runs
            if self.until_us is not None:
                due = [one for one in page if one[0][0] + offset_us < self.until_us]
                ended, page = ended or len(due) < len(page), due
            begins = [begin + offset_us for (begin, *_), _ in page]
            found = envelopes.read_all([stored for _, stored in page])
            for begin_us in begins:
                stored, read = await anext(found)
                if isinstance(read, DomainError):
                    raise read
                while held and held[0][0][0] < begin_us:
                    yield heapq.heappop(held)
                for one in self._records(stored, read):
                    heapq.heappush(held, one)
            if ended:
                break
            after = page[-1][0]
        while held:
            yield heapq.heappop(held)

    def _records(self, stored: StoredRun, envelopes: Sequence[bytes]) -> Iterator[tuple[Place, ObservationRecord, int]]:
        clock, run = self.clock, stored.run
        anchors = {} if clock is None or clock.anchor is None else {clock.boot_id: clock.anchor}
        for envelope in envelopes:
            try:
                batch = decode_envelope(envelope).batch
                sections = decode_block(batch.payload, announced_count=batch.count)
            except RemoteProtocolError as error:
                # It was decoded when it arrived, and its CRC-32 is right.
                raise ObjectDamaged(f"({stored.object_name}: {error})") from None
            records = records_of(
                sections,
                gateway=batch.gateway,
                epoch=batch.epoch,
                lane=batch.lane,
                sequence=batch.sequence,
                anchors=anchors,
            )
            owners = chain.from_iterable(repeat(section, len(section.observations)) for section in sections)
            for section, record in zip(owners, records, strict=True):
                if self._is_mine(section) and self._is_due(record.observed_at_us):
                    place = (record.observed_at_us, record.sequence, record.index, run.lane_id)
                    yield place, record, run.stored_at_us

    def _is_due(self, at_us: int) -> bool:
        late = self.since_us is None or at_us >= self.since_us
        return late and (self.until_us is None or at_us < self.until_us)

    def _is_mine(self, section: DeviceObservations) -> bool:
        if section.device != self.device:
            return False
        if section.wall_synchronised or self.clock is None:
            return section.wall_synchronised and self.clock is None
        known = section.device_offset_us is not None
        return (section.boot_id, known) == (self.clock.boot_id, self.clock.device_known)
