"""The result of a job is the tenant's object of its content, also when another job stores the same at that moment. A
job whose file was lost begins again a limited number of times."""

from pathlib import Path

import pytest

from cloud.foundation.db import Database
from cloud.foundation.ids import UlidIds
from cloud.foundation.objects import Download, LocalObjects, Results, StoredObject
from cloud.foundation.objects.results import new_result_name
from cloud.foundation.objects.sweeping import REFER_US
from cloud.foundation.viewer import Actor
from cloud.work.jobs import FileLost, Finish, JobFailure, JobFiles, RunningJob
from cloud.work.jobs.errors import ResultPlaceChanged
from cloud.work.jobs.files import RESTARTS_MAX
from tests.builders.cloud_people import HandClock
from tests.builders.counting_jobs import CountPayload, CountState
from tests.builders.parts import make_parts

JSON = Download("application/json", "graph.json")


class KeptResults:
    """Results of jobs of one tenant, which all have the same content."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.objects = LocalObjects(folder)
        self.clock = HandClock()
        self.files = JobFiles(make_parts(database, self.clock, sections={"objects_dir": str(folder)}))  # type: ignore[dict-item]

    async def store(self, name: str) -> StoredObject:
        return await self.objects.put(f"results/tnt_a/20260324/{name}", b"{}")

    async def finish(self, job_id: str, stored: StoredObject) -> Finish:
        return await self.files.finish(self.job(job_id), stored, JSON)

    def job(self, job_id: str) -> RunningJob[CountPayload, CountState]:
        return RunningJob(job_id, Actor.operator("tnt_a"), CountPayload(), CountState(), 1)

    async def stored(self, prefix: str) -> list[str]:
        return [one.name async for page in self.objects.pages(prefix) for one in page]

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


@pytest.mark.parametrize("damage", ["removed", "cut short"])
async def test_job_with_the_content_of_a_lost_object_restores_the_results_of_the_others(
    database: Database, tmp_path: Path, damage: str
) -> None:
    results = KeptResults(database, tmp_path / "objects")
    first = await results.store("first")
    await results.commit(await results.finish("job_1", first))
    if damage == "removed":
        await results.objects.remove(first.name)
    else:
        (tmp_path / "objects" / first.name).write_bytes(b"{")
    second, third = await results.store("second"), await results.store("third")
    late = await results.finish("job_3", third)
    assert await results.commit(await results.finish("job_2", second)) == second.name
    with pytest.raises(ResultPlaceChanged):
        await results.commit(late)
    assert await results.commit(await results.finish("job_3", third)) == second.name
    async with database.read() as tx:
        found = [await Results().find(tx, job_id) for job_id in ("job_1", "job_2", "job_3")]
    assert [one and one.stored for one in found] == [second] * 3


async def test_object_that_the_sweep_may_have_removed_is_no_result(database: Database, tmp_path: Path) -> None:
    results = KeptResults(database, tmp_path / "objects")
    now_us = results.clock.now_us()
    stored = await results.objects.put(new_result_name(UlidIds(results.clock), "tnt_a", now_us), b"{}")
    results.clock.advance(us=REFER_US - 1_000)
    outcome = await results.finish("job_1", stored)
    results.clock.advance(us=1_000)
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


async def test_object_that_no_result_names_is_removed_when_its_job_did_not_run_for_a_day(
    database: Database, tmp_path: Path
) -> None:
    results = KeptResults(database, tmp_path / "objects")
    stored = await results.objects.put(new_result_name(UlidIds(results.clock), "tnt_a", results.clock.now_us()), b"{}")
    results.clock.advance(us=REFER_US)
    with pytest.raises(FileLost) as failure:
        await results.finish("job_1", stored)
    assert (failure.value.error.code, failure.value.error.retryable) == ("result_abandoned", True)
    assert await results.stored("results") == []


async def test_file_with_a_lost_part_is_begun_again_under_a_new_name_a_limited_number_of_times(
    database: Database, tmp_path: Path
) -> None:
    results = KeptResults(database, tmp_path / "objects")
    files, job = results.files, results.job("job_1")
    marks, names = [files.begin(job)], set[str]()
    for restarts in range(RESTARTS_MAX + 1):
        upload = files.upload(job, marks[0])
        names.add(upload.mark.name)
        for _ in range(2):
            await upload.add(b"{}")
        await results.objects.remove(upload.mark.parts[0].name)
        with pytest.raises(FileLost):
            await files.join(upload, JSON)
        with pytest.raises(FileLost):
            await files.read(upload.mark.parts[0])
        if restarts < RESTARTS_MAX:
            marks = await files.restart(job, [upload.mark.document()])
            assert await results.stored("uploads") == []
    with pytest.raises(JobFailure, match="lost repeatedly"):
        await files.restart(job, [upload.mark.document()])
    assert len(names) == RESTARTS_MAX + 1


def test_mark_of_the_release_before_is_read(database: Database, tmp_path: Path) -> None:
    results = KeptResults(database, tmp_path / "objects")
    mark = results.files.begin(results.job("job_1"))
    assert mark.pop("restarts") == 0
    assert results.files.upload(results.job("job_1"), mark).mark.restarts == 0
