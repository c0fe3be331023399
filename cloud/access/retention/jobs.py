"""The chores that delete expired data of every kind and record the database's size, and the metric of the lag."""

from collections.abc import Sequence

from cloud.access.retention.storage import OBJECT_BYTES, StorageRecord
from cloud.access.retention.store import RetentionStore
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.housekeeping import Chore
from cloud.foundation.jobs import Jobs
from cloud.foundation.objects import LocalObjects, object_store_of
from cloud.foundation.observability import RETENTION_LAG_SECONDS, Metrics, Sampler
from cloud.foundation.process import Process, Role
from cloud.foundation.retention import Kind, Sweep, kinds


class Expiry:
    """Deletes the expired data of one kind, chunk by chunk."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.sweep: Sweep = kind.sweep()
        self._store = RetentionStore()

    async def delete_chunk(self, tx: Transaction, now_us: int) -> int:
        """Handle one chunk under the periods and holds that are in force; return the number of examined rows."""
        return await self.sweep.delete_chunk(tx, await self._store.terms(tx, self.kind), now_us)

    async def lag_us(self, tx: Transaction, now_us: int) -> int:
        """Return how long ago the period of the oldest expired row ended; 0 when no expired row is left."""
        oldest_us = await self.sweep.oldest_us(tx, await self._store.terms(tx, self.kind), now_us)
        return 0 if oldest_us is None else now_us - oldest_us


def jobs(process: Process) -> Jobs:
    each = [Expiry(kind) for kind in kinds().values()]
    chores = [Chore(one.kind.name, one.delete_chunk) for one in each]
    is_local = isinstance(object_store_of(process.settings), LocalObjects)
    record = StorageRecord(process.supplies[OBJECT_BYTES] if is_local else None)
    chores.append(Chore("storage_days", record.record))
    if Role.WORKER not in process.roles:
        return Jobs(chores=chores)
    # In other processes the sweeps do not advance, so each scrape would read again what is kept longer.
    return Jobs(chores=chores, samplers=[("retention", lag_sampler(process.database, process.clock, each))])


def lag_sampler(database: Database, clock: Clock, each: Sequence[Expiry]) -> Sampler:
    """Return the function that sets, at each scrape, how long ago the oldest data of each kind expired."""

    async def sample(metrics: Metrics) -> None:
        for one in each:
            async with database.read() as tx:
                lag_us = await one.lag_us(tx, clock.now_us())
            metrics.set(RETENTION_LAG_SECONDS, lag_us // 1_000_000, one.kind.name)

    return sample
