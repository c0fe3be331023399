"""The backlog of webhook deliveries as metrics: the number of unfinished deliveries and the longest delay."""

from sqlalchemy import func, select

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.observability import WEBHOOK_LATE_SECONDS, WEBHOOKS_WAITING, Metrics, Sampler
from cloud.partners.webhooks.tables import webhook_deliveries

_rows = webhook_deliveries.c
SECOND_US = 1_000_000


def webhooks_sampler(database: Database, clock: Clock) -> Sampler:
    """Return a sampler of two metrics: the number of unfinished deliveries, including planned retries, and the seconds
    for which the oldest due delivery has been due (0 when none is due). The queries of the metrics use partial indexes.
    """
    unfinished = select(func.count()).select_from(webhook_deliveries).where(_rows.finished_at_us.is_(None))
    first = select(func.min(_rows.due_at_us)).where(_rows.due_at_us.is_not(None))

    async def sample(metrics: Metrics) -> None:
        async with database.read() as tx:
            count, due_us = (await tx.execute(unfinished)).scalar(), (await tx.execute(first)).scalar()
        late_us = 0 if due_us is None else max(0, clock.now_us() - int(due_us))
        metrics.set(WEBHOOKS_WAITING, int(count or 0))
        metrics.set(WEBHOOK_LATE_SECONDS, late_us / SECOND_US)

    return sample
