"""Remove what jobs leave: results whose last reference went, results that no row names, parts of uploads, and files
that clients sent.

An object is stored before the row that names it is committed, so a process that is killed in between leaves an orphan.
It is removed when it is older than `ORPHAN_US`. The parts of an upload are removed when it began before `UPLOAD_US`,
and a piece of a client's file when it is older than `RECEIVED_US`. A temporary file, up to the size of a whole result,
is removed when nothing was written to it for `UNFINISHED_US`.

After a database was restored from an earlier copy, many results have no row. A result can be made again, so they are
removed like others.
"""

import asyncio

import structlog

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.errors import DomainError
from cloud.foundation.ids import time_of_ulid
from cloud.foundation.objects.received import RECEIVED, RECEIVED_US
from cloud.foundation.objects.results import RESULTS, Results
from cloud.foundation.objects.store import ObjectStore, StoredObject
from cloud.foundation.objects.upload import UPLOADS, remove_all
from cloud.foundation.stopping import pause

ORPHAN_US = 24 * 3_600_000_000
"""Age at which an object without a row is an orphan."""
REFER_US = ORPHAN_US - 3_600_000_000
"""Age up to which a transaction may refer to an object that has no row yet. A transaction, and a sweep that has read
the rows before it, take less than the hour between the two ages. Most results are committed within minutes."""
UPLOAD_US = 3 * ORPHAN_US
"""Age at which an upload is given up: no job runs for days. An export, an analysis of a graph and a bulk enrichment
whose parts were removed begin again, a limited number of times. An import completes its upload in one step."""
UNFINISHED_US = 24 * 3_600_000_000
"""Time without a write after which a temporary file is removed. A part is written within seconds, so its process has
ended."""
REMOVED_AT_ONCE = 500
"""Unused objects whose rows are deleted in one transaction."""
EVERY_S = 60.0
"""Seconds between two removals of unused objects, which one look at an index finds."""
ORPHANS_EVERY = 60
"""Removals of unused objects for each search for orphans, which lists all results: 30 days of 10 000 results a day are
300 pages an hour."""

log = structlog.get_logger()


class ResultSweeper:
    """Removes the objects of results that are not needed, in a loop."""

    def __init__(self, database: Database, objects: ObjectStore, clock: Clock) -> None:
        self._database = database
        self._objects = objects
        self._clock = clock
        self._results = Results()

    async def run(self, stopping: asyncio.Event) -> None:
        """Sweep until a stop is requested."""
        turn = 0
        while not stopping.is_set():
            try:
                await self.remove_unused(stopping)
                if turn % ORPHANS_EVERY == 0:
                    await self.remove_orphans(stopping)
            except DomainError as error:
                log.warning("results.sweep_interrupted", code=error.code)
            turn += 1
            await pause(stopping, EVERY_S)

    async def remove_unused(self, stopping: asyncio.Event | None = None) -> int:
        """Remove the objects whose last reference went; return their number."""
        removed = 0
        while stopping is None or not stopping.is_set():
            async with self._database.read() as tx:
                names = await self._results.unused(tx, REMOVED_AT_ONCE)
            if not names:
                break
            await remove_all(self._objects, names)
            # After the objects: a row without its object is removed by the next sweep.
            async with self._database.transaction() as tx:
                await self._results.forget(tx, names)
            removed += len(names)
        if removed:
            log.info("results.unused_removed", objects=removed)
        return removed

    async def remove_orphans(self, stopping: asyncio.Event | None = None) -> int:
        """Remove the present orphans, the parts of uploads that were given up, expired files of clients, and the
        temporary files that killed processes left; return their number."""
        removed = await self._objects.remove_unfinished(self._clock.now_us() - UNFINISHED_US)
        for prefix, age_us in ((RESULTS, ORPHAN_US), (UPLOADS, UPLOAD_US), (RECEIVED, RECEIVED_US)):
            async for page in self._objects.pages(prefix):
                before_us = self._clock.now_us() - age_us
                aged = [one.name for one in page if (at_us := _made_at_us(one.name)) is not None and at_us < before_us]
                async with self._database.read() as tx:
                    known = await self._results.known_names(tx, aged) if prefix == RESULTS else set()
                orphans = [name for name in aged if name not in known]
                await remove_all(self._objects, orphans)
                removed += len(orphans)
                if stopping is not None and stopping.is_set():
                    break
        if removed:
            log.info("results.orphans_removed", objects=removed)
        return removed


def may_be_removed(stored: StoredObject, now_us: int) -> bool:
    """Return whether an object that no row names may be removed before a transaction refers to it, or was removed."""
    at_us = _made_at_us(stored.name)
    return at_us is not None and at_us + REFER_US <= now_us


def _made_at_us(name: str) -> int | None:
    """Return the time at which a result or a client's file was stored, or at which the upload of a part began; None for
    a name of another form."""
    return time_of_ulid(name.rpartition("/")[2])
