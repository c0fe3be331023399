"""Let a job succeed with a stored result, which is stored once for each content of a tenant."""

from typing import Any

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.objects import Download, Result, Results, StoredObject, may_be_removed
from cloud.work.jobs.errors import ResultPlaceChanged
from cloud.work.jobs.kind import Effect, Finish, JobFailure, RunningJob
from cloud.work.jobs.model import JobResult


class ResultAbandoned(JobFailure):
    """The job did not run for a day after it had stored its result, and such a result is removed.

    A kind whose steps may be made again catches it and begins again. Otherwise the job fails with this reason.
    """

    def __init__(self) -> None:
        sentence = "The job was interrupted for a day, so its result was removed. Start a new job."
        super().__init__("result_abandoned", sentence, retryable=True)


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
        the tenant has already: `stored` is then removed by the next sweep. `effect` is made in the same transaction.
        Raises `ResultAbandoned` if the object may have been removed, since the job did not run for a day."""
        tenant_id = job.actor.tenant_id
        async with self._database.read() as tx:
            name = await self._results.kept_name(tx, tenant_id, stored)
        if name == stored.name and may_be_removed(stored, self._clock.now_us()):
            raise ResultAbandoned

        async def keep(tx: Transaction) -> None:
            kept = await self._results.keep(tx, Result(job.id, tenant_id, stored, download), self._clock.now_us())
            if kept != name:
                raise ResultPlaceChanged
            if effect is not None:
                await effect(tx)

        return Finish(JobResult(name, download.media_type, stored.size_bytes), keep)
