"""Walk through the packed objects of tenants with erasures, and rewrite those that have an erased batch.

An object names its batches in its index at the end, so only that is read of the others. The walk goes in the order of
the names, which is that of packing, and has no end: a gateway may send a batch again that was erased, and ingest packs
it before it recognises the repetition. An object is changed when its age excludes that ingest indexes further batches
of it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import structlog
from sqlalchemy import select

from cloud.access.retention import RetentionStore
from cloud.clinical.observations import ObservationColumns
from cloud.clinical.waveforms import (
    READERS_US,
    WAVEFORMS,
    RewrittenObject,
    SampleBlocks,
    WaveformIndex,
    WaveformObject,
    new_name,
    packed_at_us,
    read_index,
    rewrite_object,
)
from cloud.foundation.db import Transaction
from cloud.foundation.objects import ListedObject, ObjectDamaged, ObjectMissing, ObjectStore
from cloud.foundation.retention import HoldScope
from cloud.foundation.viewer import Viewer
from cloud.vehicles.custody import RemovalCause, lanes, removed_ranges
from cloud.vehicles.erasure.place import OBJECT_AGE_US, ErasingPlace
from cloud.vehicles.ingest import blocks_of, unpack
from protocols.uplink.envelope import Batch
from protocols.uplink.lanes import Lane

INDEXES_AT_ONCE = 16
"""Indexes that are read at once: a request to an S3 service takes some 30 ms."""

ErasedBatches: TypeAlias = Mapping[tuple[str, str], Sequence[tuple[int, int]]]
"""The erased ranges of sequence numbers of waveform batches, by gateway and epoch."""

log = structlog.get_logger()


class ObjectWalk:
    """The walk through the objects of one tenant."""

    def __init__(self, place: ErasingPlace, tenant_id: str) -> None:
        self._place = place
        self._tenant_id = tenant_id
        self._index = WaveformIndex()

    async def advance(self, after_name: str, stopping: asyncio.Event) -> int:
        """Search the objects after this name that have reached `OBJECT_AGE_US`; return the number of rewritten ones.
        Ends early when a stop is requested, when another process moved the walk, or while the tenant is under a legal
        hold."""
        objects = self._place.objects
        if objects is None or await self._is_held():
            return 0
        before_us = self._place.clock.now_us() - OBJECT_AGE_US
        rewritten, at = 0, after_name
        async for page in objects.pages(f"{WAVEFORMS}/{self._tenant_id}", after=after_name):
            due_now = [one for one in page if (packed_at_us(one.name) or 0) <= before_us]
            # What is erased meanwhile moves the walk back, so it is enough to read the ranges for each page.
            async with self._place.database.read() as tx:
                erased = await self._erased(tx)
            for begin in range(0, len(due_now), INDEXES_AT_ONCE):
                if stopping.is_set():
                    return rewritten
                some = due_now[begin : begin + INDEXES_AT_ONCE]
                for one in await self._with_erased(objects, some, erased):
                    rewritten += await self._rewrite(objects, one, erased)
                if not await self._move(at, some[-1].name, 0):
                    return rewritten
                at = some[-1].name
            if len(due_now) < len(page):
                break
        await self._move(at, at, before_us)
        return rewritten

    async def _is_held(self) -> bool:
        async with self._place.database.read() as tx:
            holds = await RetentionStore().holds(tx, Viewer(self._tenant_id, None))
        return any(one.scope is HoldScope.TENANT for one in holds)

    async def _move(self, former: str, name: str, through_us: int) -> bool:
        async with self._place.database.transaction() as tx:
            return await self._place.store.walk_on(tx, self._tenant_id, former, name, through_us)

    async def _erased(self, tx: Transaction) -> ErasedBatches:
        ranges = removed_ranges.c
        statement = (
            select(lanes.c.gateway_id, lanes.c.epoch, ranges.first_sequence, ranges.last_sequence)
            .join(lanes, lanes.c.lane_id == ranges.lane_id)
            .where(lanes.c.tenant_id == self._tenant_id, lanes.c.lane == Lane.WAVEFORM.value)
            .where(ranges.cause == RemovalCause.ERASURE.value)
        )
        found: defaultdict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
        for row in await tx.execute(statement.order_by(ranges.lane_id, ranges.first_sequence)):
            found[row.gateway_id, row.epoch].append((row.first_sequence, row.last_sequence))
        return found

    async def _with_erased(
        self, objects: ObjectStore, some: Sequence[ListedObject], erased: ErasedBatches
    ) -> list[ListedObject]:
        """Return the objects that have an erased batch."""
        indexes = await asyncio.gather(*(read_index(objects, one) for one in some), return_exceptions=True)
        found = []
        for one, index in zip(some, indexes, strict=True):
            if isinstance(index, ObjectMissing):
                continue  # it was removed meanwhile
            if isinstance(index, ObjectDamaged):
                raise ObjectDamaged(f"({one.name}: {index.detail})")
            if isinstance(index, BaseException):
                raise index
            if any(
                first <= run.sequence + run.batches - 1 and run.sequence <= last
                for run in index.runs
                for first, last in erased.get((run.gateway, run.epoch), ())
            ):
                found.append(one)
        return found

    async def _rewrite(self, objects: ObjectStore, listed: ListedObject, erased: ErasedBatches) -> int:
        """Put the object without its erased batches under a new name, and let the index refer to it. The former object
        is removed when no reader needs it. Return 0 if it needs no rewriting any more."""

        def is_erased(batch: Batch) -> bool:
            ranges = erased.get((batch.gateway, batch.epoch), ())
            return any(first <= batch.sequence <= last for first, last in ranges)

        try:
            data = await objects.read_range(listed.name, 0, listed.size_bytes)
        except ObjectMissing:
            return 0
        # In a thread, since the summaries of a full object take a tenth of a second.
        made = await asyncio.to_thread(rewrite_object, data, is_erased, _blocks)
        now_us = self._place.clock.now_us()
        async with self._place.database.read() as tx:
            is_known = bool(await self._index.known_names(tx, [listed.name]))
        stored = await objects.put(new_name(self._place.ids, self._tenant_id, now_us), made.data)
        rewritten = WaveformObject(tenant_id=self._tenant_id, stored=stored, stored_at_us=now_us)
        is_exchanged = not is_known or await self._exchange(listed, rewritten, made, erased)
        # An object without a row has nothing of the record; it may still be the only copy after a database was lost.
        # A former object with a row is removed when it is unused.
        if not is_known or not is_exchanged:
            await objects.remove(stored.name if is_known else listed.name)
        if is_exchanged:
            log.info("erasure.object_rewritten", former=listed.name, name=stored.name, erased=made.erased)
        return int(is_exchanged)

    async def _exchange(
        self, listed: ListedObject, rewritten: WaveformObject, made: RewrittenObject, erased: ErasedBatches
    ) -> bool:
        """Let the index refer to the rewritten object. Return False if no run needs the object any more, or if more was
        erased meanwhile."""
        unused_us = self._place.clock.now_us() + READERS_US
        async with self._place.database.transaction() as tx:
            object_id = await self._index.object_named(tx, listed.name)
            if object_id is None or await self._erased(tx) != erased:
                return False
            await self._index.move_runs(tx, object_id, rewritten, made.moved, unused_us)
        return True


def _blocks(batch: Batch) -> SampleBlocks | None:
    content = unpack(batch)
    return blocks_of(batch.gateway, content) if isinstance(content, ObservationColumns) else None
