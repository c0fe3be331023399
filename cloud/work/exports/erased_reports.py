"""Let the archives of reports expire that have the report of an erased encounter.

A file of many encounters cannot be erased in part, and a registry can export the others again. Other exports have no
identity of a patient, and are kept. The audit trail has the jobs that read an encounter, also one that reads it while
it is erased, so each round looks at all erasures since the oldest archive of the tenant was begun.

A round takes many small transactions, each for one tenant. The tenants take turns, so that one with many erasures does
not delay the archives of another.
"""

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import and_, or_, select

from cloud.access.audit import Audit, AuditFilter
from cloud.clinical.epcr import IDENTIFIED_READ, erased_encounters
from cloud.foundation.clock import Clock
from cloud.foundation.db import Transaction
from cloud.foundation.housekeeping import Chore
from cloud.foundation.jobs import Jobs
from cloud.foundation.process import Process
from cloud.foundation.retention import DAY_US
from cloud.foundation.viewer import Actor
from cloud.work.exports.schemas import ExportFormat
from cloud.work.jobs import Job, JobStore

PAGES_MAX = 50
"""Pages of the audit trail that one transaction reads, in some tens of milliseconds. An encounter has one, unless its
report was read very often."""
ENTRIES_AT_ONCE = 500
"""Audit entries in a page."""
TENANTS_AT_ONCE = 50
"""Tenants without erasures that one transaction passes over: some milliseconds."""

CLOCKS_APART_US = DAY_US
"""Time by which an erasure or a reading may seem older than the job that it concerns: their times come from different
machines, and an erasure has the time at which its transaction began."""

_erased = erased_encounters.c


@dataclass(slots=True)
class _Round:
    """The position of a round in the erasures of a tenant with the archives `job_ids`, which were begun after
    `since_us`: behind the erasure `after` (its time and encounter), and in the readings of the encounter `before`,
    newest first, behind an audit entry. Before the next turn, an erasure of an earlier time may come between."""

    tenant_id: str
    job_ids: set[str]
    since_us: int
    after: tuple[int, str] = field(init=False)
    before: tuple[str, tuple[int, int]] | None = None

    def __post_init__(self) -> None:
        self.after = self.since_us, ""


class ErasedReports:
    """The chore that expires archives. Its position is in memory, since a lost one is only another round."""

    def __init__(self, clock: Clock) -> None:
        self._audit = Audit(clock)
        self._jobs = JobStore()
        self._rounds = deque[_Round]()
        self._has_begun = False

    async def expire(self, tx: Transaction, now_us: int) -> int:
        """Examine some erasures of the next tenant that has any, and expire its archives that have one of the
        encounters. Return the number of pages that were read, at least 1, or 0 at the end of a round."""
        if not self._rounds and not self._has_begun:
            live = await self._jobs.with_results(tx, "export.bulk", f'"{ExportFormat.NEMSIS}"', now_us)
            self._rounds.extend(_rounds(live))
        self._has_begun = bool(self._rounds)
        for _ in range(min(TENANTS_AT_ONCE, len(self._rounds))):
            # If the transaction is rolled back, the next round examines the same erasures.
            one = self._rounds.popleft()
            erasures = await self._erasures(tx, one)
            if erasures:
                return await self._examine(tx, one, deque(erasures), now_us)
        self._has_begun = bool(self._rounds)
        return int(self._has_begun)

    async def _erasures(self, tx: Transaction, one: _Round) -> Sequence[tuple[int, str]]:
        """Return the times and encounters of the next erasures of a tenant, oldest first."""
        at_us, encounter_id = one.after
        same_time = and_(_erased.requested_at_us == at_us, _erased.encounter_id > encounter_id)
        statement = (
            select(_erased.requested_at_us, _erased.encounter_id)
            # The first time bounds the search in the index, which an alternative of two conditions does not.
            .where(_erased.tenant_id == one.tenant_id, _erased.requested_at_us >= at_us)
            .where(or_(_erased.requested_at_us > at_us, same_time))
            .order_by(_erased.requested_at_us, _erased.encounter_id)
            .limit(PAGES_MAX)
        )
        return [(row.requested_at_us, row.encounter_id) for row in await tx.execute(statement)]

    async def _examine(self, tx: Transaction, one: _Round, erasures: deque[tuple[int, str]], now_us: int) -> int:
        """Expire the archives for which one of these encounters was read; return the number of pages that were read."""
        actor, read, pages, may_have_more = Actor.operator(one.tenant_id), set[str](), 0, len(erasures) == PAGES_MAX
        while erasures and pages < PAGES_MAX:
            encounter_id = erasures[0][1]
            wanted = AuditFilter(action=IDENTIFIED_READ, object=encounter_id, since_us=one.since_us)
            before = one.before[1] if one.before is not None and one.before[0] == encounter_id else None
            page = await self._audit.search(tx, actor, wanted, before=before, count=ENTRIES_AT_ONCE)
            pages += 1
            read.update(str(entry.metadata.get("job")) for entry in page)
            if len(page) < ENTRIES_AT_ONCE:
                one.after, one.before = erasures.popleft(), None
            else:
                one.before = encounter_id, (page[-1].at_us, page[-1].id)
        if erasures or may_have_more:
            self._rounds.append(one)
        # One that another worker has expired meanwhile is left out.
        expired = await self._jobs.expire_results(tx, sorted(one.job_ids & read), now_us) if read else ()
        for job_id in sorted(expired):
            await self._audit.record(tx, actor, "export.expired", job_id)
        return pages


def _rounds(live: Sequence[Job]) -> list[_Round]:
    """Return the rounds of the tenants that have these archives."""
    of_tenant = defaultdict[str, list[Job]](list)
    for job in live:
        of_tenant[job.tenant_id].append(job)
    return [
        _Round(tenant_id, {job.id for job in found}, min(job.created_at_us for job in found) - CLOCKS_APART_US)
        for tenant_id, found in sorted(of_tenant.items())
    ]


def jobs(process: Process) -> Jobs:
    return Jobs(chores=[Chore("erased_reports", ErasedReports(process.clock).expire)])
