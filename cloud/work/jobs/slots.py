"""The claimed jobs of a worker: begin them, stop single ones, and collect their settlements.

A task runs one job after the other. If a job waits, another task runs the rest, so jobs that wait run side by side. A
job that never waits costs no task of its own, which would take as long as a short job itself.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

import structlog

from cloud.foundation.clock import Clock
from cloud.foundation.errors import DomainError
from cloud.work.jobs.execution import LEASE_US, JobExecutor, release
from cloud.work.jobs.job_run import JobRun
from cloud.work.jobs.lease_store import Settlement
from cloud.work.jobs.model import LeasedJob

AT_ONCE_S = 0.05
"""Time in which the jobs of a claim end if they have little to do. The jobs of a claim that is three times as large
then begin long before the end of their leases."""

log = structlog.get_logger()


class Stop(Enum):
    """The reason for which a worker stops the step of a job."""

    LOST = "lost"  # the job was cancelled or has another worker: nothing is written
    RELEASED = "released"  # the process stops: the job is given back


@dataclass(slots=True, eq=False)
class Slot:
    """A job that this worker runs. `is_long`: it has long steps. `leased_until_s` is the time of the monotonic clock at
    which its lease ends. `task` runs the job; None before it begins."""

    run: JobRun
    leased: LeasedJob
    is_long: bool
    began_s: float
    leased_until_s: float
    task: "asyncio.Task[None] | None" = field(default=None, repr=False)
    stop: Stop | None = None

    def end(self, why: Stop) -> None:
        """Cancel the step. A job that has not begun yet does not begin."""
        if self.stop is None:
            self.stop = why
            if self.task is not None:
                self.task.cancel()


class JobSlots:
    """Runs the claimed jobs of a worker. `running` has the jobs that have not ended, by their ids, and `ended` the
    settlements to write. `taken` counts the slots of each tenant: those of running jobs, and those that a claim in
    progress may fill. `running_long` and `claiming_long` count the slots of each tenant's jobs with long steps, and
    those that a claim in progress may fill with such jobs. `must_yield` returns whether a job gives up its slot after a
    step. `changed` is set when a job ends. At most `most` jobs run at a time; if more are claimed, and those in front
    do not end at once, the others are given back."""

    def __init__(
        self, clock: Clock, executor: JobExecutor, must_yield: Callable[[Slot], bool], changed: asyncio.Event, most: int
    ) -> None:
        self._most = most
        self._last_claim = (0, 0.0)  # the number of its jobs, and the time at which they were claimed
        self._clock = clock
        self._executor = executor
        self._must_yield = must_yield
        self._changed = changed
        self._claimed: deque[Slot] = deque()
        self._is_starting = False  # a task for the claimed jobs was started, or will be, and has not had its first turn
        self.running: dict[str, Slot] = {}
        self.ended: list[Settlement] = []
        self.taken: Counter[str] = Counter()
        self.running_long: Counter[str] = Counter()
        self.claiming_long: Counter[str] = Counter()

    @contextmanager
    def reserved(self, counts: Mapping[str, int], long: Mapping[str, int]) -> Iterator[None]:
        """Reserve slots for the claim in a block: `counts[tenant_id]` for each tenant, of which `long[tenant_id]` may
        get jobs with long steps."""
        for count_of, reserved in ((self.claiming_long, long), (self.taken, counts)):
            for tenant_id, count in reserved.items():
                count_of[tenant_id] += count
        try:
            yield
        finally:
            for count_of, freed in ((self.claiming_long, long), (self.taken, counts)):
                for tenant_id, count in freed.items():
                    _free(count_of, tenant_id, count)

    @property
    def end_at_once(self) -> bool:
        """True if the last claim filled the slots, and all its jobs ended within `AT_ONCE_S` in one turn."""
        count, claimed_s = self._last_claim
        return count >= self._most and not self.running and self._clock.monotonic_s() - claimed_s <= AT_ONCE_S

    def begin(self, tasks: asyncio.TaskGroup, claimed: Sequence[JobRun]) -> None:
        """Run claimed jobs. If an earlier claim of a job still runs here, its lease has expired, as after a pause of
        the process: stop it. Its step may end after the new one has begun."""
        now_s = self._clock.monotonic_s()
        self._last_claim = (len(claimed), now_s)
        for run in claimed:
            leased = run.leased
            if (expired := self.running.get(leased.id)) is not None:
                expired.end(Stop.LOST)
                self._forget(expired)
            is_long = self._executor.has_long_steps(leased)
            self.running[leased.id] = slot = Slot(run, leased, is_long, now_s, now_s + LEASE_US / 1e6)
            self.taken[leased.tenant_id] += 1
            if is_long:
                self.running_long[leased.tenant_id] += 1
            self._claimed.append(slot)
        if not self._is_starting:
            self._start(tasks)

    def stop(self, slots: Iterable[Slot]) -> None:
        """Stop jobs that this worker has lost."""
        for slot in slots:
            if self.running.get(slot.leased.id) is slot:  # a job that has ended meanwhile has no lease either
                slot.end(Stop.LOST)

    async def drain(self, within_s: float) -> None:
        """Wait until the jobs have ended. Cancel those that take longer than `within_s`, to give them back."""
        try:
            async with asyncio.timeout(within_s):
                await self._wait()
        except TimeoutError:
            for slot in list(self.running.values()):
                slot.end(Stop.RELEASED)
            await self._wait()

    async def _wait(self) -> None:
        while self.running:
            self._changed.clear()
            await self._changed.wait()

    def _start(self, tasks: asyncio.TaskGroup) -> None:
        """Start a task for the claimed jobs, if any are left. If as many jobs run as there are slots, give the rest
        back."""
        if len(self.running) > self._most and sum(one.task is not None for one in self.running.values()) >= self._most:
            self._give_back()
        self._is_starting = bool(self._claimed)
        if self._claimed:
            tasks.create_task(self._run_claimed(tasks), name="jobs")

    async def _run_claimed(self, tasks: asyncio.TaskGroup) -> None:
        """Run claimed jobs until none is left. A task that was cancelled, to stop its job, begins no other job."""
        self._is_starting = False
        task = asyncio.current_task()
        assert task is not None, "a coroutine runs in a task"
        while self._claimed and not task.cancelling():
            slot = self._claimed.popleft()
            if not self._is_starting:
                self._is_starting = True
                asyncio.get_running_loop().call_soon(self._start, tasks)
            slot.task = task
            try:
                settlement = await self._run(slot, task)
                if settlement is not None:
                    self.ended.append(settlement)
            finally:
                self._leave(slot)

    def _give_back(self) -> None:
        """Release the claimed jobs that have not begun, for any worker. Clean-ups of jobs that have ended begin all the
        same: they are few and short, and no settlement releases them."""
        claimed, self._claimed = self._claimed, deque()
        for slot in claimed:
            if slot.stop is None and not slot.leased.is_open:
                self._claimed.append(slot)
                continue
            if slot.stop is not Stop.LOST:
                self.ended.append(release(slot.leased, slot.leased.created_at_us))
            self._leave(slot)

    def _leave(self, slot: Slot) -> None:
        if self.running.get(slot.leased.id) is slot:  # and not the slot of a later claim
            self._forget(slot)
        self._changed.set()

    def _forget(self, slot: Slot) -> None:
        del self.running[slot.leased.id]
        _free(self.taken, slot.leased.tenant_id, 1)
        if slot.is_long:
            _free(self.running_long, slot.leased.tenant_id, 1)

    async def _run(self, slot: Slot, task: "asyncio.Task[None]") -> Settlement | None:
        """Return the settlement of a job after its steps; None if nothing is left to write."""
        try:
            if slot.stop is None:
                settlement = await self._executor.run(slot.run, task, lambda: self._must_yield(slot))
                return None if slot.stop is Stop.LOST else settlement
        except asyncio.CancelledError:
            if slot.stop is None:
                raise  # the process does not wait any longer
        except DomainError as error:
            log.warning("jobs.interrupted", code=error.code)  # the lease ends, and a worker claims the job again
            return None
        return release(slot.leased, slot.leased.created_at_us) if slot.stop is Stop.RELEASED else None


def _free(count_of: Counter[str], tenant_id: str, count: int) -> None:
    count_of[tenant_id] -= count
    if not count_of[tenant_id]:
        count_of.pop(tenant_id)
