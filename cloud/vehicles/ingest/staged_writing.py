"""Write the rows of staged batches, those of this process from memory and those of others from their objects."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence

import structlog

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.errors import DomainError
from cloud.foundation.objects import ObjectStoreUnavailable
from cloud.foundation.retention import DAY_US
from cloud.vehicles.custody import LaneKey, LaneStore
from cloud.vehicles.ingest.delivery_group import Group
from cloud.vehicles.ingest.delivery_opening import OpeningTurns
from cloud.vehicles.ingest.limits import IngestSettings
from cloud.vehicles.ingest.source import DueAck
from cloud.vehicles.ingest.staged_elsewhere import StagedElsewhere
from cloud.vehicles.ingest.staged_envelopes import BYTES_MAX, StagedEnvelope
from cloud.vehicles.ingest.staged_reading import FoundObject, StagedReader
from cloud.vehicles.ingest.staged_requests import RETRY_S, StagedRequests
from cloud.vehicles.ingest.staged_settling import StagedSettling
from cloud.vehicles.ingest.staged_sweeping import LATEST_US, LEFT_DAYS, staged_at_us
from cloud.vehicles.ingest.staging import Stage

log = structlog.get_logger()

GROUP_BATCHES_MAX = 256
"""Batches of one group: those of a minute of four vehicles. Encoding their minute rows takes hundredths of a second,
in which no other task of the event loop runs."""
GROUP_MEMORY_MAX = 32 << 20
"""Bytes of the envelopes of one group and of what they unpack to, except for one batch more."""
REMOVED_AT_ONCE = 16
"""Objects that are removed at the same time: a request to a bucket takes some hundredths of a second, and there are
some hundred objects."""
REMOVED_S_MAX = 1.0
"""Longest time for which one of these requests is waited for: readers of numerics wait for it too."""
SWEEP_S = 300.0
"""Time between two looks for objects that were left in the store."""
LEFT_S_LEAST = 60.0
"""Shortest time after which an object counts as left. Otherwise it is twice the time for which rows may wait: an object
of another process that still has it in memory would be written twice, which is only a waste."""

Write = Callable[[Group], Awaitable[list[DueAck]]]
"""A function that writes a group and returns the acknowledgements of what the database then has."""


class StagedWriter:
    """Writes the rows of staged batches by `write`, and removes the objects of the batches that are written.

    A batch that cannot be written, because of an error in the cloud's code, is stored without rows. If that is not
    possible either, it is left in its object for a repaired cloud, for `LEFT_DAYS`.
    Its gateway also resends it, since the next acknowledgement lists it as missing.

    Numerics do not need the object store, so an outage does not delay them: only waveforms then stay staged."""

    def __init__(
        self, stage: Stage, database: Database, clock: Clock, settings: IngestSettings, write: Write, *, removes: bool
    ) -> None:
        self._stage = stage
        elsewhere = {
            each: StagedElsewhere(database, clock, stage.period.process, self.write_left, ends=removes, waveforms=each)
            for each in (False, True)
        }
        settling = StagedSettling(stage, self.flush, elsewhere, every_s=settings.settle_every_s)
        self.settle, self.settle_elsewhere = settling.settle, settling.settle_elsewhere
        self.settle_left = elsewhere[True].settle_left
        requests = StagedRequests(stage.period, settling.settle_own)
        self.serve_requests, self.serve_wanted = requests.run, requests.serve_wanted
        self._database = database
        self._clock = clock
        self._settings = settings
        self._write = write
        self._reader = StagedReader(stage.objects, database)
        self._lanes = LaneStore()
        self._writing = {waveforms: asyncio.Lock() for waveforms in (False, True)}
        self._writing_others = asyncio.Lock()
        self._read: set[str] = set()
        """Objects whose batches this process has written, or could not write. The latter are tried again after a
        start."""
        self._written: set[str] = set()
        """Names of written objects that are to be removed."""
        self._lacking: set[str] = set()
        """Objects with batches that could not be written."""
        self._unfit: set[str] = set()
        """Objects of other processes with batches that could not be opened."""
        self._own_lacking: set[str] = set()
        """Objects in `_lacking` that this process has staged. Its period does not end while there are any, so that
        readers in other processes read these objects, and write what they can."""
        self._removes = removes

    @property
    def left(self) -> frozenset[str]:
        """The names of objects that this process found to have batches whose rows cannot be written."""
        return frozenset(self._lacking | self._unfit)

    async def run(self) -> None:
        """Write the rows whenever they are due, until cancelled; then write those that are left, for `stop_s` at
        most."""
        try:
            await self._settle_left()
            while True:
                await self._stage.unwritten.due()
                try:
                    await self.flush()
                except DomainError as error:
                    log.warning("ingest.staged_not_written", code=error.code)
                    await asyncio.sleep(RETRY_S)
        finally:
            flushing = asyncio.ensure_future(self._end_all())
            await asyncio.wait([flushing], timeout=self._settings.stop_s)
            if not flushing.done() or flushing.exception() is not None:
                log.warning("ingest.staged_left")
            flushing.cancel()

    async def _end_all(self) -> None:
        await self.flush()
        await self._stage.period.leave()

    async def _settle_left(self) -> None:
        """Write the rows of what killed processes have staged. It was tried before batches were received."""
        while True:
            try:
                return await self.settle_left()
            except DomainError as error:
                log.warning("ingest.staged_not_written", code=error.code)
                await asyncio.sleep(RETRY_S)

    async def sweep_often(self) -> None:
        """Sweep at times, until cancelled, if this process removes staged objects."""
        while self._removes:
            await asyncio.sleep(SWEEP_S)
            try:
                await self.sweep()
            except DomainError as error:
                log.warning("ingest.staged_not_written", code=error.code)

    async def sweep(self) -> None:
        """Write the rows of objects that no process has in memory, and remove these. Such an object is left when its
        put took too long or was cancelled and yet succeeded, when its process was killed, and when a process wrote its
        batches that may not remove it. Erasures wait for it. Raises as `flush`."""
        left_s = max(LEFT_S_LEAST, 2 * self._settings.stage_s)
        await self.write_left(self._clock.now_us() - int(left_s * 1_000_000))
        await self.remove_left()

    async def flush(self, keys: Collection[LaneKey] | None = None, *, waveforms: bool = True) -> None:
        """Write the rows of the batches of these lanes that this process has staged before the call; None: of all.
        Without `waveforms`, write those of numerics. Raises the errors of a database that is not available; the batches
        then stay staged. Raises `ObjectStoreUnavailable` if waveforms stay staged: for all lanes at once while an
        outage lasts, for some after an attempt, since their caller is about to put an object itself."""
        through = self._stage.period.close() if keys is None else 0
        await self._flush(keys, waveforms=False)
        if self._stage.unwritten.waveforms and not self._own_lacking:
            await self._stage.period.end(through, waveforms=False)
        if waveforms:
            await self._flush(keys, waveforms=True)
        if (waveforms or not self._stage.unwritten.waveforms) and not self._own_lacking:
            await self._stage.period.end(through)
        if waveforms or not self._stage.outage.lasts:
            await self._remove_written()

    async def flush_numerics(self, keys: Collection[LaneKey]) -> None:
        """Write the rows of the numerics of these lanes as `flush` does, but never wait for the object store."""
        await self._flush(keys, waveforms=False)

    async def _flush(self, keys: Collection[LaneKey] | None, *, waveforms: bool) -> None:
        unwritten = self._stage.unwritten
        async with self._writing[waveforms]:
            taken = unwritten.take(keys, waveforms=waveforms)
            if waveforms and taken and keys is None and self._stage.outage.lasts:
                unwritten.keep(taken)
                raise ObjectStoreUnavailable
            try:
                acks = await self._store(taken)
            except BaseException as error:
                if isinstance(error, ObjectStoreUnavailable):
                    self._stage.outage.begin()
                unwritten.keep(taken)
                raise
            self._correct(taken, acks)
            lacking = _lacking(taken, acks)
            self._own_lacking |= lacking
            self._note_written(unwritten.drop(taken), lacking)

    def _correct(self, taken: Sequence[StagedEnvelope], acks: Mapping[LaneKey, DueAck]) -> None:
        """Report the lanes whose acknowledgement promised more than the database has."""
        last: dict[LaneKey, int] = {}
        for one in taken:
            last[one.lane_key] = max(one.sequence, last.get(one.lane_key, 0))
        faulty = [key for key, sequence in last.items() if not _is_whole(acks.get(key), sequence)]
        if faulty:
            log.warning("ingest.staged_lanes_faulty", lanes=len(faulty))
            self._stage.correct(faulty, [acks[key] for key in faulty if key in acks])

    async def write_left(self, before_us: int = LATEST_US) -> None:
        """Write the rows of the objects that other processes staged before `before_us`. Raises as `flush`."""
        async with self._writing_others:
            found: list[FoundObject] = []
            size_bytes = 0
            own = self._stage.names
            present: set[str] = set()
            async for each in self._reader.read_others(own | self._read, present, before_us):
                found.append(each)
                size_bytes += sum(one.envelope_bytes for one in each.batches)
                if size_bytes >= BYTES_MAX:
                    await self._store_found(found)
                    found, size_bytes = [], 0
            await self._store_found(found)
            self._read &= present
            self._lacking &= present | self._stage.names
            self._unfit &= present
            self._own_lacking &= self._lacking

    async def _store_found(self, found: Sequence[FoundObject]) -> None:
        batches = [one for each in found for one in each.batches]
        lacking = _lacking(batches, await self._store(batches))
        unfit = [each for each in found if each.unfit]
        if unfit:
            log.error("ingest.staged_unfit", objects=len(unfit), batches=sum(each.unfit for each in unfit))
            self._unfit.update(each.name for each in unfit)
            self._read |= self._unfit
        self._note_written([each.name for each in found if not each.unfit], lacking)
        await self._remove_written()

    def _note_written(self, names: Collection[str], lacking: Collection[str]) -> None:
        """Note objects whose batches are written, but for those objects that are `lacking` a batch in the database."""
        self._lacking.update(lacking)
        if lacking:
            log.error("ingest.staged_kept", objects=len(lacking))
        self._read.update(names)
        if self._removes:
            self._written.update(set(names) - self._lacking)

    async def _remove_written(self) -> None:
        """Remove the objects of which no batch is left. While the object store is slow or not available they stay:
        another process finds their batches in the database."""
        while names := sorted(self._written)[:REMOVED_AT_ONCE]:
            try:
                async with asyncio.timeout(REMOVED_S_MAX):
                    await asyncio.gather(*map(self._stage.objects.remove, names))
            except TimeoutError:
                self._stage.outage.note_stall()
                return
            except ObjectStoreUnavailable:
                self._stage.outage.begin()
                return
            self._written.difference_update(names)
            self._read.difference_update(names)

    async def remove_left(self) -> None:
        """Remove the objects of which this process could not write all batches, after `LEFT_DAYS`: no retention period
        and no erasure applies to them. Raises `ObjectStoreUnavailable`."""
        before_us = self._clock.now_us() - LEFT_DAYS * DAY_US
        names = [name for name in sorted(self._read) if staged_at_us(name) < before_us] if self._removes else []
        for name in names:
            await self._stage.objects.remove(name)
            self._read.discard(name)
        if names:
            log.error("ingest.staged_removed", objects=len(names))

    async def _store(self, batches: Sequence[StagedEnvelope]) -> dict[LaneKey, DueAck]:
        """Write batches; return the last acknowledgement of each lane. A lane of which none was stored has none."""
        # The batches of a lane are together, so that its waveforms become one run of their object. Numerics are first:
        # they are written while the object store is unavailable too.
        batches = sorted(batches, key=lambda one: (one.is_waveform, one.lane_key, one.sequence))
        held = await self._find_held(batches)
        acks: dict[LaneKey, DueAck] = {}
        for is_held in (False, True):
            async for group in self._groups([one for one in batches if (id(one) in held) is is_held]):
                group.is_held = is_held
                for due in await self._write(group):
                    acks[due.lane_key] = due
        return acks

    async def _find_held(self, batches: Sequence[StagedEnvelope]) -> set[int]:
        """Return the identities of batches whose numbers the database has: another process has written them."""
        if not batches:
            return set()
        async with self._database.read() as tx:
            rows = await self._lanes.read_lanes(tx, {one.lane_key for one in batches})
        return {
            id(one) for one in batches if (row := rows.get(one.lane_key)) is not None and row.marks.covers(one.sequence)
        }

    async def _groups(self, batches: Sequence[StagedEnvelope]) -> AsyncIterator[Group]:
        """Unpack batches, and yield them in groups that one transaction may write."""
        group, size_bytes, memory_bytes = Group(), 0, 0
        turns = OpeningTurns()
        for one in batches:
            if group.opened and (
                one.lane_key.lane is not group.opened[0].batch.lane
                or len(group.opened) >= GROUP_BATCHES_MAX
                or group.observations + one.rows > self._settings.group_observations_max
                or size_bytes + one.envelope_bytes > self._settings.group_octets_max
                or memory_bytes >= GROUP_MEMORY_MAX
            ):
                yield group
                group, size_bytes, memory_bytes = Group(), 0, 0
            opened = one.open()
            if opened is None:
                log.error("ingest.staged_batch_unopened", gateway=one.gateway.id)
                continue
            group.opened.append(opened)
            group.observations += one.rows
            size_bytes += one.envelope_bytes
            memory_bytes += one.memory_bytes
            await turns.step()
        if group.opened:
            yield group


def _is_whole(due: DueAck | None, sequence: int) -> bool:
    """Return whether the database has all batches of a lane up to this one, as the gateway sent them."""
    return due is not None and due.ack.through_sequence >= sequence and not due.ack.missing and not due.ack.conflict


def _lacking(batches: Sequence[StagedEnvelope], acks: Mapping[LaneKey, DueAck]) -> set[str]:
    """Return the names of the objects of batches that were not stored."""
    return {one.object_name for one in batches if not _is_stored(one, acks.get(one.lane_key))}


def _is_stored(one: StagedEnvelope, due: DueAck | None) -> bool:
    if due is None or one.sequence > due.ack.highest_sequence:
        return False
    return not any(first <= one.sequence <= last for first, last in due.ack.missing)
