"""Write the rows of staged batches, those of this process from memory and those of others from their objects."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

import structlog

from cloud.foundation.db import Database
from cloud.foundation.errors import DomainError
from cloud.vehicles.custody import LaneKey, LaneStore
from cloud.vehicles.ingest.delivery_group import Group, rows_of
from cloud.vehicles.ingest.limits import IngestSettings
from cloud.vehicles.ingest.opening import Opened
from cloud.vehicles.ingest.source import DueAck
from cloud.vehicles.ingest.staged_reading import FoundObject, StagedReader
from cloud.vehicles.ingest.staging import BYTES_MAX, Stage, Staged
from protocols.uplink.acks import Ack
from protocols.uplink.lanes import Lane

log = structlog.get_logger()

GROUP_BATCHES_MAX = 256
"""Batches of one group: those of a minute of four vehicles. Encoding their minute rows takes hundredths of a second,
in which no other task of the event loop runs."""
RETRY_S = 5.0
"""Delay after the object store or the database was not available."""

Write = Callable[[Group], Awaitable[list[DueAck]]]
"""A function that writes a group and returns the acknowledgements of what the database then has."""


class StagedWriter:
    """Writes the rows of staged batches by `write`, and removes the objects of the batches that are written.

    A batch that cannot be written, because of an error in the cloud's code, is left in its object for a repaired cloud.
    Its gateway also resends it, since the next acknowledgement of a status lists it as missing."""

    def __init__(
        self, stage: Stage, database: Database, settings: IngestSettings, write: Write, *, removes: bool
    ) -> None:
        self._stage = stage
        self._database = database
        self._settings = settings
        self._write = write
        self._reader = StagedReader(stage.objects, database)
        self._lanes = LaneStore()
        self._writing = asyncio.Lock()
        self._read: set[str] = set()
        """Objects whose batches this process has written, or could not write. The latter are tried again after a
        start."""
        self._removes = removes

    async def run(self) -> None:
        """Write the rows whenever they are due, until cancelled; then write those that are left, for `stop_s` at
        most."""
        try:
            await self._settle_left()
            while True:
                await self._stage.due()
                try:
                    await self.flush()
                except DomainError as error:
                    log.warning("ingest.staged_not_written", code=error.code)
                    await asyncio.sleep(RETRY_S)
        finally:
            flushing = asyncio.ensure_future(self.flush())
            await asyncio.wait([flushing], timeout=self._settings.stop_s)
            if not flushing.done() or flushing.exception() is not None:
                log.warning("ingest.staged_left")
            flushing.cancel()

    async def _settle_left(self) -> None:
        """Write the rows of what killed processes have staged. It was tried before batches were received."""
        while True:
            try:
                return await self.settle_others()
            except DomainError as error:
                log.warning("ingest.staged_not_written", code=error.code)
                await asyncio.sleep(RETRY_S)

    async def flush(self) -> None:
        """Write the rows of the batches that this process has staged before the call. Raises the errors of an object
        store or a database that is not available; the batches then stay staged."""
        async with self._writing:
            staged = self._stage.take()
            if not staged:
                return
            try:
                left = await self._store([one for each in staged for one in each.opened])
            except BaseException:
                self._stage.keep(staged)
                raise
            self._stage.drop(staged)
            await self._end(staged, left)

    async def settle(self) -> None:
        """Write the rows of all batches that were staged before the call, by any process. Raises as `flush`."""
        await self.flush()
        await self.settle_others()

    async def settle_others(self) -> None:
        """Write the rows of all batches that other processes staged before the call. Raises as `flush`."""
        async with self._writing:
            found: list[FoundObject] = []
            size_bytes = 0
            own = self._stage.names
            present: set[str] = set()
            async for each in self._reader.read_others(own | self._read, present):
                found.append(each)
                size_bytes += sum(len(one.delivery.octets) for one in each.opened)
                if size_bytes >= BYTES_MAX:
                    await self._store_found(found)
                    found, size_bytes = [], 0
            await self._store_found(found)
            self._read &= present

    async def _store_found(self, found: Sequence[FoundObject]) -> None:
        left = await self._store([one for each in found for one in each.opened])
        unfit = [each for each in found if each.unfit]
        if unfit:
            log.error("ingest.staged_unfit", objects=len(unfit), batches=sum(each.unfit for each in unfit))
            self._read.update(each.name for each in unfit)
        await self._end([Staged(each.name, each.opened) for each in found if not each.unfit], left)

    async def _end(self, staged: Sequence[Staged], left: set[int]) -> None:
        """Remove the objects of which no batch is left."""
        kept = [each.name for each in staged if left.intersection(map(id, each.opened))]
        if kept:
            log.error("ingest.staged_kept", objects=len(kept))
        self._read.update(kept)
        for each in staged:
            if each.name in self._read:
                continue
            if self._removes:
                await self._stage.objects.remove(each.name)
            else:
                self._read.add(each.name)

    async def _store(self, opened: Sequence[Opened]) -> set[int]:
        """Write batches; return the identities of those that were not stored."""
        # The batches of a lane are together, so that its waveforms become one run of their object. Numerics are first:
        # they are written while the object store is unavailable too.
        opened = sorted(opened, key=lambda one: (_is_waveform(one), one.lane_key, one.batch.sequence))
        held = await self._find_held(opened)
        acks: list[DueAck] = []
        for group in self._groups([one for one in opened if id(one) not in held]):
            acks += await self._write(group)
        for group in self._groups([one for one in opened if id(one) in held]):
            group.is_held = True
            acks += await self._write(group)
        ends = {LaneKey(due.tenant_id, due.gateway_id, due.ack.epoch, due.ack.lane): due.ack for due in acks}
        return {id(one) for one in opened if not _is_stored(one, ends.get(one.lane_key))}

    async def _find_held(self, opened: Sequence[Opened]) -> set[int]:
        """Return the identities of batches whose numbers the database has: another process has written them."""
        if not opened:
            return set()
        async with self._database.read() as tx:
            rows = await self._lanes.read_lanes(tx, {one.lane_key for one in opened})
        return {
            id(one)
            for one in opened
            if (row := rows.get(one.lane_key)) is not None and row.marks.covers(one.batch.sequence)
        }

    def _groups(self, opened: Sequence[Opened]) -> Iterator[Group]:
        """Yield batches in groups that one transaction may write."""
        group, size_bytes = Group(), 0
        for one in opened:
            if group.opened and (
                _is_waveform(one) is not _is_waveform(group.opened[0])
                or len(group.opened) >= GROUP_BATCHES_MAX
                or group.observations + rows_of(one) > self._settings.group_observations_max
                or size_bytes + len(one.delivery.octets) > self._settings.group_octets_max
            ):
                yield group
                group, size_bytes = Group(), 0
            group.opened.append(one)
            group.observations += rows_of(one)
            size_bytes += len(one.delivery.octets)
        if group.opened:
            yield group


def _is_waveform(one: Opened) -> bool:
    return one.batch.lane is Lane.WAVEFORM


def _is_stored(one: Opened, ack: Ack | None) -> bool:
    sequence = one.batch.sequence
    if ack is None or sequence > ack.highest_sequence:
        return False
    return not any(first <= sequence <= last for first, last in ack.missing)
