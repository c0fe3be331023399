"""The gateway's buffer as the rest of the gateway sees it: append and be told when it is durable, read, acknowledge.

The calls are made on the loop's thread and hand over to two others: the writer (`writer.py`) and a reader
(`outbox.py`). One hand-over a commit comes back, whatever the number of appends in it. What waits is bounded: an
append beyond the bound waits itself, so that a slow disk is felt at the devices' links and not in memory.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakSet

from gateway.buffer import ble_devices, damage, device_reports, devices, full_disk, record_marks, rewinding, segments
from gateway.buffer.ble_devices import PairedDevice
from gateway.buffer.blocks import Block
from gateway.buffer.database import StoreLock, open_writer, unusable
from gateway.buffer.devices import KnownConfiguration, KnownDevice
from gateway.buffer.errors import BufferClosed, BufferUnusable, StoreFull
from gateway.buffer.lanes import LaneMarks
from gateway.buffer.outbox import LaneGap, Outbox
from gateway.buffer.reading import records
from gateway.buffer.record_marks import FetchedRecords
from gateway.buffer.reserve import make_room
from gateway.buffer.segments import FetchedSegment
from gateway.buffer.settings import BufferSettings
from gateway.buffer.store import Store, event_block
from gateway.buffer.witness import Witness
from gateway.buffer.writer import Append, AppendBlock, Outcome, Task, Writer, tidy_step
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

HEALINGS_MAX = 8
"""Damaged places that one reading passes before it returns what it has; the next reading goes on."""


class Buffer:
    """An open store. Made by `open`; `close` commits what waits."""

    def __init__(self, path: Path, store: Store, outbox: Outbox, lock: StoreLock, witness: Witness | None) -> None:
        self._path = path
        self._store = store
        self._outbox = outbox
        self._lock = lock
        self._witness = witness
        self._settings = store.settings
        self._waiting = 0
        self._room: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._outstanding: set[asyncio.Future[Any]] = set()
        self._wakes: WeakSet[asyncio.Event] = WeakSet()
        self._failure: BufferUnusable | None = None
        self._closed = False
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="argus-buffer-reader")
        self._writer = Writer(store, loop=asyncio.get_running_loop(), settle=self._settle, fail=self._fail)
        self._writer.start()

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
        path = Path(path)
        parts = await asyncio.to_thread(_open, path, gateway, key, settings, clock, witness)
        return cls(path, *parts)

    @property
    def epoch(self) -> str:
        """Minted when the store was created; half of every batch's identity."""
        return self._store.about.epoch

    @property
    def gateway(self) -> str:
        return self._store.about.gateway

    @property
    def store_state(self) -> StoreState:
        """OK, or RESERVE while the disk is full."""
        return self._writer.state

    @property
    def failure(self) -> BufferUnusable | None:
        """Why the store stopped working; None while it works. Then the process must end: see its diagnosis."""
        return self._failure

    def marks(self) -> Mapping[Lane, LaneMarks]:
        """Where each lane stands after the last commit. Costs nothing."""
        return self._writer.marks

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
        if held_by_device and self._writer.state is not StoreState.OK:
            raise StoreFull("only the reserve is left, which is for events, ePCR and gap records")
        await self._have_room(count)
        try:
            done = self._promise()
            along: Callable[[Store], None] | None = None
            if fetched is not None:
                along = partial(segments.write, fetched=fetched)
            elif records is not None:
                along = partial(record_marks.write, mark=records)
            self._writer.put(Append(sections, count, held_by_device, done, along))
            await done
        finally:
            self._give_room(count)

    async def append_event(self, event: GatewayEvent) -> None:
        """Return when `event` is durable, on a full disk by the reserve. StoreFull when that is used up too."""
        await self.append_block(event_block(event))

    async def append_block(self, block: Block) -> None:
        """The same for any batch content of the lanes that the reserve is for."""
        await self._have_room(1)
        try:
            done = self._promise()
            self._writer.put(AppendBlock(block, done))
            await done
        finally:
            self._give_room(1)

    # ---- the uplink

    async def next_batches(self, lane: Lane, *, after: int, limit_batches: int, limit_bytes: int) -> list[Batch]:
        """The committed batches of `lane` that cover what is above `after`, in order and without a hole: at least one
        where there is one, otherwise within the limits. A gap batch may begin at or below `after`. A block that
        cannot be read is set aside and a gap batch comes in its place."""
        batches: list[Batch] = []
        for _ in range(HEALINGS_MAX):
            found, damaged = await self._read(self._next, lane, after, limit_batches, limit_bytes)
            batches = found
            if damaged is None or batches:
                break
            try:
                await self._task(partial(damage.heal, lane=lane, sequence=damaged.sequence))
            except StoreFull:
                break  # not even the reserve has room for a gap record: the lane waits until there is some
        return batches

    def _next(self, lane: Lane, after: int, limit_batches: int, limit_bytes: int) -> Any:
        # The mark is read on the reader's thread, before the snapshot is taken: all up to it is then in the snapshot.
        last = self._writer.marks[lane].last
        return self._outbox.next_batches(
            lane, after=after, last=last, limit_batches=limit_batches, limit_bytes=limit_bytes
        )

    async def acknowledge(self, ack: Ack) -> None:
        """The cloud holds everything up to the mark. The mark in memory moves soon, the file's with the next commit:
        a crash before that makes the uplink send again what the cloud answers at once. Another epoch's is ignored, as
        are ranges above the mark: what is missing below them is sent first, and then the mark comes."""
        self._check()
        if ack.epoch == self.epoch and not ack.conflict:
            self._writer.put(ack)

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
        async for record in records(self._outbox, self._read, lane=lane, device=device, since_us=since_us, limit=limit):
            yield record

    async def gaps(self, *, delivered: bool = False) -> list[LaneGap]:
        """What was lost, lane by lane, oldest first. With `delivered` also the records of reason RETENTION, which stand
        for what the cloud has and the gateway keeps no more."""
        found = await self._read(self._outbox.gaps)
        return [each for each in found if delivered or each.gap.why is not GapReason.RETENTION]

    async def quarantined(self) -> int:
        """How many damaged blocks are set aside."""
        return await self._read(self._outbox.quarantined)

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
        self._writer.end()
        await asyncio.shield(asyncio.to_thread(self._writer.join))
        await asyncio.sleep(0)  # outcomes of the last commit are already on the loop, in front of this
        self._reject(BufferClosed("the buffer was closed"))
        await asyncio.shield(asyncio.to_thread(self._close_files))

    def _close_files(self) -> None:
        self._reader.shutdown()
        self._outbox.close()
        self._store.connection.close()  # the last connection writes the log back and removes it
        if self._witness is not None:
            self._witness.close()
        self._lock.release()

    # ---- between the threads

    def _check(self) -> None:
        if self._failure is not None:
            raise BufferUnusable(self._failure.diagnosis)
        if self._closed:
            raise BufferClosed("the buffer is closed")

    def _promise(self) -> "asyncio.Future[Any]":
        self._check()
        done = asyncio.get_running_loop().create_future()
        self._outstanding.add(done)
        return done

    async def _task(self, work: Callable[[Store], T]) -> T:
        done = self._promise()
        self._writer.put(Task(work, done))
        answer: T = await done
        return answer

    async def _read(self, work: Callable[..., T], *arguments: object) -> T:
        self._check()
        return await asyncio.get_running_loop().run_in_executor(self._reader, work, *arguments)

    async def _have_room(self, count: int) -> None:
        """Wait while too much is waiting. First come, first served, so that no device starves and none overtakes."""
        self._check()
        if not self._room and self._fits(count):
            self._waiting += count
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._room.append((count, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_room(count)
            raise

    def _fits(self, count: int) -> bool:
        """One append that is larger than the bound goes alone."""
        return not self._waiting or self._waiting + count <= self._settings.queue_observations_max

    def _give_room(self, count: int) -> None:
        self._waiting -= count
        while self._room and (self._room[0][1].cancelled() or self._fits(self._room[0][0])):
            count, turn = self._room.popleft()
            if not turn.done():
                self._waiting += count
                turn.set_result(None)

    def _settle(self, outcomes: list[Outcome]) -> None:
        for done, answer, error in outcomes:
            self._outstanding.discard(done)
            if done.done():
                continue  # whoever waited was cancelled; what was committed stays committed
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(answer)
        self._wake()

    def _fail(self, error: Exception) -> None:
        self._failure = unusable(self._path, error)
        self._failure.__cause__ = error
        self._reject(self._failure)
        self._wake()

    def _wake(self) -> None:
        for wake in list(self._wakes):
            wake.set()

    def _reject(self, error: Exception) -> None:
        outstanding, self._outstanding = self._outstanding, set()
        for done in outstanding:
            if not done.done():
                done.set_exception(error)
        while self._room:
            _, turn = self._room.popleft()
            if not turn.done():
                turn.set_exception(error)


def _open(
    path: Path, gateway: str, key: bytes, settings: BufferSettings, clock: Clock, witness_path: Path | None
) -> tuple[Store, Outbox, StoreLock, Witness | None]:
    lock = StoreLock(path)
    try:
        make_room(path)
        connection, about = open_writer(path, gateway=gateway, key=key, check_s=settings.check_s)
        try:
            witness = Witness(witness_path) if witness_path is not None else None
            store = Store(connection, about, path=path, key=key, settings=settings, clock=clock, witness=witness)
            damage.heal_ends(store)
            store.resume()
            full_disk.begin(store)
            outbox = Outbox(path, gateway=gateway, key=key)
        except BaseException:
            connection.close()
            raise
    except BaseException:
        lock.release()
        raise
    return store, outbox, lock, witness
