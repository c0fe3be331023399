"""The backlog of deliveries for monitoring: their number, and the delay of the one that has been due longest."""

from dataclasses import dataclass

from sqlalchemy import func, select

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.observability import WEBHOOK_LATE_SECONDS, WEBHOOKS_WAITING, Metrics, Sampler
from cloud.partners.webhooks.tables import webhook_deliveries

_rows = webhook_deliveries.c
SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Backlog:
    """The backlog. `deliveries` counts unfinished ones, including those whose next attempt is in the future. `late_us`
    is the time for which the oldest due one has been due, 0 when none is.
    """

    deliveries: int
    late_us: int


async def read_backlog(database: Database, now_us: int) -> Backlog:
    """Return the present backlog, by two queries on partial indexes."""
    async with database.read() as tx:
        unfinished = select(func.count()).select_from(webhook_deliveries).where(_rows.finished_at_us.is_(None))
        first = select(func.min(_rows.due_at_us)).where(_rows.due_at_us.is_not(None))
        count, due_us = (await tx.execute(unfinished)).scalar(), (await tx.execute(first)).scalar()
    return Backlog(int(count or 0), 0 if due_us is None else max(0, now_us - int(due_us)))


def webhooks_sampler(database: Database, clock: Clock) -> Sampler:
    """Return a sampler that sets both metrics at a scrape."""

    async def sample(metrics: Metrics) -> None:
        found = await read_backlog(database, clock.now_us())
        metrics.set(WEBHOOKS_WAITING, found.deliveries)
        metrics.set(WEBHOOK_LATE_SECONDS, found.late_us / SECOND_US)

    return sample
