"""Reading of a buffer for people: observations, care records, decisions about devices, and gaps. Nothing is written."""

from collections.abc import AsyncIterator, Mapping, Sequence

from gateway.buffer.care_changes import changes_after
from gateway.buffer.care_logs import CareLog
from gateway.buffer.facts import StoredFacts
from gateway.buffer.lanes import LaneMarks
from gateway.buffer.reading import (
    CareRecordSpan,
    care_changes,
    care_records,
    device_decisions,
    last_sections,
    records,
    records_between,
)
from gateway.buffer.store_reader import LaneGap
from protocols.clock_anchor import NO_ANCHORS, Anchors
from protocols.epcr.change import FieldChange
from protocols.epcr.device_holding import DeviceDecision
from protocols.observation_record import ObservationRecord
from protocols.uplink.gaps import GapReason
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import DeviceObservations


class StoredRecords(StoredFacts):
    """The content of the store in use, for the gateway's screens, exports and diagnosis."""

    @property
    def epoch(self) -> str:
        """Id of the present store, part of each batch's identity. A spare store has another id. Empty while no store is
        open."""
        return "" if self._store.present is None else self._store.present.about.epoch

    def marks(self) -> Mapping[Lane, LaneMarks]:
        """The first, last and acknowledged sequence number of each lane (queue of batches) after the last commit. Reads
        memory only."""
        present = self._store.present
        return {lane: LaneMarks() for lane in Lane} if present is None else present.writer.marks

    async def records(
        self,
        *,
        lane: Lane | None = None,
        device: str | None = None,
        since_us: int | None = None,
        limit: int,
        after: int = 0,
        anchors: Anchors = NO_ANCHORS,
    ) -> AsyncIterator[ObservationRecord]:
        """Yield up to `limit` observations, lane by lane in the order of their sequence. `lane`, `device` (a system id)
        and `since_us` (earliest reception by the gateway's wall clock) select observations. None sets no condition.
        `after`: only batches above this sequence number of each lane. `anchors` as in `records_between`."""
        reader = self._store.require_or_refuse().reader
        found = records(
            reader,
            self._store.read,
            lane=lane,
            device=device,
            since_us=since_us,
            limit=limit,
            anchors=anchors,
            after=after,
        )
        async for record in found:
            yield record

    async def records_between(
        self, lane: Lane, since_us: int, until_us: int, anchors: Anchors = NO_ANCHORS
    ) -> AsyncIterator[ObservationRecord]:
        """Yield the observations of `lane` from `since_us` to `until_us` (wall time of the observation), in the order
        of their sequence."""
        reader = self._store.require_or_refuse().reader
        async for record in records_between(reader, self._store.read, lane, since_us, until_us, anchors):
            yield record

    async def care_changes(self, encounter: str) -> list[FieldChange]:
        """Return the field changes of an encounter's care record, in the order in which they were stored."""
        return await care_changes(self._store.require_or_refuse().reader, self._store.read, encounter)

    async def care_records(self) -> list[CareRecordSpan]:
        """Return the encounters that have a care record here, the one that was changed last at the end."""
        return await care_records(self._store.require_or_refuse().reader, self._store.read)

    async def device_decisions(self) -> list[DeviceDecision]:
        """Return the decisions about which care record the devices measure for, in the order of storing."""
        return await device_decisions(self._store.require_or_refuse().reader, self._store.read)

    async def last_sections(self, lane: Lane, blocks: int) -> list[DeviceObservations]:
        """Return the observations of the last `blocks` blocks of `lane`, in the order of their storage."""
        reader = self._store.require_or_refuse().reader
        found: list[DeviceObservations] = await self._store.read(
            last_sections, reader, lane, self.marks()[lane].last, blocks
        )
        return found

    @property
    def gap_revision(self) -> object:
        """A value that changes whenever `gaps` or `quarantined` may return something else. It is cheap to compare."""
        present = self._store.present
        return None if present is None else (self.epoch, present.gap_revision)

    async def gaps(self, *, delivered: bool = False) -> list[LaneGap]:
        """Return the gap records (in place of lost or dropped batches) lane by lane, oldest first. `delivered`: include
        the records of batches that were dropped after the cloud had acknowledged them."""
        found = await self._store.read(self._store.require_or_refuse().reader.gaps)
        return [each for each in found if delivered or each.gap.why is not GapReason.RETENTION]

    async def quarantined(self) -> int:
        """Return the number of damaged blocks in the store's `quarantine` table."""
        return await self._store.read(self._store.require_or_refuse().reader.quarantined)

    async def care_logs(self, encounters: Sequence[str]) -> dict[str, CareLog]:
        """Return what the store knows of the logs of these encounters (`care_logs`); an unknown one is left out. Raises
        StoreFull without a store."""
        reader = self._store.require_or_refuse().reader
        found: dict[str, CareLog] = await self._store.read(reader.care_logs, encounters)
        return found

    async def changes_after(self, sequence: int) -> tuple[int, list[FieldChange]]:
        """Return the next stored field changes above a sequence number of their lane, a page at a time, and the number
        up to which the lane was read. Nothing follows when it is the given one. Raises StoreFull without a store."""
        reader = self._store.require_or_refuse().reader
        found: tuple[int, list[FieldChange]] = await self._store.read(changes_after, reader, sequence)
        return found
