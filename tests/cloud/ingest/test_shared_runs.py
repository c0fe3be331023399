"""Readers that wait at the same time share the work for it, and get an error within a limit."""

import asyncio

import pytest

from cloud.foundation.db import DatabaseUnavailable
from cloud.vehicles.ingest.shared_runs import SharedRuns


async def test_readers_that_wait_at_the_same_time_share_a_run() -> None:
    runs, gate = [0], asyncio.Event()

    async def work() -> None:
        runs[0] += 1
        await gate.wait()

    shared = SharedRuns(work)
    first = asyncio.ensure_future(shared.join())
    await asyncio.sleep(0)
    others = [asyncio.ensure_future(shared.join()) for _ in range(5)]
    await asyncio.sleep(0)
    assert runs == [1]
    gate.set()
    await asyncio.gather(first, *others)
    assert runs == [2]  # one that began before the others called, and one for all of them


async def test_readers_share_a_run_that_begins_some_time_after_the_one_before() -> None:
    runs = [0]

    async def work() -> None:
        runs[0] += 1

    shared = SharedRuns(work, every_s=0.001)
    await shared.join()
    assert runs == [1]
    await asyncio.gather(*(shared.join() for _ in range(3)))
    assert runs == [2]
    shared._every_s = 3_600.0
    waiting = asyncio.ensure_future(shared.join())
    for _ in range(5):
        await asyncio.sleep(0)
    assert runs == [2]
    waiting.cancel()


async def test_reader_gets_an_error_within_a_limit_and_the_next_one_at_once() -> None:
    gate = asyncio.Event()
    shared = SharedRuns(gate.wait, wait_s=0.01)  # type: ignore[arg-type]
    with pytest.raises(DatabaseUnavailable):
        await shared.join()
    begin_s = asyncio.get_running_loop().time()
    shared._wait_s = 0.0
    with pytest.raises(DatabaseUnavailable):
        await shared.join()
    assert asyncio.get_running_loop().time() - begin_s < 5.0
    gate.set()


async def test_error_of_a_run_reaches_all_its_readers() -> None:
    async def fail() -> None:
        raise DatabaseUnavailable("(synthetic)")

    shared = SharedRuns(fail)
    results = await asyncio.gather(*(shared.join() for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in results] == [DatabaseUnavailable] * 3
