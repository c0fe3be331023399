"""Let a job succeed with a stored result, which is stored once for each content of a tenant."""

from typing import Any

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.objects import Download, Result, Results, StoredObject
from cloud.work.jobs.errors import ResultPlaceChanged
from cloud.work.jobs.kind import Effect, Finish, RunningJob
from cloud.work.jobs.model import JobResult


class ResultKeeper:
    """Makes the last outcome of jobs that have a result."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._results = Results()

    async def finish(
        self, job: RunningJob[Any, Any], stored: StoredObject, download: Download, effect: Effect | None = None
    ) -> Finish:
        """Return the outcome with which a job succeeds. Its result is `stored`, or the object of the same content that
        the tenant has already: `stored` is then removed by the next sweep. `effect` is made in the same transaction."""
        tenant_id = job.actor.tenant_id
        async with self._database.read() as tx:
            name = await self._results.kept_name(tx, tenant_id, stored)

        async def keep(tx: Transaction) -> None:
            kept = await self._results.keep(tx, Result(job.id, tenant_id, stored, download), self._clock.now_us())
            if kept != name:
                raise ResultPlaceChanged
            if effect is not None:
                await effect(tx)

        return Finish(JobResult(name, download.media_type, stored.size_bytes), keep)
