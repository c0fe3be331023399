"""Delete the results and the payloads of jobs when their retention is over. The record of the job stays (contract
matrix C-171).

A payload may name thousands of people, and nothing needs it when the job has ended and has no result: lists and pages
do not show it, and the response for an idempotency key is stored with the key. With a result, it states the scopes that
fetching the result needs.
"""

from sqlalchemy import ColumnElement, literal_column, select, update

from cloud.foundation.db import Transaction
from cloud.foundation.objects import Results
from cloud.foundation.retention import DAY_US
from cloud.work.jobs.tables import NO_PAYLOAD, jobs

RESULTS_AT_ONCE = 50
"""Results of one transaction. Each costs three statements, and its payload may have 700 kB."""
PAYLOADS_AT_ONCE = 50

_jobs = jobs.c


class ResultExpiry:
    """The chore that deletes expired results, with the payloads of their jobs."""

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
            nothing = {"result_object": None, "result_media_type": None, "result_bytes": None, "payload": NO_PAYLOAD}
            await tx.execute(update(jobs).where(_jobs.id.in_(ids)).values(nothing))
        return len(ids)


class PayloadExpiry:
    """The chore that deletes the payloads of ended jobs without a result, `result_days` days after their end."""

    def __init__(self, result_days: int) -> None:
        self._kept_us = result_days * DAY_US

    async def delete_chunk(self, tx: Transaction, now_us: int) -> int:
        """Delete payloads, at most `PAYLOADS_AT_ONCE`; return their number. A job that awaits its clean-up keeps its
        payload, since it names what is to be removed."""
        ended: tuple[ColumnElement[bool], ...] = (
            _jobs.completed_at_us.is_not(None),
            _jobs.result_object.is_(None),
            # SQLite uses a partial index only where the query repeats its condition literally.
            literal_column("payload") != literal_column(f"'{NO_PAYLOAD}'"),
        )
        due = (
            select(_jobs.id)
            .where(*ended, _jobs.completed_at_us <= now_us - self._kept_us)
            .where(_jobs.due_at_us.is_(None), _jobs.lease_until_us.is_(None))
            .order_by(_jobs.completed_at_us)
            .limit(PAYLOADS_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        ids = [row.id for row in await tx.execute(due)]
        if ids:
            await tx.execute(update(jobs).where(_jobs.id.in_(ids)).values(payload=NO_PAYLOAD))
        return len(ids)
