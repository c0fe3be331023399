"""Delete the results of jobs when their retention is over. The record of the job stays (contract matrix C-171)."""

from sqlalchemy import select, update

from cloud.foundation.db import Transaction
from cloud.foundation.objects import Results
from cloud.work.jobs.tables import jobs

RESULTS_AT_ONCE = 200
"""Results of one transaction. Each costs three statements, so all of them take a fraction of a second."""

_jobs = jobs.c


class ResultExpiry:
    """The chore that deletes expired results."""

    def __init__(self) -> None:
        self._results = Results()

    async def delete_chunk(self, tx: Transaction, now_us: int) -> int:
        """Give up the results that have expired, at most `RESULTS_AT_ONCE`; return their number. The sweep of results
        removes each object that nothing refers to any more."""
        expired = (
            select(_jobs.id)
            .where(_jobs.result_object.is_not(None), _jobs.result_expires_at_us <= now_us)
            .order_by(_jobs.result_expires_at_us)
            .limit(RESULTS_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        ids = [row.id for row in await tx.execute(expired)]
        if ids:
            await self._results.release(tx, ids, now_us)
            nothing = {"result_object": None, "result_media_type": None, "result_bytes": None}
            await tx.execute(update(jobs).where(_jobs.id.in_(ids)).values(nothing))
        return len(ids)
