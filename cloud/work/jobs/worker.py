"""The worker that runs jobs: claim due ones, run their steps, settle them.

Several workers may run, in one process or many; they coordinate through the rows of the jobs. One transaction settles
the jobs that have ended and claims new ones, so that short jobs share the cost of a commit. A beat renews the leases
and stops the jobs that were cancelled. A job gives up its slot after a step if another tenant has a due job and none
that runs. Jobs with long steps, which seldom can, get all slots but one at most, and those of one tenant all but two.
A stop of the process waits for the current steps, and gives all jobs back with their stored states.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TypeGuard

import structlog

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, DatabaseUnavailable, DatabaseUnusable, DialectName, Transaction
from cloud.foundation.errors import DomainError
from cloud.work.jobs.execution import LEASE_US, JobExecutor
from cloud.work.jobs.job_run import JobRun
from cloud.work.jobs.lease_store import (
    DUE_TENANTS,
    NEXT_EXPIRY,
    STILL_LEASED,
    DueTenant,
    LeaseStore,
    Settlement,
    leases,
)
from cloud.work.jobs.model import LeasedJob
from cloud.work.jobs.sharing import FairShares, SplitClaim, in_batches, split_claim
from cloud.work.jobs.signals import CHANNEL
from cloud.work.jobs.slots import JobSlots, Slot, Stop

IDLE_S = 0.5
"""Interval at which a worker looks for due jobs, expired leases and cancelled jobs without a signal."""
BEAT_S = LEASE_US / 1e6 / 3
"""Interval at which a worker renews its leases."""
TURN_S = 1.0
"""Time for which a job runs before it gives up its slot to a tenant without a running job. With a step of a second and
the interval `IDLE_S`, such a tenant waits for two and a half seconds at most, and mostly not at all: see
`FairShares`."""
DRAIN_S = 12.0
"""Time for the current steps at a stop of the process. The process ends the loops after 20 s, and the rest of that time
suffices to write the settlements."""
PASSED_S = 1.0
"""Time for which a tenant is passed over that has only jobs with long steps, when no slot for these is free. So it does
not delay a short job of another tenant, and a short job that it enqueues itself has its turn soon."""
DUE_TENANTS_MAX = 10_000
"""Tenants that one query returns."""
QUERY_S = 0.05
"""Interval at which a busy worker queries for tenants with due jobs. In between it claims from the last ones."""
CLAIMED_MAX = 64
"""Jobs of one claim, so that its transaction stays short."""
PUMPS: Mapping[DialectName, int] = {"postgresql": 2, "sqlite": 1}
"""Tasks that settle and claim. While PostgreSQL commits for one, the jobs of the other run. On SQLite, where two would
share each commit, one task makes the claims of both in one transaction."""
CLAIMS: Mapping[DialectName, int] = {"postgresql": 1, "sqlite": 2}
"""Claims of one transaction."""
AHEAD: Mapping[DialectName, int] = {"postgresql": 1, "sqlite": 3}
"""Multiple of its slots that a worker claims in one transaction while all jobs end at once (`JobSlots.end_at_once`). It
runs no more at a time. A transaction has a fixed cost of ten short jobs. PostgreSQL commits while other jobs run."""

log = structlog.get_logger()


class JobWorker:
    """A worker with `slots` slots for jobs. `settled` is the number of its durable settlements. `starving` are the
    tenants that have a due job, none that runs, and no slot to get; `starving_long` those that may have a due job with
    long steps and have no slot for such jobs to get."""

    def __init__(
        self, database: Database, clock: Clock, executor: JobExecutor, slots: int, *, batch: int = CLAIMED_MAX
    ) -> None:
        """`batch` is the number of jobs of one claim at most."""
        self._database = database
        self._clock = clock
        self._executor = executor
        self._slots = slots
        self._long_slots = max(1, slots - 1)
        self._long_slots_of_tenant = max(1, slots - 2)
        self._batch = batch
        self._leases = LeaseStore()
        self._shares = FairShares(slots)
        self._due: dict[str, DueTenant] = {}  # of the last query, without those that had fewer jobs than their share
        # A signal leaves them as they are: a claim that runs meanwhile notes by it which of its tenants starve.
        self._due_is_old = False
        self._passed: dict[str, float] = {}  # the times until which tenants are passed over
        self._queried_s = -QUERY_S
        self._looked_s = -IDLE_S
        self._draining = False
        self._changed = asyncio.Event()
        self._jobs = JobSlots(clock, executor, self._must_yield, self._changed, slots)
        self.starving: set[str] = set()
        self.starving_long: set[str] = set()
        self.settled = 0

    async def run(self, stopping: asyncio.Event) -> None:
        """Run jobs until `stopping` is set; then finish the current steps and give the jobs back."""
        async with asyncio.TaskGroup() as tasks:
            beside = [
                tasks.create_task(self._beat(), name="job leases"),
                tasks.create_task(self._database.listen(CHANNEL, self.signal), name="job signals"),
                tasks.create_task(self._wake_at(stopping), name="job stop"),
            ]
            async with asyncio.TaskGroup() as steps:
                async with asyncio.TaskGroup() as pumps:
                    for _ in range(PUMPS[self._database.dialect]):
                        pumps.create_task(self._pump(steps, stopping), name="job pump")
                await self._drain()
            for task in beside:
                task.cancel()

    async def _pump(self, steps: asyncio.TaskGroup, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await self._turn(steps)
            await self._pause()

    def signal(self, cancelled: str) -> None:
        """Stop the job with this id if it runs here; for an empty text, look for due jobs."""
        if not cancelled:
            self._due_is_old = True
            self._changed.set()
        elif (slot := self._jobs.running.get(cancelled)) is not None:
            slot.end(Stop.LOST)

    async def step(self) -> int:
        """Sweep, claim and run the jobs that are due now until none is, for a caller that controls the time. Return the
        number of claimed jobs. Raises `DomainError` if the database is unavailable."""
        claimed = 0
        while True:
            await self._sweep()
            self._due_is_old = True
            async with asyncio.TaskGroup() as steps:
                begun = await self._write(steps, await self._divide())
            await self._write(None, {})
            if not begun:
                return claimed
            claimed += begun

    async def _turn(self, steps: asyncio.TaskGroup) -> None:
        """Settle the ended jobs and claim due ones, until no slot is free, no job is due, or the process stops. A turn
        has no end while short jobs are enqueued, so it also looks for expired leases and cancelled jobs."""
        self._changed.clear()
        try:
            while not self._draining:
                now_s = self._clock.monotonic_s()
                if now_s - self._looked_s >= IDLE_S:
                    self._looked_s = now_s
                    await self._sweep()
                    await self._stop_cancelled()
                counts = await self._divide()
                begun = await self._write(steps, counts)
                if not self._due or not (begun or counts):
                    return
                await asyncio.sleep(0)  # jobs that never wait end now, so their slots are free for the next claim
        except DomainError as error:
            log.warning("jobs.interrupted", code=error.code)

    async def _sweep(self) -> None:
        """End the expired leases of workers that were killed."""
        (expiry,) = await self._database.peek(NEXT_EXPIRY, {})
        now_us = self._clock.now_us()
        if expiry[0] is not None and expiry[0] <= now_us:
            async with self._database.transaction() as tx:
                swept = await self._leases.sweep(tx, now_us)
            log.warning("jobs.leases_expired", jobs=swept)

    async def _stop_cancelled(self) -> None:
        """Stop the jobs that were cancelled without a signal to this process, as by the console beside SQLite."""
        slots = list(self._jobs.running.values())
        if slots:
            rows = await self._database.peek(STILL_LEASED, leases([slot.leased for slot in slots]))
            ours = {row[0] for row in rows}
            self._jobs.stop([slot for slot in slots if slot.leased.id not in ours])

    async def _divide(self) -> dict[str, int]:
        """Return the number of jobs to claim of each tenant, and note which tenants starve. The tenants come from the
        last query, unless it was too long ago or has none left."""
        now_s = self._clock.monotonic_s()
        if self._due_is_old or not self._due or now_s - self._queried_s >= QUERY_S:
            self._due_is_old = False
            rows = await self._database.peek(DUE_TENANTS, {"most": DUE_TENANTS_MAX})
            now_us = self._clock.now_us()
            self._due = {one.tenant_id: one for one in (DueTenant(*row) for row in rows) if one.due_at_us <= now_us}
            self._queried_s = now_s
        long_free = self._long_free()
        if self._passed:
            self._passed = {
                one: s for one, s in self._passed.items() if s > now_s and (long_free <= 0 or self._long_room(one) <= 0)
            }
        ahead = AHEAD[self._database.dialect] if self._jobs.end_at_once else 1
        free, counts = self._slots * ahead - self._jobs.taken.total(), dict[str, int]()
        if self._jobs.claiming_long and 0 < long_free < free:
            free = long_free  # the next turn knows the kinds of the other claim, and fills the last slot
        due = [one for one in self._due.values() if one.tenant_id not in self._passed]
        if free > 0:
            most = self._batch * CLAIMS[self._database.dialect] * ahead
            shares = self._shares.divide(due, self._jobs.taken, min(free, most))
            # At most as many as may have long steps, if any: the next turn knows their kinds, and claims the rest. So
            # one statement claims all of them.
            rooms = {tenant_id: self._long_room(tenant_id) for tenant_id in shares}
            counts = {one: min(count, rooms[one]) if rooms[one] > 0 else count for one, count in shares.items()}
        self.starving = {one.tenant_id for one in due if not one.running and one.tenant_id not in counts}
        return counts

    async def _write(self, steps: asyncio.TaskGroup | None, counts: dict[str, int]) -> int:
        """Settle the ended jobs, and claim and begin `counts[tenant_id]` jobs of each tenant, in one transaction.
        Return the number of begun jobs. Raises `DomainError` if the database is unavailable; the settlements then stay
        pending. If it refuses a settlement, or a job is lost, the others are written, and no job is claimed."""
        ended, self._jobs.ended = self._jobs.ended, []
        if not ended and not counts:
            return 0
        rooms = {tenant_id: self._long_room(tenant_id) for tenant_id in counts}
        parts, claimed = split_claim(counts, rooms, self._long_free()), list[JobRun]()
        try:
            with self._jobs.reserved(counts, long=parts.any_kind):
                async with self._database.transaction() as tx:
                    await self._executor.settle_all(tx, ended)
                    await self._claim(tx, parts, claimed)
        except BaseException as error:
            if ended and _is_refusal(error):
                await self._settle_apart(ended)
                return 0
            self._jobs.ended = ended + self._jobs.ended
            raise
        self.settled += len(ended)
        if steps is not None:
            self._note(counts, parts, claimed)
            self._jobs.begin(steps, claimed)
        return len(claimed)

    async def _settle_apart(self, ended: list[Settlement]) -> None:
        """Write settlements one by one. Those that are refused are dropped, since they would be refused at each turn:
        their leases end by themselves, and the jobs have another attempt."""
        while ended:
            one = ended[0]
            try:
                async with self._database.transaction() as tx:
                    await self._executor.settle_some(tx, [one])
                self.settled += 1
            except BaseException as error:
                if not _is_refusal(error):
                    self._jobs.ended = ended + self._jobs.ended
                    raise
                log.error("job.settlement_refused", job_id=one.job.id, kind=one.job.kind, code=error.code)
            ended = ended[1:]

    def _long_free(self) -> int:
        """Return the number of slots that jobs with long steps may fill now."""
        return self._long_slots - self._jobs.running_long.total() - self._jobs.claiming_long.total()

    def _long_room(self, tenant_id: str) -> int:
        """Return the number of slots that a tenant's jobs with long steps may fill now, if so many are free."""
        return self._long_slots_of_tenant - self._jobs.running_long[tenant_id] - self._jobs.claiming_long[tenant_id]

    async def _claim(self, tx: Transaction, parts: SplitClaim, claimed: list[JobRun]) -> None:
        """Claim jobs. Their runs are in `claimed` at the end of the transaction."""

        def prepare(leased: LeasedJob) -> None:
            claimed.append(self._executor.prepare(leased))

        now_us = self._clock.now_us()
        for counts, without in ((parts.any_kind, ()), (parts.short, self._executor.long_kinds)):
            for part in in_batches(counts, self._batch):
                await self._leases.claim(tx, part, prepare, now_us=now_us, lease_us=LEASE_US, without=without)

    def _note(self, counts: Mapping[str, int], parts: SplitClaim, claimed: Sequence[JobRun]) -> None:
        """Note what a claim has changed for the next one. A tenant with fewer jobs than its share has no more now,
        unless only its jobs without long steps were claimed."""
        begun = Counter([run.leased.tenant_id for run in claimed])
        self._shares.note(begun)
        for tenant_id, count in counts.items():
            if (due := self._due.get(tenant_id)) is not None:
                due.running += begun[tenant_id]
            if begun[tenant_id] == count:
                continue
            if tenant_id in parts.short:
                self._passed[tenant_id] = self._clock.monotonic_s() + PASSED_S
            else:
                self._due.pop(tenant_id, None)
        waiting_long = self._due.keys() & (parts.short.keys() | self._passed.keys())
        self.starving_long = {tenant_id for tenant_id in waiting_long if not self._due[tenant_id].running}

    def _must_yield(self, slot: Slot) -> bool:
        """Return whether a job gives up its slot after a step. Each starving tenant gets one slot in this way."""
        if self._draining:
            return True
        if self._clock.monotonic_s() - slot.began_s < TURN_S:
            return False
        sets = [self.starving, self.starving_long] if slot.is_long else [self.starving]
        for starving in sets:
            others = starving - {slot.leased.tenant_id}
            if others:
                starving.discard(min(others))
                return True
        return False

    async def _beat(self) -> None:
        """Renew the leases of the running jobs at intervals, and stop those whose lease is lost or whose step hangs."""
        while True:
            await asyncio.sleep(BEAT_S)
            await self.renew()

    async def renew(self) -> None:
        """Renew all leases, and stop the jobs that were cancelled, or that another worker has, and the steps that hang.
        If the database is unavailable, stop the jobs whose lease has ended in the meantime."""
        self._executor.stop_overdue()
        slots = list(self._jobs.running.values())
        if not slots:
            return
        now_s = self._clock.monotonic_s()
        try:
            async with self._database.transaction() as tx:
                leased = [slot.leased for slot in slots]
                ours = await self._leases.renew(tx, leased, now_us=self._clock.now_us(), lease_us=LEASE_US)
        except DomainError as error:
            log.warning("jobs.interrupted", code=error.code)
            self._jobs.stop([slot for slot in slots if slot.leased_until_s <= now_s])
            return
        for slot in slots:
            slot.leased_until_s = now_s + LEASE_US / 1e6
        self._jobs.stop([slot for slot in slots if slot.leased.id not in ours])

    async def _pause(self) -> None:
        """Wait until a job ends, a job is enqueued, a stop is requested, or `IDLE_S` has passed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(IDLE_S):
                await self._changed.wait()

    async def _drain(self) -> None:
        """Let the current steps end, cancel them after `DRAIN_S`, and write the settlements. If the database is
        unavailable, the leases end by themselves."""
        await self._jobs.drain(DRAIN_S)
        try:
            await self._write(None, {})
        except DomainError as error:
            log.warning("jobs.interrupted", code=error.code)

    async def _wake_at(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self._draining = True  # at once, and not only when the pumps have ended
        self._changed.set()


def _is_refusal(error: BaseException) -> TypeGuard[DomainError]:
    """Return whether a change was refused because of its values, so that it will be refused again."""
    return isinstance(error, DomainError) and not isinstance(error, (DatabaseUnavailable, DatabaseUnusable))
