"""Put objects of packed numerics, so that no process that fails or is killed leaves one that nothing refers to.

An object is announced by a row before it is put. The transaction that adds its runs adopts it (`AnnouncedObjects`).
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from cloud.clinical.waveforms import NUMERICS, AnnouncedObjects, RunToPack, WaveformObject, new_name, pack_groups
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.errors import DomainError
from cloud.foundation.ids import Ids
from cloud.foundation.objects import ObjectStore, ObjectStoreUnavailable, StoredObject

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class NumericsObject:
    """A durable object. `places` has for each run the position and the size of its group."""

    object: WaveformObject
    places: Sequence[tuple[int, int]]

    @property
    def name(self) -> str:
        return self.object.stored.name


class NumericsObjects:
    """Puts and abandons objects of numerics."""

    def __init__(self, database: Database, objects: ObjectStore, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._objects = objects
        self._clock = clock
        self._ids = ids
        self._announced = AnnouncedObjects()

    async def put(
        self,
        tenant_id: str,
        runs: Sequence[RunToPack],
        *,
        alone_for_us: int | None = None,
        put_s: float | None = None,
    ) -> NumericsObject | None:
        """Announce an object with these runs, and put it within `put_s` (None: the limits of the store). Return None if
        another object was announced in the last `alone_for_us` and is not adopted; None: others do not matter. Raises
        `ObjectStoreUnavailable` and the errors of a database, and abandons the object then."""
        now_us = self._clock.now_us()
        # In a thread, since the compression takes some 20 ms.
        packed = await asyncio.to_thread(pack_groups, tenant_id, now_us, runs)
        name = new_name(self._ids, tenant_id, now_us, first=NUMERICS)
        stored = StoredObject(name, len(packed.data), hashlib.sha256(packed.data).digest())
        made = NumericsObject(WaveformObject(tenant_id=tenant_id, stored=stored, stored_at_us=now_us), packed.places)
        async with self._database.transaction() as tx:
            if alone_for_us is not None and await self._announced.is_any(tx, NUMERICS, now_us - alone_for_us):
                return None
            await self._announced.announce(tx, made.object)
        try:
            async with asyncio.timeout(put_s):
                await self._objects.put(name, packed.data)
        except BaseException as error:
            await asyncio.shield(self.abandon(made))
            if isinstance(error, TimeoutError):
                raise ObjectStoreUnavailable from None
            raise
        return made

    async def abandon(self, made: NumericsObject) -> None:
        """Let an object be removed soon that was not adopted. Erasures of its tenant wait for it."""
        try:
            async with self._database.transaction() as tx:
                await self._announced.abandon(tx, [made.name], self._clock.now_us())
        except DomainError as error:  # a sweep abandons it some hours after it was announced
            log.warning("numerics.object_not_abandoned", code=error.code)
