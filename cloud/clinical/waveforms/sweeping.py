"""Remove objects that are not needed: those whose runs were deleted, and those that no row of the index names.

An object is put before its row is committed, so a process that is killed in between leaves an orphan. Its batches were
not acknowledged, and the gateway resends them into another object. An orphan is removed when it is older than
`ORPHAN_US`; a group that ingest still tries to write is packed again much earlier (`REPACK_US`), so that no row can
name a removed object.

Objects of numerics are announced by a row before they are put (`announcing`). So they never lack a row, and one that
was not indexed is given up after `ANNOUNCED_US`, and removed as unused.

After a database was restored from an earlier copy, many objects have no row, and may be the only copy of their
waveforms. So a sweep that finds more than `ORPHANS_MAX` orphans removes none of them, and reports them as an error.
"""

import asyncio

import structlog

from cloud.clinical.waveforms.ages import ORPHAN_US
from cloud.clinical.waveforms.announcing import AnnouncedObjects
from cloud.clinical.waveforms.index import WaveformIndex
from cloud.clinical.waveforms.names import NUMERICS, WAVEFORMS, packed_at_us
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.errors import DomainError
from cloud.foundation.objects import ObjectStore
from cloud.foundation.stopping import pause

ORPHANS_MAX = 200
"""Orphans of one kind that a sweep removes. A crash leaves one object for each process and tenant."""
REMOVED_AT_ONCE = 500
"""Unused objects whose rows are deleted in one transaction."""
EVERY_S = 3_600.0
"""Seconds between two sweeps. A sweep lists all objects: 90 days of a region are 2.3 million, so 2 300 pages."""

log = structlog.get_logger()


class OrphanSweeper:
    """Removes orphans of the object store, in a loop."""

    def __init__(self, database: Database, objects: ObjectStore, clock: Clock) -> None:
        self._database = database
        self._objects = objects
        self._clock = clock
        self._index = WaveformIndex()
        self._announced = AnnouncedObjects()

    async def run(self, stopping: asyncio.Event) -> None:
        """Sweep every `EVERY_S` seconds until a stop is requested."""
        while not stopping.is_set():
            try:
                await self.sweep(stopping)
            except DomainError as error:
                log.warning("waveforms.sweep_interrupted", code=error.code)
            await pause(stopping, EVERY_S)

    async def sweep(self, stopping: asyncio.Event | None = None) -> int:
        """Remove the unused objects and the present orphans; return their number. Ends early when a stop is
        requested."""
        stopping = stopping or asyncio.Event()
        removed = await self.remove_unused(stopping)
        swept = 0
        for first in (WAVEFORMS, NUMERICS):
            orphans = await self._orphans(first, stopping)
            if len(orphans) > ORPHANS_MAX:
                log.error("waveforms.orphans_kept", more_than=ORPHANS_MAX, first=orphans[0])
                orphans = []
            for name in orphans:
                await self._objects.remove(name)
            swept += len(orphans)
        if removed or swept:
            log.info("waveforms.objects_removed", unused=removed, orphans=swept)
        return removed + swept

    async def remove_unused(self, stopping: asyncio.Event) -> int:
        """Remove the objects that no run needs; return their number."""
        removed = 0
        await self._give_up()
        while not stopping.is_set():
            async with self._database.read() as tx:
                names = await self._index.unused(tx, self._clock.now_us(), REMOVED_AT_ONCE)
            if not names:
                break
            for name in names:
                await self._objects.remove(name)
            # After the objects: a row without its object is removed by the next sweep.
            async with self._database.transaction() as tx:
                await self._index.forget(tx, names)
            removed += len(names)
        return removed

    async def _give_up(self) -> None:
        """Let announced objects be removed soon that no process adopts any more."""
        async with self._database.read() as tx:
            names = await self._announced.overdue(tx, self._clock.now_us())
        if names:
            async with self._database.transaction() as tx:
                await self._announced.abandon(tx, names, self._clock.now_us())

    async def _orphans(self, first: str, stopping: asyncio.Event) -> list[str]:
        """Return the names of orphans whose names begin with the part `first`; the search ends when there are more than
        `ORPHANS_MAX`."""
        orphans: list[str] = []
        async for page in self._objects.pages(first):
            before_us = self._clock.now_us() - ORPHAN_US
            aged = [one.name for one in page if (at_us := packed_at_us(one.name)) is not None and at_us < before_us]
            async with self._database.read() as tx:
                known = await self._index.known_names(tx, aged)
            orphans += [name for name in aged if name not in known]
            if stopping.is_set() or len(orphans) > ORPHANS_MAX:
                break
        return orphans
