"""Jobs of the kind `test.count` on one database, with workers and a clock that the test moves."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, text

from cloud.access.audit.tables import audit_entries
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Prepared, Transaction
from cloud.foundation.tracing import Spans
from cloud.work.jobs import Job, JobWork
from cloud.work.jobs.execution import JobExecutor
from cloud.work.jobs.worker import CLAIMED_MAX, JobWorker
from tests.builders.cloud_people import HandClock
from tests.builders.counting_jobs import COUNTED, KINDS, Counting
from tests.builders.job_rows import JobRows

_ANY = Prepared(text("SELECT 1"))


class JobStory(JobRows):
    """Jobs and their worker. `ended` are the jobs whose end was reported, in this order."""

    def __init__(self, database: Database, work: JobWork[Any, Any] | None = None, slots: int = 4) -> None:
        super().__init__(database, HandClock())
        self.ended: list[Job] = []
        self.spans = Spans(database)
        self.worker = self.another_worker(work, slots=slots)

    def another_worker(
        self,
        work: JobWork[Any, Any] | None = None,
        *,
        slots: int = 4,
        batch: int = CLAIMED_MAX,
        database: Database | None = None,
        clock: Clock | None = None,
    ) -> JobWorker:
        """Return the worker of another process, on the same database or on the given one."""
        database, clock = database or self.database, clock or self.clock
        executor = self.executor(work or Counting(clock), database, clock)
        return JobWorker(database, clock, executor, slots, batch=batch)

    def executor(self, work: JobWork[Any, Any], database: Database, clock: Clock) -> JobExecutor:
        """Return what runs the jobs of a worker, and settles them."""
        kinds = {kind.name: kind for kind in KINDS}
        return JobExecutor(database, clock, kinds, lambda kind: work, [self._report], result_days=30, spans=self.spans)

    async def _report(self, tx: Transaction, ended: Sequence[Job]) -> None:
        """Note the jobs by the end of the transaction, unless an earlier statement of it fails."""
        await tx.driver.run_later(_ANY, {}, lambda _: self.ended.extend(ended))

    async def count_up_to(self, until: int, count: int = 1, **values: Any) -> list[str]:
        """Enqueue jobs that count to `until`; return their ids."""
        return await self.enqueue(count, payload=f'{{"until":{until}}}', **values)

    async def later(self, us: int) -> int:
        """Move the clock, and let the worker do what is due then; return the number of claimed jobs."""
        self.clock.advance(us=us)
        return await self.worker.step()

    async def counted(self) -> list[str]:
        """Return what the effects of steps have recorded, in the order of the records."""
        entries = audit_entries.c
        statement = select(entries.object).where(entries.action == COUNTED).order_by(entries.id)
        async with self.database.read() as tx:
            return [row.object for row in await tx.execute(statement)]
