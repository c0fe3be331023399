"""A kind of job for tests: it counts, and records each number in the audit trail by the effect of a step."""

from pydantic import BaseModel

from cloud.access.audit import Audit
from cloud.foundation.clock import Clock
from cloud.foundation.db import Transaction
from cloud.work.jobs import Advance, Effect, Finish, JobFailure, JobKind, JobResult, RunningJob, always

KIND = "test.count"
LONG_KIND = "test.count_slowly"
"""The same with long steps."""
COUNTED = "job.counted"
"""The action in the audit trail; the object is the job's id and the number."""


class CountPayload(BaseModel):
    """The number up to which a job counts, and the number at which it fails for good (0: none)."""

    until: int = 3
    fails_at: int = 0


class CountState(BaseModel):
    """The numbers that are counted."""

    counted: int = 0


class Counting:
    """Counts one number in each step. A subclass changes a step."""

    def __init__(self, clock: Clock) -> None:
        self._audit = Audit(clock)

    async def step(self, job: RunningJob[CountPayload, CountState]) -> Advance[CountState] | Finish:
        number = job.state.counted + 1
        if number == job.payload.fails_at:
            raise JobFailure("number_refused", f"The number {number} cannot be counted.")
        if number > job.payload.until:
            return Finish(JobResult(f"results/{job.id}.json", "application/json", 2), self._recording(job, "end"))
        progress_pct = 100 * number // job.payload.until
        return Advance(CountState(counted=number), progress_pct, self._recording(job, str(number)))

    async def discard(self, job: RunningJob[CountPayload, CountState]) -> None:
        """Record nothing: there is nothing to discard."""

    def _recording(self, job: RunningJob[CountPayload, CountState], what: str) -> Effect:
        async def record(tx: Transaction) -> None:
            await self._audit.record(tx, job.actor, COUNTED, f"{job.id}/{what}")

        return record


KINDS = tuple(
    JobKind(
        name=name,
        description="Count",
        payload=CountPayload,
        state=CountState,
        work=lambda process: Counting(process.clock),
        scopes=always(),
        has_long_steps=name == LONG_KIND,
    )
    for name in (KIND, LONG_KIND)
)
