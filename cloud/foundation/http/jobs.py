"""The retention of idempotency keys and spans, and the chore that deletes unused rate limits."""

from sqlalchemy import func, select

from cloud.foundation.db import Transaction, delete_chunk
from cloud.foundation.housekeeping import Chore
from cloud.foundation.http.idempotency import WINDOW_US
from cloud.foundation.http.rate_store import sweep_rates
from cloud.foundation.http.tables import idempotency_keys, spans
from cloud.foundation.jobs import Jobs
from cloud.foundation.process import Process
from cloud.foundation.retention import AgedRows, Kind, Terms

SPANS_MAX = 2_000_000
"""Greatest number of stored spans, whatever their age: about a day of 20 requests a second, and 1 GB."""


class SpanRows(AgedRows):
    """The sweep of spans: those past their period, then the oldest ones in excess of `SPANS_MAX`."""

    def __init__(self) -> None:
        super().__init__(spans, spans.c.ended_at_us)

    async def delete_chunk(self, tx: Transaction, terms: Terms, now_us: int) -> int:
        expired = await super().delete_chunk(tx, terms, now_us)
        newest = (await tx.execute(select(func.max(spans.c.id)))).scalar()
        if expired or newest is None:
            return expired
        return await delete_chunk(tx, spans, spans.c.id <= newest - SPANS_MAX, oldest=spans.c.id)


KINDS = (
    Kind(
        name="spans",
        meaning=f"spans of requests, and never more than {SPANS_MAX} of all tenants",
        default_days=3,
        is_evidence=False,
        sweep=SpanRows,
    ),
    Kind(
        name="idempotency_keys",
        meaning="replies to requests with an Idempotency-Key; a repeated request gets its reply for one day",
        default_days=1,
        is_evidence=False,
        sweep=lambda: AgedRows(idempotency_keys, idempotency_keys.c.expires_at_us, ahead_us=WINDOW_US),
    ),
)


def jobs(_process: Process) -> Jobs:
    return Jobs(chores=[Chore("rate_buckets", sweep_rates)])
