"""The buffer's interface for the rest of the gateway: append (returns when the data is durable), read, acknowledge.

Calls are made on the event loop's thread; a writer (`writer.py`) and a reader (`store_reader.py`) do the work, each on
its own thread (`workers.py`). Each commit notifies the loop once, whatever the number of appends in it. The queue is
bounded: an append beyond the bound is delayed (`room.py`).

A running gateway continues when its store fails (`store_in_use.py`): the failed store is set aside and a spare store
replaces it, while devices stay connected. Until the spare store is open, appends are refused; refused observations that
no device keeps are counted as lost.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from gateway.buffer import batch_reading, gaps, losses, record_marks, segments
from gateway.buffer.archive import Archive
from gateway.buffer.blocks import Block
from gateway.buffer.care_changes import StoredChanges, append_changes, changes_after
from gateway.buffer.care_logs import NO_COUNTS, CareLog
from gateway.buffer.errors import BufferClosed, BufferUnusable, StoreFull, Trouble
from gateway.buffer.facts import StoredFacts
from gateway.buffer.lanes import LaneMarks
from gateway.buffer.losses import Loss
from gateway.buffer.open_store import StorePlace
from gateway.buffer.queued_items import Append, AppendBlock
from gateway.buffer.reading import (
    CareRecordSpan,
    care_changes,
    care_records,
    device_decisions,
    last_sections,
    records,
    records_between,
)
from gateway.buffer.record_marks import FetchedRecords
from gateway.buffer.room import Room
from gateway.buffer.segments import FetchedSegment
from gateway.buffer.settings import BufferSettings
from gateway.buffer.store import Store, event_block
from gateway.buffer.store_in_use import StoreInUse
from gateway.buffer.store_reader import LaneGap
from gateway.buffer.workers import StoreThreads, StoreWorkers
from gateway.buffer.writer import tidy_step
from gateway.transports.clock import Clock
from protocols.clock_anchor import NO_ANCHORS, Anchors
from protocols.epcr.change import FieldChange
from protocols.epcr.device_holding import DeviceDecision
from protocols.observation_record import ObservationRecord
from protocols.uplink.acks import Ack
from protocols.uplink.envelope import Batch
from protocols.uplink.events import GatewayEvent
from protocols.uplink.gaps import GapReason
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import DeviceObservations
from protocols.uplink.status import StoreState


class Buffer(StoredFacts):
    """The gateway's buffer, with the small facts of its store. `close` commits the queued items. `archive` manages the
    stores that were set aside because they could not be used."""

    def __init__(self, place: StorePlace, *, serving: bool) -> None:
        super().__init__(StoreInUse(place, serving=serving, filled=self._fill, failed=self._refuse_pending))
        self.archive = Archive(self._store, self.append_event)
        self._room = Room(place.settings.queue_observations_max)
        self._uncounted: list[Loss] = []

    @classmethod
    async def open(
        cls,
        path: Path | str,
        *,
        gateway: str,
        key: bytes,
        settings: BufferSettings,
        clock: Clock,
        witness: Path | None = None,
        serving: bool = False,
        make_workers: Callable[[], StoreWorkers] = StoreThreads,
    ) -> "Buffer":
        """Open the store that `create_store` made. Raises BufferUnusable for a file that cannot be used, and does not
        change the file.

        `serving`: continue without a usable store. An unusable store is then set aside and replaced by a spare one;
        without any store, every call raises StoreFull until `keep` finds one. BufferUnusable then only means that
        another process writes to the store. `StorePlace` describes the other arguments.
        """
        place = StorePlace(Path(path), gateway, key, settings, clock, witness, make_workers)
        buffer = cls(place, serving=serving)
        if not serving:
            await buffer._store.open()
            return buffer
        await buffer._store.take_up()
        failure = buffer.failure
        if failure is not None and failure.trouble is Trouble.IN_USE:
            raise failure
        return buffer

    async def keep(self) -> None:
        """Replace the open store whenever it fails. While no store can be used, retry to open one. Never returns."""
        await self._store.keep()

    async def _fill(self) -> None:
        """Complete a newly opened store: record the losses that were counted while no store was open, and append the
        blocks that were saved from a restored older copy."""
        if self._uncounted:
            lost, self._uncounted = self._uncounted, []
            try:
                await self._store.task(lambda store: losses.record(store, lost))
            except StoreFull:
                self._count(lost)  # the next store that is opened records them
        for block in self.archive.take_carried():
            with suppress(StoreFull):  # `append_block` has counted the loss
                await self.append_block(block)

    def _refuse_pending(self, error: BufferUnusable) -> None:
        if not self._store.serving:
            self._room.refuse_all(error)

    @property
    def epoch(self) -> str:
        """Id of the present store, part of each batch's identity. A spare store has another id. Empty while no store is
        open."""
        return "" if self._store.present is None else self._store.present.about.epoch

    @property
    def gateway(self) -> str:
        return self._store.place.gateway

    @property
    def store_state(self) -> StoreState:
        """RESERVE while the disk is full, FULL while nothing can be recorded, otherwise OK."""
        return self._store.state

    @property
    def failure(self) -> BufferUnusable | None:
        """The reason that nothing is recorded now; None while the store works."""
        return self._store.failure

    def marks(self) -> Mapping[Lane, LaneMarks]:
        """The first, last and acknowledged sequence number of each lane (queue of batches) after the last commit. Reads
        memory only."""
        present = self._store.present
        return {lane: LaneMarks() for lane in Lane} if present is None else present.writer.marks

    def wait_for_commit(self) -> asyncio.Event:
        """Return a new event that every later commit sets. The caller clears the event before each read."""
        return self._store.wait_for_commit()

    # ---- appending

    async def append_sections(
        self,
        sections: Sequence[DeviceObservations],
        *,
        held_by_device: bool = False,
        fetched: FetchedSegment | None = None,
        records: FetchedRecords | None = None,
    ) -> None:
        """Store `sections`, each the observations of one device, in one transaction; return when they are durable. The
        transaction also stores the progress of the PM-store segment (`fetched`) or Bluetooth record store (`records`)
        that they were fetched from.

        Raises StoreFull when only the reserve is left. `held_by_device`: the device keeps refused observations, because
        its report is not confirmed. If it is False, refused observations are lost, and a gap record counts them. The
        gap record is durable before StoreFull is raised, or is written later if the reserve has no room.
        """
        count = sum([len(section.observations) for section in sections])
        if not count:
            if fetched is not None:
                await self._store.task(lambda store: segments.remember(store, fetched))
            if records is not None:
                await self._store.task(lambda store: record_marks.remember(store, records))
            return
        if held_by_device and self.store_state is StoreState.RESERVE:
            raise StoreFull("only the reserve is left, which is for events, ePCR and gap records")
        await self._take_room(count)
        try:
            along: Callable[[Store], None] | None = None
            if fetched is not None:
                along = partial(segments.write, fetched=fetched)
            elif records is not None:
                along = partial(record_marks.write, mark=records)
            store = self._store.require()
            done = store.promise()
            store.put(Append(sections, count, held_by_device, done, along))
            await done
        except (BufferUnusable, BufferClosed) as error:
            if not held_by_device:
                self._count(losses.losses_of(sections))
            raise self._store.refusal(error) from error
        finally:
            self._room.give(count)

    async def append_live(self, sections: Sequence[DeviceObservations]) -> None:
        """Store observations that no device keeps; return when the writer holds them. They are durable within `batch_s`
        (`BufferSettings`), with the commit that cuts the batches; an alarm is committed at once.

        Raises StoreFull and ProtocolError like `append_sections`. Observations that are refused after this call has
        returned, by a disk that became full meanwhile, are counted in the gap record.
        """
        count = sum([len(section.observations) for section in sections])
        if not count:
            return
        await self._take_room(count)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.add_done_callback(partial(self._end_live, sections, count))
        try:
            store = self._store.require()
            taken, done = store.promise(), store.promise(done)
            store.put(Append(sections, count, held_by_device=False, done=done, taken=taken))
            await taken
        except (BufferUnusable, BufferClosed) as error:
            if not done.done():
                done.set_exception(error)
            raise self._store.refusal(error) from error

    async def record_loss(self, lost: Sequence[Loss]) -> None:
        """Record a loss of values that were never appended; return when its gap record (NOT_STORED) is durable. Raises
        StoreFull when the reserve is used up. A running gateway then records the loss in the next store that it opens.
        """
        try:
            await self._store.task(lambda store: losses.record(store, lost, GapReason.NOT_STORED))
        except StoreFull:
            self._count(lost)
            raise

    async def append_event(self, event: GatewayEvent) -> None:
        """Store `event`; return when it is durable. While the disk is full, the event is stored in the reserve. Raises
        StoreFull when the reserve is used up too."""
        await self.append_block(event_block(event))

    async def append_block(self, block: Block) -> None:
        """Store the content of one event or ePCR batch; return when it is durable. While the disk is full, the block is
        stored in the reserve. Raises StoreFull when the reserve is used up too."""
        await self._take_room(1)
        try:
            store = self._store.require()
            done = store.promise()
            store.put(AppendBlock(block, done))
            await done
        except (BufferUnusable, BufferClosed) as error:
            now_us = self._store.place.clock.wall_us()
            self._count([Loss(block.lane, block.count, now_us, now_us)])
            raise self._store.refusal(error) from error
        finally:
            self._room.give(1)

    async def append_changes(
        self, changes: Sequence[FieldChange], counts: Mapping[str, int] = NO_COUNTS
    ) -> StoredChanges:
        """Store field changes of care records in one batch, in the reserve if the disk is full; return when they are
        durable. `counts`: number of changes of each encounter's log with these, where the caller knows it. Raises
        `ChangeIdReused` and StoreFull; nothing is stored then, and the client still has the changes."""
        return await self._store.task(lambda store: append_changes(store, changes, counts))

    async def numeric_before(self, before_us: int, not_before_us: int | None) -> tuple[str, int]:
        """Return the epoch, and the sequence number of the last batch of numerics that was stored `before_us` ago; 0
        where none was. `not_before_us`: at least the last one that was stored before this wall time."""

        def find(store: Store) -> int:
            last = store.heads[Lane.NUMERIC].last
            if before_us:
                last = store.last_before(Lane.NUMERIC, "row_kept_before", store.time.now_us() - before_us)
            if not_before_us is not None:
                last = max(last, store.last_before(Lane.NUMERIC, "row_before_time", not_before_us))
            return last

        return self.epoch, await self._store.task(find)

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

    # ---- the uplink

    async def next_batches(self, lane: Lane, *, after: int, limit_batches: int, limit_bytes: int) -> list[Batch]:
        """Return the complete batches of `lane` with sequence numbers above `after`, in order and without a hole.

        The result has at most `limit_batches` batches and about `limit_bytes` bytes, but at least one batch if there is
        any. The first batch may be a gap batch that begins at or below `after`. A batch that cannot be read is moved to
        quarantine, and a gap batch replaces it.
        """
        return await batch_reading.next_batches(
            self._store, lane, after=after, limit_batches=limit_batches, limit_bytes=limit_bytes
        )

    async def acknowledge(self, ack: Ack) -> None:
        """Record that the cloud holds everything up to `ack.through_sequence`. The next commit writes the number to the
        file. After a crash before this commit the uplink resends batches, which the cloud acknowledges at once.

        An ack of another epoch is ignored. Ranges above `through_sequence` that the cloud holds are ignored too: the
        uplink sends the missing batches below them, and the next ack then includes the ranges.
        """
        if self._store.closed:
            raise BufferClosed("the buffer is closed")
        present = self._store.present
        if present is not None and ack.epoch == self.epoch and not ack.conflict:
            present.put(ack)

    async def rewind(self, lane: Lane, through: int) -> None:
        """Set the acknowledged sequence number back to `through`, because a restored cloud holds nothing above it.
        Batches above `through` are resent; batches that the gateway has dropped are sent as gap batches, which count
        them as lost."""
        await self._store.task(lambda store: gaps.rewind(store, lane, through))

    async def flush(self) -> None:
        """Return when all that was received so far is in the file: observations, in batches that can be sent, and
        acknowledgements."""
        await self._store.task(Store.write_acks, cut=True)

    # ---- people

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

    # ---- maintenance

    async def tidy(self) -> None:
        """Run retention and full-disk recovery until nothing is left to do."""
        while await self._store.task(tidy_step):
            pass

    async def close(self) -> None:
        """Commit what is queued, then close. Later appends raise BufferClosed."""
        if self._store.closed:
            return
        self._store.closed = True
        self._room.refuse_all(BufferClosed("the buffer was closed"))
        await self.archive.close()
        await self._store.close()

    def _end_live(self, sections: Sequence[DeviceObservations], count: int, done: "asyncio.Future[None]") -> None:
        """Release the room of live observations that were committed or refused. Count them as lost if the store has
        failed."""
        self._room.give(count)
        if isinstance(done.exception(), BufferUnusable | BufferClosed):
            self._count(losses.losses_of(sections))

    async def _take_room(self, count: int) -> None:
        self._store.check_admission()
        await self._room.take(count)

    def _count(self, lost: Sequence[Loss]) -> None:
        """Add `lost` to the losses that are recorded in the next opened store, one sum for each lane."""
        if self._store.serving and not self._store.closed:
            self._uncounted = losses.sums([*self._uncounted, *lost])
