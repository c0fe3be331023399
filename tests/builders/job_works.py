"""Works of the kind `test.count` whose steps wait, fail or linger, and a block in which workers run."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from cloud.foundation.db import DatabaseUnavailable
from cloud.work.jobs import Advance, Finish, RunningJob
from cloud.work.jobs.worker import JobWorker
from tests.builders.counting_jobs import Counting, CountPayload, CountState
from tests.builders.job_story import JobStory

Running = RunningJob[CountPayload, CountState]


@asynccontextmanager
async def running(*workers: JobWorker) -> AsyncIterator[None]:
    """Run these workers during the block; then stop them and wait for their end."""
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for worker in workers:
            tasks.create_task(worker.run(stopping))
        try:
            yield
        finally:
            stopping.set()


class Gated(Counting):
    """Counting that waits in each step until `gate` is set. `begun` are the numbers whose steps have begun."""

    def __init__(self, story: JobStory) -> None:
        super().__init__(story.clock)
        self.gate = asyncio.Event()
        self.begun: list[int] = []
        self.cancelled: list[str] = []
        self.discarded: list[Running] = []

    async def step(self, job: Running) -> Advance[CountState] | Finish:
        self.begun.append(job.state.counted + 1)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled.append(job.id)
            raise
        return await super().step(job)

    async def discard(self, job: Running) -> None:
        self.discarded.append(job)


class Lingering(Gated):
    """Gated counting whose cancelled step ends when `leave` is set."""

    def __init__(self, story: JobStory) -> None:
        super().__init__(story)
        self.leave = asyncio.Event()
        self.left = False

    async def step(self, job: Running) -> Advance[CountState] | Finish:
        try:
            return await super().step(job)
        except asyncio.CancelledError:
            await asyncio.wait_for(self.leave.wait(), 60)
            self.left = True
            raise


class Failing(Counting):
    """Counting whose step `at` raises `error` the first `times` times."""

    def __init__(self, story: JobStory, at: int, times: int, error: Callable[[], Exception]) -> None:
        super().__init__(story.clock)
        self._at, self._left, self._error = at, times, error

    async def step(self, job: Running) -> Advance[CountState] | Finish:
        if self._left and job.state.counted + 1 == self._at:
            self._left -= 1
            raise self._error()
        return await super().step(job)


class Undiscardable(Counting):
    """Counting whose clean-up fails until `is_discardable`."""

    is_discardable = False

    async def discard(self, job: Running) -> None:
        if not self.is_discardable:
            raise DatabaseUnavailable
