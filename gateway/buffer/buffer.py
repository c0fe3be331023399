"""The buffer's interface for the rest of the gateway: append (returns when the data is durable), read, acknowledge.

Calls are made on the event loop's thread; a writer (`writer.py`) and a reader (`store_reader.py`) do the work, each on
its own thread (`workers.py`). Each commit notifies the loop once, whatever the number of appends in it. The queue is
bounded: an append beyond the bound is delayed (`room.py`).

A running gateway continues when its store fails (`store_in_use.py`): the failed store is set aside and a spare store
replaces it, while devices stay connected. Until the spare store is open, appends are refused; refused observations that
no device keeps are counted as lost.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from gateway.buffer import batch_reading, gaps, losses, record_marks, segments
from gateway.buffer.archive import Archive
from gateway.buffer.blocks import Block
from gateway.buffer.care_changes import StoredChanges, append_changes
from gateway.buffer.care_logs import NO_COUNTS
from gateway.buffer.errors import BufferClosed, BufferUnusable, StoreFull, Trouble
from gateway.buffer.losses import Loss
from gateway.buffer.open_store import StorePlace
from gateway.buffer.queued_items import Append, AppendBlocks
from gateway.buffer.record_marks import FetchedRecords
from gateway.buffer.room import Room
from gateway.buffer.segments import FetchedSegment
from gateway.buffer.settings import BufferSettings
from gateway.buffer.store import Store, event_block
from gateway.buffer.store_in_use import StoreInUse
from gateway.buffer.stored_records import StoredRecords
from gateway.buffer.workers import StoreThreads, StoreWorkers
from gateway.buffer.writer import tidy_step
from gateway.transports.clock import Clock
from protocols.epcr.change import FieldChange
from protocols.uplink.acks import Ack
from protocols.uplink.envelope import Batch
from protocols.uplink.events import GatewayEvent
from protocols.uplink.gaps import GapReason
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import DeviceObservations
from protocols.uplink.status import StoreState


class Buffer(StoredRecords):
    """The gateway's buffer, with the small facts and the records of its store. `close` commits the queued items.
    `archive` manages the stores that were set aside because they could not be used."""

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
        await self._append_blocks((block,))

    async def append_encoded(self, blocks: Sequence[Block]) -> None:
        """Store the observations of whole batches in one transaction; return when they are durable. For a simulated
        fleet, whose vehicles share encoded values; a gateway appends sections.

        Raises ValueError if batches stay open after a commit (`batch_s` is not 0): an encoded batch would take the
        number after an open batch, which could then not grow. Raises StoreFull when only the reserve is left; the
        caller then keeps the observations."""
        if self._store.place.settings.batch_s:
            raise ValueError("batches stay open after a commit: open the store with batch_s=0")
        await self._append_blocks(blocks)

    async def _append_blocks(self, blocks: Sequence[Block]) -> None:
        count = sum([block.count for block in blocks])
        await self._take_room(count)
        try:
            store = self._store.require()
            done = store.promise()
            store.put(AppendBlocks(blocks, done))
            await done
        except (BufferUnusable, BufferClosed) as error:
            now_us = self._store.place.clock.wall_us()
            self._count([Loss(block.lane, block.count, now_us, now_us) for block in blocks])
            raise self._store.refusal(error) from error
        finally:
            self._room.give(count)

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
