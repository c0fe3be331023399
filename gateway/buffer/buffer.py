"""The gateway's buffer as the rest of the gateway sees it: append and return when it is durable, read, acknowledge.

The calls are made on the loop's thread and hand over to two others: the writer (`writer.py`) and a reader
(`outbox.py`). One hand-over a commit comes back, whatever the number of appends in it. What waits is bounded: an
append beyond the bound waits itself (`room.py`).

A gateway's buffer outlives its store (`serve`, `keep`): a store that fails is set aside and exchanged for a spare one
(`spare_store.py`) while devices are served. What comes in between is refused, and counted where no device keeps it.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakSet

import structlog

from gateway.buffer import ble_devices, damage, device_reports, devices, losses, record_marks, rewinding, segments
from gateway.buffer.ble_devices import PairedDevice
from gateway.buffer.blocks import Block
from gateway.buffer.carried_blocks import blocks_since_opening
from gateway.buffer.devices import KnownConfiguration, KnownDevice
from gateway.buffer.errors import BufferClosed, BufferError, BufferUnusable, StoreFull, Trouble
from gateway.buffer.lanes import LaneMarks
from gateway.buffer.losses import Loss
from gateway.buffer.open_store import OpenedFiles, OpenStore, Place, open_files
from gateway.buffer.outbox import LaneGap
from gateway.buffer.reading import records
from gateway.buffer.record_marks import FetchedRecords
from gateway.buffer.recovered_store import RecoveredStore, unsent_paths
from gateway.buffer.recovery import save_unsent
from gateway.buffer.refusals import KEEP, refused
from gateway.buffer.room import Room
from gateway.buffer.segments import FetchedSegment
from gateway.buffer.set_aside import SetAsideRecord, set_aside_records
from gateway.buffer.settings import BufferSettings
from gateway.buffer.spare_store import open_or_replace
from gateway.buffer.store import Store, event_block
from gateway.buffer.writer import Append, AppendBlock, tidy_step
from gateway.transports.clock import Clock
from protocols.ieee11073.association.fetched_segments import SegmentKey
from protocols.observation_record import ObservationRecord
from protocols.uplink.acks import Ack
from protocols.uplink.envelope import Batch
from protocols.uplink.events import GatewayEvent
from protocols.uplink.gaps import GapReason
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import DeviceObservations
from protocols.uplink.status import StoreState

T = TypeVar("T")

RETRY_S = 5.0
"""Interval at which a gateway without a store looks for one: a disk that is mounted late is in use within seconds, and
a look costs two system calls."""

CARRY_READINGS_MAX = 8
"""Devices go on measuring while it is read what to carry over, so it is read again until nothing came in between."""

RECOVER_EVERY_S = 10.0
"""Interval at which the state folder is checked for a set-aside store that was not read yet; the check is cheap."""

REPLACE_EVERY_S = 60.0
"""A store that fails within a minute after it took another's place says that the disk is failing; then the next one
waits for the next look, so that a dying disk is not filled with set-aside files."""

log = structlog.get_logger()

HEALINGS_MAX = 8
"""Damaged places that one reading passes before it returns what it has; the next reading goes on."""


class Buffer:
    """The store in use. Made by `open` (that one store or nothing) or by `serve` (a spare one where it must be, none
    where nothing can be written); `close` commits what waits."""

    def __init__(self, place: Place, *, serving: bool) -> None:
        self._place = place
        self._serving = serving
        self._current: OpenStore | None = None
        self._room = Room(place.settings.queue_observations_max)
        self._wakes: WeakSet[asyncio.Event] = WeakSet()
        self._failed = asyncio.Event()
        self._why: BufferUnusable | None = None
        self._unreliable: BufferUnusable | None = None
        """Why the store that was open must not be opened again, until it is set aside."""
        self._replaced_s = -REPLACE_EVERY_S
        self._uncounted: list[Loss] = []
        self._carried: list[Block] = []
        self._recovered: RecoveredStore | None = None
        self._closed = False

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
    ) -> "Buffer":
        """Open the store that `create_store` made. BufferUnusable says why it cannot be worked with; it is left as it
        was."""
        place = Place(path=Path(path), gateway=gateway, key=key, settings=settings, clock=clock, witness=witness)
        buffer = cls(place, serving=False)
        buffer._use(await asyncio.to_thread(open_files, place))
        return buffer

    @classmethod
    async def serve(
        cls,
        path: Path | str,
        *,
        gateway: str,
        key: bytes,
        settings: BufferSettings,
        clock: Clock,
        witness: Path | None = None,
    ) -> "Buffer":
        """The same for a gateway, which goes on whatever became of its store: one that cannot be used is set aside and
        a spare one begun; where there is none at all, everything is refused as on a full disk, until `keep` finds one.
        BufferUnusable only when another process writes to the store."""
        place = Place(path=Path(path), gateway=gateway, key=key, settings=settings, clock=clock, witness=witness)
        buffer = cls(place, serving=True)
        await buffer._take_up()
        if buffer._why is not None and buffer._why.trouble is Trouble.IN_USE:
            raise buffer._why
        return buffer

    async def keep(self) -> None:
        """Run beside the rest: exchange a store that failed, and look for one while there is none. Never returns."""
        while True:
            await self._failed.wait()
            if self._current is not None:
                failed, self._current = self._current, None
                await failed.close()
            now_s = self._place.clock.monotonic_s()
            wait_s = RETRY_S if self._replaced_s + REPLACE_EVERY_S > now_s else 0.0
            await self._place.clock.sleep_until(now_s + wait_s)
            await self._take_up()
            if self._current is None:
                await self._place.clock.sleep_until(self._place.clock.monotonic_s() + RETRY_S)

    async def _take_up(self) -> None:
        """Use the store that is there, or its replacement; where there is none, keep the reason."""
        try:
            files, aside = await asyncio.to_thread(open_or_replace, self._place, self._unreliable)
        except BufferUnusable as error:
            # Another gateway on this store is said by who is refused for it.
            if (self._why is None or error.trouble is not self._why.trouble) and error.trouble is not Trouble.IN_USE:
                log.error("buffer.no_store", why=str(error))
            self._why = error
            self._failed.set()
            return
        if aside is not None:
            log.error("buffer.store_set_aside", file=aside.path.name, why=aside.why, epoch=files.store.about.epoch)
            self._replaced_s = self._place.clock.monotonic_s()
        self._why = self._unreliable = None
        self._failed.clear()
        self._use(files)
        if self._uncounted:
            lost, self._uncounted = self._uncounted, []
            with suppress(StoreFull):
                await self._task(lambda store: losses.record(store, lost))
        carried, self._carried = self._carried, []
        for block in carried:
            with suppress(StoreFull):  # counted there
                await self.append_block(block)
        self._wake()

    def _use(self, files: OpenedFiles) -> None:
        self._current = OpenStore(self._place, files, wake=self._wake, failed=self._store_failed)

    def _store_failed(self, error: BufferUnusable) -> None:
        self._why = error
        if error.trouble.sets_aside:
            self._unreliable = error
        if not self._serving:
            self._room.refuse_all(error)
        self._failed.set()

    @property
    def epoch(self) -> str:
        """Minted when the store was created; half of every batch's identity. It changes when a spare store takes the
        place of this one; empty while there is none."""
        return self._current.about.epoch if self._current is not None else ""

    @property
    def gateway(self) -> str:
        return self._place.gateway

    @property
    def store_state(self) -> StoreState:
        """OK; RESERVE while the disk is full; FULL while nothing can be recorded at all."""
        if self._current is None or self._current.failure is not None:
            return StoreState.FULL
        return self._current.writer.state

    @property
    def failure(self) -> BufferUnusable | None:
        """Why nothing is recorded now; None while the store works."""
        return self._why

    async def recover_set_aside(self) -> None:
        """Run beside the rest: save the unsent batches of each store that was set aside, so that the uplink sends them.
        Never returns."""
        while True:
            for aside in await asyncio.to_thread(self.set_aside):
                if aside.waits_for_recovery and self._current is not None:
                    await self._recover(aside)
            await self._place.clock.sleep_until(self._place.clock.monotonic_s() + RECOVER_EVERY_S)

    async def _recover(self, aside: SetAsideRecord) -> None:
        try:
            outcome = await asyncio.to_thread(save_unsent, self._place, aside)
        except (BufferError, OSError, sqlite3.Error) as error:
            log.warning("buffer.not_recovered", file=aside.path.name, why=str(error))
            return
        clock = self._place.clock
        with suppress(StoreFull):
            await self.append_event(
                GatewayEvent(
                    name="store.recovered",
                    at_us=clock.wall_us(),
                    boot_id=clock.boot_id,
                    device=None,
                    fields={"file": aside.path.name, **outcome.fields()},
                )
            )

    async def begin_epoch(self) -> None:
        """The store in use is an older copy that was put back: it is set aside and a new epoch begins (`keep`), with
        what was measured since it was opened, because the cloud cannot have that."""
        store = self._store_in_use()
        for _ in range(CARRY_READINGS_MAX):
            marks = store.writer.marks
            with suppress(StoreFull):
                self._carried = await self._read(blocks_since_opening, store)
            if store.writer.marks == marks:
                break
        store.fail(
            refused(
                self._place.path,
                f"is an older copy: the cloud holds a later history of its epoch {store.about.epoch}",
                KEEP,
                Trouble.FORKED,
            )
        )

    async def recovered(self) -> RecoveredStore | None:
        """The oldest recovered store that is not with the cloud yet, for the uplink."""
        if self._recovered is not None and not self._recovered.settled:
            return self._recovered
        for path in await asyncio.to_thread(unsent_paths, self._place.path):
            try:
                self._recovered = RecoveredStore(path, gateway=self._place.gateway, key=self._place.key)
                return self._recovered
            except BufferUnusable as error:
                log.error("buffer.recovered_unusable", file=path.name, why=str(error))
        return None

    def set_aside(self) -> list[SetAsideRecord]:
        """The stores that lie set aside beside this one, oldest first."""
        return set_aside_records(self._place.path)

    def marks(self) -> Mapping[Lane, LaneMarks]:
        """Where each lane stands after the last commit. Costs nothing."""
        return self._current.writer.marks if self._current is not None else {lane: LaneMarks() for lane in Lane}

    def wait_for_commit(self) -> asyncio.Event:
        """An event of the caller's own that every commit sets from now on: clear it, read, and wait when there was
        nothing to read."""
        wake = asyncio.Event()
        self._wakes.add(wake)
        return wake

    # ---- appending

    async def append(
        self,
        sections: Sequence[DeviceObservations],
        *,
        held_by_device: bool = False,
        fetched: FetchedSegment | None = None,
        records: FetchedRecords | None = None,
    ) -> None:
        """Return when `sections` are durable, all of them in one transaction, and with them how far the segment that
        they come from is `fetched`, or how far the record store (`records`).

        Raises StoreFull when only the reserve is left. `held_by_device`: the device keeps what is refused (a confirmed
        report); otherwise what is refused is gone, and a durable gap record has counted it before StoreFull is raised.
        """
        count = sum([len(section.observations) for section in sections])
        if not count:
            if fetched is not None:
                await self._task(lambda store: segments.remember(store, fetched))
            if records is not None:
                await self._task(lambda store: record_marks.remember(store, records))
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
            store = self._in_use()
            done = store.promise()
            store.put(Append(sections, count, held_by_device, done, along))
            await done
        except (BufferUnusable, BufferClosed) as error:
            if not held_by_device:
                self._count(losses.losses_of(sections))
            raise self._refusal(error) from error
        finally:
            self._room.give(count)

    async def record_loss(self, lost: Sequence[Loss]) -> None:
        """Return when a gap record of reason NOT_STORED counts values that were received and are in no append. Raises
        StoreFull when not even the reserve has room, and then counts them as soon as there is."""
        try:
            await self._task(lambda store: losses.record(store, lost, GapReason.NOT_STORED))
        except StoreFull:
            self._count(lost)
            raise

    async def append_event(self, event: GatewayEvent) -> None:
        """Return when `event` is durable, on a full disk by the reserve. StoreFull when that is used up too."""
        await self.append_block(event_block(event))

    async def append_block(self, block: Block) -> None:
        """The same for any batch content of the lanes that the reserve is for."""
        await self._take_room(1)
        try:
            store = self._in_use()
            done = store.promise()
            store.put(AppendBlock(block, done))
            await done
        except (BufferUnusable, BufferClosed) as error:
            now_us = self._place.clock.wall_us()
            self._count([Loss(block.lane, block.count, now_us, now_us)])
            raise self._refusal(error) from error
        finally:
            self._room.give(1)

    # ---- the uplink

    async def next_batches(self, lane: Lane, *, after: int, limit_batches: int, limit_bytes: int) -> list[Batch]:
        """The committed batches of `lane` that cover what is above `after`, in order and without a hole: at least one
        where there is one, otherwise within the limits. A gap batch may begin at or below `after`. A block that
        cannot be read is set aside and a gap batch comes in its place."""
        batches: list[Batch] = []
        for _ in range(HEALINGS_MAX):
            try:
                found, damaged = await self._read(_next, self._store_in_use(), lane, after, limit_batches, limit_bytes)
                batches = found
                if damaged is None or batches:
                    break
                await self._task(partial(damage.heal, lane=lane, sequence=damaged.sequence))
            except StoreFull:
                # Not even the reserve has room for a gap record, or there is no store now: the lane waits until there
                # is. No other lane does.
                break
        return batches

    async def acknowledge(self, ack: Ack) -> None:
        """The cloud holds everything up to the mark. The mark in memory moves soon, the file's with the next commit:
        a crash before that makes the uplink send again what the cloud answers at once. Another epoch's is ignored, as
        are ranges above the mark: what is missing below them is sent first, and then the mark comes."""
        if self._closed:
            raise BufferClosed("the buffer is closed")
        if self._current is not None and ack.epoch == self.epoch and not ack.conflict:
            self._current.put(ack)

    async def rewind(self, lane: Lane, through: int) -> None:
        """A restored cloud has only what is up to `through`: everything above is unacknowledged again. What was dropped
        since comes as gap batches that say so."""
        await self._task(lambda store: rewinding.rewind(store, lane, through))

    async def flush(self) -> None:
        """Return when acknowledgements given so far are in the file."""
        await self._task(rewinding.write_marks)

    # ---- people

    async def records(
        self, *, lane: Lane | None = None, device: str | None = None, since_us: int | None = None, limit: int
    ) -> AsyncIterator[ObservationRecord]:
        """Up to `limit` observations, lane by lane in the order of their sequence; `since_us` is by the gateway's wall
        clock at reception, `device` a system id."""
        outbox = self._store_in_use().outbox
        async for record in records(outbox, self._read, lane=lane, device=device, since_us=since_us, limit=limit):
            yield record

    async def gaps(self, *, delivered: bool = False) -> list[LaneGap]:
        """What was lost, lane by lane, oldest first. With `delivered` also the records of reason RETENTION, which stand
        for what the cloud has and the gateway keeps no more."""
        found = await self._read(self._store_in_use().outbox.gaps)
        return [each for each in found if delivered or each.gap.why is not GapReason.RETENTION]

    async def quarantined(self) -> int:
        """How many damaged blocks are set aside."""
        return await self._read(self._store_in_use().outbox.quarantined)

    # ---- devices and small facts

    async def devices(self) -> list[KnownDevice]:
        return await self._task(lambda store: devices.devices(store.connection))

    async def remember_device(
        self, system_id: str, model: str, *, link_class: str = "unknown", accepted_us: int | None = None
    ) -> None:
        await self._task(
            lambda store: devices.remember_device(
                store, system_id, model, link_class=link_class, accepted_us=accepted_us
            )
        )

    async def configurations(self) -> list[KnownConfiguration]:
        return await self._task(lambda store: devices.configurations(store.connection))

    async def remember_configuration(self, system_id: bytes, config_id: int, octets: bytes) -> None:
        await self._task(lambda store: devices.remember_configuration(store, system_id, config_id, octets))

    async def device_reports(self) -> list[bytes]:
        """What was kept of each device, the one written longest ago first; a sealed row that does not open is left
        out."""
        return await self._task(lambda store: device_reports.device_reports(store.connection, store.sealer))

    async def remember_device_reports(self, reports: Sequence[tuple[str, bytes]]) -> None:
        """(system id, octets of at most 256 KiB) of each, in one commit. Raises StoreFull."""
        await self._task(lambda store: device_reports.remember_device_reports(store, reports))

    async def fetched_segments(self) -> list[FetchedSegment]:
        """How far devices' memories are fetched, the one fetched longest ago first."""
        return await self._task(lambda store: segments.segments(store.connection))

    async def fetched_records(self) -> list[FetchedRecords]:
        """How far record stores of Bluetooth devices are fetched, the one fetched longest ago first."""
        return await self._task(lambda store: record_marks.records(store.connection))

    async def forget_segments(self, keys: Sequence[SegmentKey]) -> None:
        """Devices cleared these."""
        await self._task(lambda store: segments.forget(store, keys))

    async def ble_devices(self) -> list[PairedDevice]:
        """The Bluetooth devices that a person has paired, the one paired longest ago first."""
        return await self._task(lambda store: ble_devices.ble_devices(store.connection))

    async def remember_ble_device(self, device: PairedDevice) -> None:
        """In place of what was known of its address. Raises TooManyPaired, StoreFull."""
        await self._task(lambda store: ble_devices.remember_ble_device(store, device))

    async def forget_ble_device(self, address: str) -> None:
        await self._task(lambda store: ble_devices.forget_ble_device(store, address))

    async def state_get(self, name: str) -> str | None:
        return await self._task(lambda store: devices.state(store.connection, name))

    async def state_put(self, name: str, value: str) -> None:
        await self._task(lambda store: devices.put_state(store, name, value))

    # ---- looking after itself

    async def tidy(self) -> None:
        """Do now, to the end, what retention and a full disk ask for. Happens by itself every few seconds."""
        while await self._task(tidy_step):
            pass

    async def close(self) -> None:
        """Commit what waits, then close. Appends after this raise BufferClosed."""
        if self._closed:
            return
        self._closed = True
        self._room.refuse_all(BufferClosed("the buffer was closed"))
        if self._recovered is not None:
            await self._recovered.close()
        if self._current is not None:
            await self._current.close()

    # ---- the store in use

    def _in_use(self) -> OpenStore:
        if self._closed:
            raise BufferClosed("the buffer is closed")
        if self._current is None:
            raise self._why or BufferClosed("no store was opened")
        return self._current

    def _store_in_use(self) -> OpenStore:
        try:
            return self._in_use()
        except BufferUnusable as error:
            raise self._refusal(error) from error

    def _refusal(self, error: Exception | None) -> Exception:
        """The error for a caller that could not be served. A gateway that continues raises the error of a full disk,
        since every caller handles that one: refuse, count, retry."""
        if not self._serving or self._closed:
            return error or BufferClosed("the buffer is closed")
        return StoreFull(f"nothing can be recorded now: {error}")

    async def _task(self, work: Callable[[Store], T]) -> T:
        try:
            return await self._in_use().task(work)
        except (BufferUnusable, BufferClosed) as error:
            raise self._refusal(error) from error

    async def _read(self, work: Callable[..., T], *arguments: object) -> T:
        try:
            return await self._in_use().read(work, *arguments)
        except BufferUnusable as error:
            raise self._refusal(error) from error

    async def _take_room(self, count: int) -> None:
        if self._closed or (self._failed.is_set() and not self._serving):
            raise self._refusal(self._why)
        await self._room.take(count)

    def _count(self, lost: Sequence[Loss]) -> None:
        """Count refused observations for each lane; the sum is recorded as soon as there is a store again."""
        if self._serving and not self._closed:
            self._uncounted = losses.sums([*self._uncounted, *lost])

    def _wake(self) -> None:
        for wake in list(self._wakes):
            wake.set()


def _next(store: OpenStore, lane: Lane, after: int, limit_batches: int, limit_bytes: int) -> Any:
    # The mark is read on the reader's thread, before the snapshot is taken: all up to it is then in the snapshot.
    last = store.writer.marks[lane].last
    return store.outbox.next_batches(lane, after=after, last=last, limit_batches=limit_batches, limit_bytes=limit_bytes)
