"""Do the steps of erasures in a loop, in processes with the worker role.

An erasure that was killed or failed at any point continues with its next step. Finished erasures look again, in rounds,
for values that arrived meanwhile.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import orjson
import structlog
from sqlalchemy import func, select

from cloud.access.audit import Audit
from cloud.clinical.waveforms import OrphanSweeper, name_before, waveform_objects
from cloud.foundation.errors import DomainError
from cloud.foundation.moments import write_moment
from cloud.foundation.retention import DAY_US
from cloud.foundation.stopping import pause
from cloud.foundation.viewer import Actor
from cloud.vehicles.erasure.envelope_phases import erase_envelopes, erase_quarantine
from cloud.vehicles.erasure.errors import StepTaken
from cloud.vehicles.erasure.model import Erasure, Phase, Progress
from cloud.vehicles.erasure.object_walk import ObjectWalk
from cloud.vehicles.erasure.place import ErasingPlace
from cloud.vehicles.erasure.reply_phase import erase_replies
from cloud.vehicles.erasure.row_phases import erase_care, erase_minutes, erase_rows
from cloud.vehicles.erasure.waveform_phase import erase_waveforms
from cloud.vehicles.ingest import LATE_US, staged_of
from cloud.vehicles.packing import BatchesPacked

EVERY_S = 60.0
"""Seconds between two turns. An operator sees the first step within a minute."""
REST_S = 0.02
"""Seconds between two steps, for queued writers."""
ROUND_US = 3_600_000_000
"""Interval in which a finished erasure looks for values that arrived meanwhile. A round takes some ten look-ups in
indexes for each device of the encounter, so a thousand erasures take some seconds an hour."""

_PHASES: Mapping[Phase, Callable[[ErasingPlace, Erasure, list[int]], Awaitable[Progress]]] = {
    Phase.ROWS: erase_rows,
    Phase.MINUTES: erase_minutes,
    Phase.WAVEFORMS: erase_waveforms,
    Phase.CARE: erase_care,
    Phase.ENVELOPES: erase_envelopes,
    Phase.QUARANTINE: erase_quarantine,
    Phase.REPLIES: erase_replies,
}

log = structlog.get_logger()


class Eraser:
    """Does the work of all erasures of one database."""

    def __init__(self, place: ErasingPlace, *, rest_s: float = REST_S) -> None:
        self._place = place
        self._rest_s = rest_s
        self._store = place.store
        self._audit = Audit(place.clock)
        self._walk_failures: dict[str, str] = {}
        """The sentence of the failure that ended the last walk through the objects of a tenant."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Work every `EVERY_S` seconds until a stop is requested."""
        while not stopping.is_set():
            try:
                await self.turn(stopping)
            except DomainError as error:
                log.warning("erasure.interrupted", code=error.code)
            await pause(stopping, EVERY_S)

    async def turn(self, stopping: asyncio.Event | None = None) -> None:
        """Do all steps that can be done now."""
        stopping = stopping or asyncio.Event()
        await self._work(stopping)
        async with self._place.database.read() as tx:
            walks = await self._store.walks(tx)
        for tenant_id, after_name in walks:
            self._walk_failures.pop(tenant_id, None)
            try:
                await ObjectWalk(self._place, tenant_id).advance(after_name, stopping)
            except DomainError as error:  # the other tenants continue
                log.warning("erasure.walk_interrupted", tenant=tenant_id, code=error.code)
                self._walk_failures[tenant_id] = error.sentence
        while not stopping.is_set() and await self._begin_round():
            pass
        await self._work(stopping)

    async def _work(self, stopping: asyncio.Event) -> None:
        async with self._place.database.read() as tx:
            unfinished = await self._store.unfinished(tx)
        for erasure in unfinished:
            try:
                while not stopping.is_set() and await self.step(erasure.erasure_id):
                    await pause(stopping, self._rest_s)
            except StepTaken:
                continue  # another process works on it
            except DomainError as error:
                log.warning("erasure.step_failed", erasure=erasure.erasure_id, code=error.code)
                async with self._place.database.transaction() as tx:
                    current = await self._store.find(tx, erasure.erasure_id)
                    if current is not None:
                        await self._store.fail(tx, current, error.sentence)

    async def _begin_round(self) -> bool:
        now_us = self._place.clock.now_us()
        async with self._place.database.transaction() as tx:
            return await self._store.begin_round(tx, now_us - ROUND_US, now_us)

    async def step(self, erasure_id: str) -> bool:
        """Do the next step of an erasure. Return False if it has ended or must wait."""
        async with self._place.database.read() as tx:
            erasure = await self._store.find(tx, erasure_id)
        if erasure is None or erasure.phase is Phase.DONE:
            return False
        if (name := await self._staged_before(erasure)) is not None:
            progress = Progress(None, waits_for=f"batches of {name} that are not written, see argus-cloud doctor")
        elif erasure.phase in _PHASES:
            try:
                progress = await _PHASES[erasure.phase](self._place, erasure, orjson.loads(erasure.position))
            except BatchesPacked as packed:  # nothing of the step was stored, and it is done again
                for name in packed.names:
                    await self._place.unpacker.unpack(name)
                return True
        elif erasure.phase is Phase.OBJECTS:
            progress = await self._objects(erasure)
        elif erasure.phase is Phase.FORMER_OBJECTS:
            progress = await self._former_objects(erasure)
        else:
            progress = await self._end(erasure)
        if progress.waits_for is not None:
            async with self._place.database.transaction() as tx:
                await self._store.fail(tx, erasure, f"It waits for {progress.waits_for}.")
        return progress.waits_for is None

    async def _staged_before(self, erasure: Erasure) -> str | None:
        """Return the name of a staged object for which an erasure must wait, since its batches may be of the encounter.
        The search begins when the rows are written of all that was staged before the request. What cannot be written
        for long delays only its end."""
        is_search = erasure.phase is Phase.ROWS and erasure.position == "[]"
        if erasure.finished_at_us is not None or not (is_search or erasure.phase is Phase.LOG):
            return None
        if self._place.objects is None:
            return None
        late_us = self._place.clock.now_us() - LATE_US
        before_us = max(late_us, erasure.requested_at_us)
        return await staged_of(self._place.objects, erasure.tenant_id, before_us, since_us=late_us if is_search else 0)

    async def _objects(self, erasure: Erasure) -> Progress:
        """Begin the walk through the tenant's objects at the encounter, and wait until it has searched them."""
        async with self._place.step(erasure) as step:
            if self._place.objects is None:
                step.progress = Progress(None)
            elif erasure.finished_at_us is None and erasure.position == "[]":
                begin = name_before(erasure.tenant_id, max(0, erasure.from_us - DAY_US))
                await self._store.walk_from(step.tx, erasure.tenant_id, begin)
                step.progress = Progress([1])
            elif await self._store.walked_through_us(step.tx, erasure.tenant_id) == 0:
                failure = self._walk_failures.get(erasure.tenant_id)
                waits_for = "the search through the packed objects"
                return Progress(None, waits_for=waits_for if failure is None else f"{waits_for}: {failure}")
            else:
                step.progress = Progress(None)
        return step.progress

    async def _former_objects(self, erasure: Erasure) -> Progress:
        """Remove the objects that were rewritten, when no reader needs them any more."""
        if self._place.objects is not None:
            sweeper = OrphanSweeper(self._place.database, self._place.objects, self._place.clock)
            await sweeper.remove_unused(asyncio.Event())
        table = waveform_objects.c
        mine = (table.tenant_id == erasure.tenant_id, table.unused_us.is_not(None))
        last = select(func.max(table.unused_us)).where(*mine)
        async with self._place.step(erasure) as step:
            last_us = (await step.tx.execute(last)).scalar()
            if last_us is not None:
                due = f"the last of which may be removed from {write_moment(last_us)} on"
                return Progress(None, waits_for=f"the removal of unused objects, {due}")
            step.progress = Progress(None)
        return step.progress

    async def _end(self, erasure: Erasure) -> Progress:
        """Empty SQLite's log, which has the former content of changed pages, and finish. In later rounds its ordinary
        checkpoints overwrite it."""
        if erasure.finished_at_us is None and not await self._place.database.empty_log():
            return Progress(None, waits_for="the readers of SQLite's log")
        async with self._place.step(erasure) as step:
            step.progress = Progress(None)
            if erasure.finished_at_us is None:
                actor, details = Actor.operator(erasure.tenant_id), {"erasure_id": erasure.erasure_id}
                await self._audit.record(step.tx, actor, "encounter.erased", erasure.encounter_id, metadata=details)
        return step.progress
