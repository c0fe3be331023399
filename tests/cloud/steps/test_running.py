"""Background steps run one at a time by one process at a time, continue where they were interrupted, and are limited in
each transaction.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from sqlalchemy import text

from cloud.foundation.db import Database, Transaction, TransactionTooSlow
from cloud.foundation.errors import DomainError
from cloud.foundation.step import Chunk, LongStep, Report, RowStep, Step, StepBlocked
from cloud.foundation.steps import StepRunner, StepState, StepStore
from cloud.foundation.steps.runner import (
    CHUNK_S,
    LEASE_S,
    RETRY_S_FIRST,
    RETRY_S_MOST,
    ROWS_FIRST,
    ROWS_LEAST,
    ROWS_MOST,
    next_chunk,
    retry_pause_s,
)
from cloud.foundation.steps.tables import background_steps
from tests.builders.cloud_people import HandClock

ROWS = 1_200


@dataclass
class Numbering:
    """The work of a step that counts to `ROWS`. `interrupt` is called with the position before each chunk."""

    interrupt: Callable[[int], Awaitable[None]] | None = None
    chunks: list[tuple[int, int]] = field(default_factory=list)

    def step(self, name: str = "numbering") -> RowStep:
        return RowStep(name, "count", self.work, self.estimate)

    async def work(self, tx: Transaction, position: str, rows_max: int) -> Chunk:
        first = int(position or 0)
        if self.interrupt is not None:
            await self.interrupt(first)
        rows = min(rows_max, ROWS - first)
        self.chunks.append((first, rows))
        return Chunk(str(first + rows), rows, first + rows == ROWS)

    async def estimate(self, tx: Transaction) -> int:
        return ROWS


class Stopped:
    """A stop that is requested before the chunk at the position `at`."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.event = asyncio.Event()

    async def __call__(self, position: int) -> None:
        if position >= self.at:
            self.event.set()


async def states(database: Database) -> dict[str, StepState]:
    async with database.read() as tx:
        return {state.name: state for state in await StepStore().list(tx)}


async def turn(database: Database, clock: HandClock, *steps: Step, stopping: asyncio.Event | None = None) -> bool:
    """Run the due steps in a new process."""
    return await StepRunner(database, clock, steps).turn(stopping or asyncio.Event())


async def test_step_handles_all_rows_in_chunks_and_ends(database: Database) -> None:
    numbering, clock = Numbering(), HandClock()
    assert await turn(database, clock, numbering.step())
    assert numbering.chunks == [(0, ROWS_FIRST), (ROWS_FIRST, ROWS - ROWS_FIRST)]
    state = (await states(database))["numbering"]
    assert (state.rows_done, state.rows_total, state.percent) == (ROWS, ROWS, 100)
    assert state.finished_at_us == clock.now_us()
    assert not await turn(database, clock, numbering.step()), "it never runs again"


async def test_stopped_step_is_continued_at_its_position_by_another_process(database: Database) -> None:
    clock, stop = HandClock(), Stopped(at=0)
    assert await turn(database, clock, Numbering(stop).step(), stopping=stop.event)
    state = (await states(database))["numbering"]
    assert (state.position, state.percent, state.lease_until_us) == (str(ROWS_FIRST), 41, None)
    later = Numbering()
    assert await turn(database, clock, later.step())
    assert later.chunks == [(ROWS_FIRST, ROWS_FIRST), (2 * ROWS_FIRST, ROWS - 2 * ROWS_FIRST)]


class Killed(BaseException):
    """Ends the process as SIGKILL does: nothing more is stored."""


async def test_step_of_a_killed_process_is_continued_when_its_lease_has_expired(database: Database) -> None:
    clock = HandClock()

    async def die(position: int) -> None:
        if position:
            raise Killed

    with pytest.raises(Killed):
        await turn(database, clock, Numbering(die).step())
    other = Numbering()
    assert not await turn(database, clock, other.step()), "the lease is still valid"
    clock.advance(us=int(LEASE_S * 1e6))
    assert await turn(database, clock, other.step())
    assert other.chunks[0][0] == ROWS_FIRST


async def test_two_processes_never_run_steps_at_the_same_time(database: Database) -> None:
    clock, other, tried = HandClock(), Numbering(), []

    async def run(report: Report, may_pause: bool) -> None:
        tried.append(await turn(database, clock, other.step()))

    assert await turn(database, clock, LongStep("first", "wait", run), other.step())
    assert tried == [False]
    assert (await states(database))["numbering"].percent == 100, "it runs after the first"


async def test_process_that_lost_its_lease_stores_nothing(database: Database) -> None:
    """A process that was suspended for longer than its lease works again after another process has taken over."""
    clock = HandClock()

    async def work(tx: Transaction, position: str, rows_max: int) -> Chunk:
        # As another process does: the token is another one from now on.
        await tx.execute(background_steps.update().values(lease_token=99))
        return Chunk("far", 1, True)

    async def estimate(tx: Transaction) -> int:
        return 1

    assert await turn(database, clock, RowStep("numbering", "count", work, estimate))
    state = (await states(database))["numbering"]
    assert (state.position, state.finished_at_us, state.failure) == ("", None, None)


class Away(DomainError, code="away", status=503):
    """The object store does not respond."""


async def test_failing_step_is_retried_later_and_stops_no_other_step(database: Database) -> None:
    clock, failing = HandClock(), True

    async def fail(position: int) -> None:
        if failing:
            raise Away

    first, second = Numbering(fail), Numbering()
    assert await turn(database, clock, first.step("a"), second.step("b"))
    found = await states(database)
    assert (found["a"].failure, found["a"].failures, found["a"].lease_until_us) == (
        "The object store does not respond.",
        1,
        None,
    )
    assert found["b"].percent == 100
    failing = False
    assert not await turn(database, clock, first.step("a")), "not before its pause is over"
    clock.advance(us=int(RETRY_S_FIRST * 1e6))
    assert await turn(database, clock, first.step("a"))
    assert (await states(database))["a"].failure is None


async def test_error_in_the_code_of_a_step_is_recorded_without_its_text(database: Database) -> None:
    async def fail(position: int) -> None:
        raise RuntimeError("a value of a patient")

    assert await turn(database, HandClock(), Numbering(fail).step())
    assert (await states(database))["numbering"].failure == "An internal error (RuntimeError)."


async def test_chunk_that_took_too_long_is_tried_again_with_fewer_rows(database: Database) -> None:
    refused = 0

    async def slow(position: int) -> None:
        nonlocal refused
        if refused < 2:
            refused += 1
            raise TransactionTooSlow

    numbering = Numbering(slow)
    assert await turn(database, HandClock(), numbering.step())
    assert numbering.chunks[0] == (0, ROWS_LEAST)


def test_chunk_sizes_aim_at_a_fixed_time_and_stay_in_their_limits() -> None:
    assert next_chunk(1_000, CHUNK_S) == 1_000
    assert next_chunk(1_000, CHUNK_S / 1.5) == 1_500
    assert next_chunk(1_000, CHUNK_S / 100) == 2_000
    assert next_chunk(1_000, CHUNK_S * 100) == 500
    assert next_chunk(ROWS_MOST, 0.0) == ROWS_MOST
    assert next_chunk(ROWS_LEAST, 10.0) == ROWS_LEAST


def test_pause_after_failures_doubles_up_to_its_limit() -> None:
    assert [retry_pause_s(failures) for failures in (0, 1, 2, 1_000_000)] == [10.0, 20.0, 40.0, RETRY_S_MOST]


async def test_long_step_that_cannot_go_on_is_retried_after_the_longest_pause(database: Database) -> None:
    async def run(report: Report, may_pause: bool) -> None:
        if not may_pause:
            raise StepBlocked("(Stop the service.)")

    clock, step = HandClock(), LongStep("pausing", "wait", run)
    assert await turn(database, clock, step)
    state = (await states(database))["pausing"]
    assert state.failure is not None
    assert state.failure.endswith("(Stop the service.)")
    assert state.retry_at_us == clock.now_us() + int(RETRY_S_MOST * 1e6)
    runner = StepRunner(database, clock, [step], may_pause=True)
    assert await runner.turn(asyncio.Event(), at_once=True)
    assert await runner.has_ended()


async def test_stopped_long_step_is_cancelled_and_released(database: Database) -> None:
    stopping, cancelled = asyncio.Event(), []

    async def run(report: Report, may_pause: bool) -> None:
        report(3, 9)
        stopping.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    assert await turn(database, HandClock(), LongStep("endless", "wait", run), stopping=stopping)
    state = (await states(database))["endless"]
    assert cancelled == [True]
    assert (state.rows_done, state.rows_total, state.percent) == (3, 9, 33)
    assert (state.finished_at_us, state.lease_until_us) == (None, None)


async def test_program_of_an_earlier_release_begins_the_steps_of_later_ones_again(database: Database) -> None:
    clock = HandClock()
    await turn(database, clock, Numbering().step())
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE background_steps SET revision = '9999'"))
    await turn(database, clock, Numbering().step("another"))
    found = await states(database)
    assert found["numbering"].finished_at_us is None, "the earlier program does not have this step"
    again = Numbering()
    assert await turn(database, clock, again.step())
    assert again.chunks[0][0] == 0


async def test_runner_ends_when_all_steps_have_ended(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloud.foundation.steps.runner.LOOK_EVERY_S", 0.001)
    await StepRunner(database, HandClock(), [Numbering().step()]).run(asyncio.Event())
    assert (await states(database))["numbering"].percent == 100


async def test_repeating_step_runs_once_after_each_upgrade_and_each_way_back(database: Database) -> None:
    clock, runs = HandClock(), []

    async def run(report: Report, may_pause: bool) -> None:
        runs.append(True)

    step = LongStep("repeating", "look", run, repeats=True)
    for revision in ("9999", "0001"):
        assert await turn(database, clock, step)
        assert not await turn(database, clock, step)
        async with database.transaction() as tx:
            await tx.execute(text(f"UPDATE background_steps SET revision = '{revision}'"))  # noqa: S608
    assert await turn(database, clock, step)
    assert len(runs) == 3
