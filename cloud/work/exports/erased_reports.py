"""Let the archives of reports expire that have the report of an erased encounter.

A file of many encounters cannot be erased in part, and a registry can export the others again. Other exports have no
identity of a patient, and are kept. The audit trail has the jobs that read an encounter, also one that reads it while
it is erased, so each turn looks at all erasures since the oldest archive was begun.
"""

from collections.abc import AsyncIterator

from sqlalchemy import select

from cloud.access.audit import Audit, AuditEntry, AuditFilter
from cloud.clinical.epcr import IDENTIFIED_READ, erased_encounters
from cloud.foundation.clock import Clock
from cloud.foundation.db import Transaction
from cloud.foundation.housekeeping import Chore
from cloud.foundation.jobs import Jobs
from cloud.foundation.process import Process
from cloud.foundation.retention import DAY_US
from cloud.foundation.viewer import Actor
from cloud.work.exports.schemas import ExportFormat
from cloud.work.jobs import JobStore

ERASURES_MAX = 1_000
"""Erasures of a turn, the latest ones. An operator requests each of them, and some weeks have few."""
ENTRIES_AT_ONCE = 500
"""Audit entries of one encounter that are read at once."""

CLOCKS_APART_US = DAY_US
"""Time by which an erasure or a reading may seem older than the job that it concerns: their times come from different
machines, and an erasure has the time at which its transaction began."""

_erased = erased_encounters.c


class ErasedReports:
    """The chore that expires archives."""

    def __init__(self, clock: Clock) -> None:
        self._audit = Audit(clock)
        self._jobs = JobStore()

    async def expire(self, tx: Transaction, now_us: int) -> int:
        """Expire the archives that have an erased encounter; return their number."""
        live = await self._jobs.with_results(tx, "export.bulk", f'"{ExportFormat.NEMSIS}"', now_us)
        if not live:
            return 0
        tenants = {job.tenant_id for job in live}
        since_us = min(job.created_at_us for job in live) - CLOCKS_APART_US
        statement = (
            select(_erased.tenant_id, _erased.encounter_id)
            .where(_erased.tenant_id.in_(sorted(tenants)), _erased.requested_at_us >= since_us)
            .order_by(_erased.requested_at_us.desc())
            .limit(ERASURES_MAX)
        )
        read: set[str] = set()
        for row in await tx.execute(statement):
            async for entry in self._readings(tx, row.tenant_id, row.encounter_id, since_us):
                read.add(str(entry.metadata.get("job")))
        expired = await self._jobs.expire_results(tx, [job.id for job in live if job.id in read], now_us)
        for job in live:
            if job.id in expired:  # and not by another worker meanwhile
                await self._audit.record(tx, Actor.operator(job.tenant_id), "export.expired", job.id)
        return len(expired)

    async def _readings(
        self, tx: Transaction, tenant_id: str, encounter_id: str, since_us: int
    ) -> AsyncIterator[AuditEntry]:
        """Yield the readings of an encounter with the identity of its patient."""
        wanted = AuditFilter(action=IDENTIFIED_READ, object=encounter_id, since_us=since_us)
        before: tuple[int, int] | None = None
        while True:
            page = await self._audit.search(tx, Actor.operator(tenant_id), wanted, before=before, count=ENTRIES_AT_ONCE)
            for entry in page:
                yield entry
            if len(page) < ENTRIES_AT_ONCE:
                return
            before = page[-1].at_us, page[-1].id


def jobs(process: Process) -> Jobs:
    return Jobs(chores=[Chore("erased_reports", ErasedReports(process.clock).expire)])
