"""Run the background steps of this program: one step at a time, by one process at a time.

A lease with a fencing token keeps two processes apart: a process that lost its lease cannot store a chunk. A step may
be interrupted at any point, by a stop, a kill or a failure, and continues where its last transaction ended. A step that
fails is tried again later; the others run meanwhile, and the service is not affected.

A chunk is short, and a pause of the same length follows it. So the transactions of ingest and of requests wait for a
tenth of a second at most, and the database has half of its time for them also while a step runs.
"""

import asyncio
from collections.abc import Sequence

import structlog

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, TransactionTooSlow, known_revisions
from cloud.foundation.errors import DomainError
from cloud.foundation.step import LongStep, RowStep, Step, StepBlocked
from cloud.foundation.steps.errors import StepLeaseLost
from cloud.foundation.steps.model import StepState
from cloud.foundation.steps.store import StepStore
from cloud.foundation.stopping import pause

LEASE_S = 60.0
"""Time after which another process may continue a step whose process was killed."""
BEAT_S = 5.0
"""Interval at which a long step renews its lease and stores its progress: an operator sees it move."""
LOOK_EVERY_S = 10.0
"""Interval at which a process looks for a step to run, while another process runs one or a step failed."""
CHUNK_S = 0.1
"""Time that a chunk should take. Waits of ingest become longer by it; devices and crews do not notice a tenth."""
PAUSE_S_LEAST = 0.02
"""Shortest pause after a chunk, in which queued writers have their turn."""
ROWS_FIRST = 500
ROWS_LEAST = 10
"""Smallest chunk. It is slow only if the database is, and then smaller ones would not be faster."""
ROWS_MOST = 10_000
"""Largest chunk, some megabytes of memory for rows with a payload."""
RETRY_S_FIRST = 10.0
RETRY_S_MOST = 3_600.0
"""The pause after a failure doubles up to an hour. A failing step needs an operator or another version."""

log = structlog.get_logger()


class StepRunner:
    """Runs `steps` until all of them have ended or a stop is requested. With `may_pause`, steps may occupy the database
    for longer than a second; the operator has then stopped the service."""

    def __init__(self, database: Database, clock: Clock, steps: Sequence[Step], *, may_pause: bool = False) -> None:
        self._database = database
        self._clock = clock
        self._steps = {step.name: step for step in steps}
        self._may_pause = may_pause
        self._store = StepStore()
        self._registered = False
        assert len(self._steps) == len(steps), "two steps have the same name"

    async def run(self, stopping: asyncio.Event) -> None:
        """Run until a stop is requested or every step has ended."""
        while not stopping.is_set():
            try:
                if not await self.turn(stopping) and await self.has_ended():
                    return
            except DomainError as error:
                log.warning("steps.interrupted", code=error.code)
            await pause(stopping, LOOK_EVERY_S)

    async def has_ended(self) -> bool:
        """Return whether every step of this program has ended."""
        async with self._database.read() as tx:
            return not any(state.name in self._steps for state in await self._store.unfinished(tx))

    async def turn(self, stopping: asyncio.Event, *, at_once: bool = False) -> bool:
        """Run the due steps one after the other; with `at_once`, also those whose pause after a failure lasts. Return
        whether there was one. Raises `DomainError` if the database is unavailable."""
        if not self._registered:
            async with self._database.transaction() as tx:
                await self._store.register(tx, [*self._steps.values()], known_revisions()[-1], self._clock.now_us())
                if at_once:
                    await self._store.end_pauses(tx)
            self._registered = True
        worked = False
        while not stopping.is_set():
            async with self._database.transaction() as tx:
                claimed = await self._store.claim(tx, [*self._steps], self._clock.now_us(), _us(LEASE_S))
            if claimed is None:
                break
            worked = True
            await self._run_claimed(claimed, stopping)
        return worked

    async def _run_claimed(self, claimed: StepState, stopping: asyncio.Event) -> None:
        step = self._steps[claimed.name]
        log.info("steps.begun", step=step.name, percent=claimed.percent)
        try:
            if isinstance(step, RowStep):
                ended = await self._run_rows(step, claimed, stopping)
            else:
                ended = await self._run_long(step, claimed, stopping)
        except StepLeaseLost:
            log.warning("steps.lease_lost", step=step.name)
        except Exception as error:
            await self._fail(claimed, error)
        else:
            log.info("steps.ended" if ended else "steps.stopped", step=step.name)

    async def _run_rows(self, step: RowStep, claimed: StepState, stopping: asyncio.Event) -> bool:
        """Handle chunks until none are left or a stop is requested; return whether none are left."""
        if not claimed.rows_total:
            async with self._database.transaction() as tx:
                await self._store.set_total(tx, claimed, await step.estimate(tx))
        position, rows_max = claimed.position, ROWS_FIRST
        while not stopping.is_set():
            began_s = self._clock.monotonic_s()
            try:
                async with self._database.transaction() as tx:
                    chunk = await step.work(tx, position, rows_max)
                    await self._store.keep(tx, claimed, chunk, self._clock.now_us(), _us(LEASE_S))
            except TransactionTooSlow:
                if rows_max == ROWS_LEAST:
                    raise
                rows_max = max(ROWS_LEAST, rows_max // 8)
                continue
            if chunk.ended:
                return True
            position = chunk.position
            took_s = self._clock.monotonic_s() - began_s
            rows_max = next_chunk(rows_max, took_s)
            await pause(stopping, max(PAUSE_S_LEAST, took_s))
        async with self._database.transaction() as tx:
            await self._store.release(tx, claimed)
        return False

    async def _run_long(self, step: LongStep, claimed: StepState, stopping: asyncio.Event) -> bool:
        """Run a long step beside a task that renews the lease; return whether it ended, and not a stop came first."""
        rows: list[tuple[int, int]] = []
        working: asyncio.Task[None] = asyncio.create_task(
            step.run(lambda done, total: rows.append((done, total)), self._may_pause)
        )
        stop = asyncio.create_task(stopping.wait())
        try:
            while not working.done() and not stopping.is_set():
                await asyncio.wait((working, stop), timeout=BEAT_S, return_when=asyncio.FIRST_COMPLETED)
                newest = rows[-1] if rows else None
                rows.clear()
                async with self._database.transaction() as tx:
                    await self._store.renew(tx, claimed, newest, self._clock.now_us(), _us(LEASE_S))
        finally:
            for task in (working, stop):
                task.cancel()
            await asyncio.wait((working, stop))
        async with self._database.transaction() as tx:
            if working.cancelled():
                await self._store.release(tx, claimed)
                return False
            working.result()
            await self._store.finish(tx, claimed, self._clock.now_us())
        return True

    async def _fail(self, claimed: StepState, error: Exception) -> None:
        """Store and log the failure of a step, without the values that a driver's message may quote."""
        sentence = error.sentence if isinstance(error, DomainError) else f"An internal error ({type(error).__name__})."
        if isinstance(error, DomainError):
            log.warning("steps.failed", step=claimed.name, code=error.code)
        else:
            log.exception("steps.failed", step=claimed.name)
        wait_s = RETRY_S_MOST if isinstance(error, StepBlocked) else retry_pause_s(claimed.failures)
        retry_at_us = self._clock.now_us() + _us(wait_s)
        try:
            async with self._database.transaction() as tx:
                await self._store.fail(tx, claimed, sentence, retry_at_us)
        except StepLeaseLost:
            log.warning("steps.lease_lost", step=claimed.name)


def next_chunk(rows_max: int, took_s: float) -> int:
    """Return the size of the next chunk, after one of `rows_max` rows took `took_s`. It changes by a factor of 2 at
    most, so that one slow commit does not decide."""
    factor = 2.0 if took_s <= 0 else min(2.0, max(0.5, CHUNK_S / took_s))
    return min(ROWS_MOST, max(ROWS_LEAST, int(rows_max * factor)))


def retry_pause_s(failures: int) -> float:
    """Return the pause before the next attempt, after `failures` failures in sequence before this one."""
    return min(RETRY_S_MOST, RETRY_S_FIRST * 2.0 ** min(failures, 20))


def _us(seconds: float) -> int:
    return int(seconds * 1_000_000)
