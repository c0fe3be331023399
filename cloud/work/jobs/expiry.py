"""Delete the results and the payloads of jobs when their retention is over. The record of the job stays (contract
matrix C-171).

A payload may name thousands of people, and nothing needs it when the job has ended and has no result: lists and pages
do not show it, and the response for an idempotency key is stored with the key. With a result, it states the scopes that
fetching the result needs.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, literal_column, select, update

from cloud.foundation.db import Transaction
from cloud.foundation.objects import Results
from cloud.foundation.retention import DAY_US
from cloud.foundation.steps import missing_indexes
from cloud.work.jobs.tables import ENDED_WITH_PAYLOAD, NO_PAYLOAD, jobs

RESULTS_AT_ONCE = 50
"""Results of one transaction. Each costs three statements, and its payload may have 700 kB."""
PAYLOADS_AT_ONCE = 50
EXAMINED_AT_ONCE = 1_000
"""Jobs that one transaction examines without the index of payloads: some milliseconds."""

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
    """The chore that deletes the payloads of ended jobs without a result, `result_days` days after their end.

    A large table lacks the index for this until a background step has built it, on SQLite until the operator lets it.
    Until then, the chore walks through the jobs by their ids. Its position is in memory, since a lost one is only
    another walk.
    """

    def __init__(self, result_days: int) -> None:
        self._kept_us = result_days * DAY_US
        self._has_index = False
        self._examined_to = ""

    async def delete_chunk(self, tx: Transaction, now_us: int) -> int:
        """Delete payloads, at most `PAYLOADS_AT_ONCE`. Return their number, in a walk at least 1 before its end. A job
        that awaits its clean-up keeps its payload, since it names what is to be removed."""
        if not self._has_index:
            self._has_index = all(one.name != ENDED_WITH_PAYLOAD for one in await missing_indexes(tx))
        if not self._has_index:
            return await self._walk(tx, now_us)
        return len(await self._delete(tx, now_us, _jobs.completed_at_us))

    async def _walk(self, tx: Transaction, now_us: int) -> int:
        """Delete payloads of the next `EXAMINED_AT_ONCE` jobs."""
        after = _jobs.id > self._examined_to
        examined = select(_jobs.id).where(after).order_by(_jobs.id).limit(EXAMINED_AT_ONCE).subquery()
        last: str | None = (await tx.execute(select(func.max(examined.c.id)))).scalar()
        if last is None:
            self._examined_to = ""
            return 0
        ids = await self._delete(tx, now_us, _jobs.id, after, _jobs.id <= last)
        self._examined_to = ids[-1] if len(ids) == PAYLOADS_AT_ONCE else last
        return max(1, len(ids))

    async def _delete(
        self, tx: Transaction, now_us: int, order: ColumnElement[Any], *among: ColumnElement[bool]
    ) -> Sequence[str]:
        """Delete due payloads in this order; return the ids of their jobs."""
        due = (
            select(_jobs.id)
            .where(
                *among,
                _jobs.completed_at_us.is_not(None),
                _jobs.completed_at_us <= now_us - self._kept_us,
                _jobs.result_object.is_(None),
                # SQLite uses a partial index only where the query repeats its condition literally.
                literal_column("payload") != literal_column(f"'{NO_PAYLOAD}'"),
                _jobs.due_at_us.is_(None),
                _jobs.lease_until_us.is_(None),
            )
            .order_by(order)
            .limit(PAYLOADS_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        ids = [row.id for row in await tx.execute(due)]
        if ids:
            await tx.execute(update(jobs).where(_jobs.id.in_(ids)).values(payload=NO_PAYLOAD))
        return ids
