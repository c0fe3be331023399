"""The result of a job is the tenant's object of its content, also when another job stores the same at that moment."""

from pathlib import Path

import pytest

from cloud.foundation.db import Database
from cloud.foundation.ids import UlidIds
from cloud.foundation.objects import Download, LocalObjects, Results, StoredObject
from cloud.foundation.objects.results import new_result_name
from cloud.foundation.objects.sweeping import REFER_US
from cloud.foundation.viewer import Actor
from cloud.work.jobs import Finish, ResultAbandoned, ResultKeeper, RunningJob
from cloud.work.jobs.errors import ResultPlaceChanged
from tests.builders.cloud_people import HandClock
from tests.builders.counting_jobs import CountPayload, CountState

JSON = Download("application/json", "graph.json")


class KeptResults:
    """Results of jobs of one tenant, which all have the same content."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.objects = LocalObjects(folder)
        self.clock = HandClock()
        self.keeper = ResultKeeper(database, self.clock)

    async def store(self, name: str) -> StoredObject:
        return await self.objects.put(f"results/tnt_a/20260324/{name}", b"{}")

    async def finish(self, job_id: str, stored: StoredObject) -> Finish:
        job = RunningJob(job_id, Actor.operator("tnt_a"), CountPayload(), CountState(), 1)
        return await self.keeper.finish(job, stored, JSON)

    async def commit(self, outcome: Finish) -> str:
        """Make the effect of an outcome; return the name of the object of the result."""
        assert outcome.effect is not None
        assert outcome.result is not None
        async with self.database.transaction() as tx:
            await outcome.effect(tx)
        return outcome.result.object_name


async def test_job_whose_content_another_one_stores_first_repeats_its_step_and_refers_to_that_object(
    database: Database, tmp_path: Path
) -> None:
    results = KeptResults(database, tmp_path / "objects")
    first, second = await results.store("first"), await results.store("second")
    late = await results.finish("job_2", second)
    assert await results.commit(await results.finish("job_1", first)) == first.name
    with pytest.raises(ResultPlaceChanged):
        await results.commit(late)
    async with database.read() as tx:
        assert await Results().find(tx, "job_2") is None
    assert await results.commit(await results.finish("job_2", second)) == first.name
    async with database.read() as tx:
        found = await Results().find(tx, "job_2")
        assert await Results().unused(tx, 10) == [second.name]
    assert found is not None
    assert found.stored == first


async def test_object_that_the_sweep_may_have_removed_is_no_result(database: Database, tmp_path: Path) -> None:
    results = KeptResults(database, tmp_path / "objects")
    now_us = results.clock.now_us()
    stored = await results.objects.put(new_result_name(UlidIds(results.clock), "tnt_a", now_us), b"{}")
    results.clock.advance(us=REFER_US - 1_000)
    outcome = await results.finish("job_1", stored)
    results.clock.advance(us=1_000)
    with pytest.raises(ResultAbandoned) as failure:
        await results.finish("job_1", stored)
    assert (failure.value.error.code, failure.value.error.retryable) == ("result_abandoned", True)
    # An object that another job's result names is kept, whatever its age.
    assert await results.commit(outcome) == stored.name
    assert await results.commit(await results.finish("job_2", await results.store("second"))) == stored.name


async def test_job_whose_equal_object_is_released_meanwhile_repeats_its_step_and_keeps_its_own(
    database: Database, tmp_path: Path
) -> None:
    results = KeptResults(database, tmp_path / "objects")
    first, second = await results.store("first"), await results.store("second")
    await results.commit(await results.finish("job_1", first))
    late = await results.finish("job_2", second)
    async with database.transaction() as tx:
        await Results().release(tx, ["job_1"], 1)
    with pytest.raises(ResultPlaceChanged):
        await results.commit(late)
    assert await results.commit(await results.finish("job_2", second)) == second.name
