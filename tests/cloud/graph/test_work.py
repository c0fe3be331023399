"""A job `graph.compute` reads what its caller may see, resumes after each step, and leaves nothing behind."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import update

from cloud.clinical.assignments import AssignmentService
from cloud.clinical.devices import Enrolment
from cloud.clinical.epcr import CareModel, CrewRegister, Dispatch, Epcr, encounters
from cloud.clinical.profiles import ProfileEnricher
from cloud.clinical.profiles.service import Profiles
from cloud.foundation.db import Database
from cloud.foundation.ids import UlidIds
from cloud.foundation.objects import LocalObjects, Results, ResultSweeper
from cloud.foundation.objects.sweeping import REFER_US, UPLOAD_US
from cloud.foundation.process import Process
from cloud.foundation.viewer import Actor, SecrecyLevel
from cloud.settings import MODEL
from cloud.supplies import make_process
from cloud.work.graph import process as graph_process
from cloud.work.graph.schemas import GraphPayload, GraphState
from cloud.work.graph.work import GraphWork
from cloud.work.jobs import Advance, Finish, JobFailure, RunningJob
from protocols.sanctions.entry import ListedWallet
from tests.builders.cloud_people import HandClock, Household, household
from tests.builders.sanctions_lists import listed
from tests.builders.screening import Office

ALL = ("components", "centrality", "shortest_paths", "communities")


class GraphStory:
    """The work of `graph.compute` on a database with the tenants `north` and `south`."""

    def __init__(self, process: Process, north: Household, south: Household, folder: Path) -> None:
        self.process = process
        self.north = north
        self.south = south
        self.objects = LocalObjects(folder)
        self.work = GraphWork(process)

    def job(self, actor: Actor | None = None, **payload: Any) -> RunningJob[GraphPayload, GraphState]:
        wanted = GraphPayload.model_validate({"analyses": ["components"], **payload})
        return RunningJob("job_1", actor or self.north.viewer, wanted, GraphState(), 1)

    async def step(
        self, job: RunningJob[GraphPayload, GraphState]
    ) -> tuple[RunningJob[GraphPayload, GraphState], Advance[GraphState] | Finish]:
        """Make one step, with the state as it is read back from the database."""
        outcome = await self.work.step(job)
        if isinstance(outcome, Finish):
            assert outcome.effect is not None
            async with self.process.database.transaction() as tx:
                await outcome.effect(tx)
            return job, outcome
        return replace(job, state=GraphState.model_validate_json(outcome.state.model_dump_json())), outcome

    async def run(self, job: RunningJob[GraphPayload, GraphState]) -> dict[str, Any]:
        """Make all steps; return the result."""
        progress = [0]
        while True:
            job, outcome = await self.step(job)
            if isinstance(outcome, Finish):
                break
            progress.append(outcome.progress_pct)
        assert progress == sorted(progress)
        assert progress[-1] < 100
        async with self.process.database.read() as tx:
            result = await Results().find(tx, job.id)
        assert result is not None
        document: dict[str, Any] = orjson.loads(await self.objects.read(result.stored))
        return document

    async def stored(self, prefix: str) -> list[str]:
        return [one.name async for page in self.objects.pages(prefix) for one in page]

    async def dispatch(self, home: Household, incident: str, *crew: str) -> str:
        epcr = Epcr(self.process.database, self.process.clock, self.process.ids)
        dispatch = Dispatch(
            organization_id=home.organization.id,
            care_model=CareModel.PREHOSPITAL_EMERGENCY,
            vehicle_id=home.vehicle.id,
            crew_ids=crew,
            cad_incident_id=incident,
        )
        return (await epcr.dispatch(home.viewer, dispatch)).encounter.id


@pytest.fixture
async def story(database: Database, tmp_path: Path) -> GraphStory:
    clock = HandClock()
    north, south = await household(database, clock), await household(database, clock, name="south")
    settings = MODEL.model_validate({"database_url": "sqlite:///none.db", "objects_dir": str(tmp_path / "objects")})
    process = make_process(settings, database, clock, UlidIds(clock))
    return GraphStory(process, north, south, tmp_path / "objects")


def names(result: dict[str, Any]) -> set[str]:
    return {name for one in result["components"]["components"] for name in one["nodes"]}


@pytest.mark.contract("C-152")
async def test_graph_joins_incidents_encounters_crews_vehicles_and_devices(story: GraphStory) -> None:
    north = story.north
    crew = CrewRegister(story.process.database, story.process.clock, story.process.ids)
    member = await crew.add(north.operator, organization_id=north.organization.id)
    first = await story.dispatch(north, "cad_1", member.id)
    devices = Enrolment(story.process.database, story.process.clock, story.process.ids)
    enrolled = await devices.enrol(
        north.viewer,
        organization_id=north.organization.id,
        serial_number="SN-1",
        device_class="oximeter",
        manufacturer="Synthetic",
    )
    assigning = AssignmentService(story.process.database, story.process.clock, story.process.ids)
    await assigning.assign(north.viewer, device_id=enrolled.device.id, encounter_id=first)
    ends = [f"crew_member/{member.id}", f"device/{enrolled.device.id}"]
    result = await story.run(story.job(analyses=ALL, between=ends))
    assert result["graph"]["nodes_by_kind"] == {
        "crew_member": 1,
        "device": 1,
        "encounter": 2,
        "incident": 1,
        "vehicle": 1,
    }
    assert result["components"]["count"] == 1
    assert result["shortest_paths"]["paths"][0]["path"] == [ends[0], f"encounter/{first}", ends[1]]
    assert list(result) == ["graph", *ALL]


@pytest.mark.contract("S-060")
async def test_graph_has_only_what_the_caller_may_see(story: GraphStory) -> None:
    secret = await story.dispatch(story.north, "cad_secret")
    async with story.process.database.transaction() as tx:
        raised = update(encounters).where(encounters.c.id == secret).values(secrecy_level=int(SecrecyLevel.SECRET))
        await tx.execute(raised)
    await story.dispatch(story.south, "cad_2")
    found = names(await story.run(story.job()))
    assert found == {"encounter/enc_north", "vehicle/veh_north", *(one for one in found if one.startswith("incident/"))}
    other = Actor("tnt_north", "org_other", subject="usr_2")
    assert names(await story.run(replace(story.job(other), id="job_2"))) == set()
    cleared = Actor("tnt_north", "org_north", SecrecyLevel.SECRET, subject="usr_3")
    assert f"encounter/{secret}" in names(await story.run(replace(story.job(cleared), id="job_3")))


@pytest.mark.contract("C-152")
async def test_graph_of_profiles_joins_those_with_a_common_list_entry_or_wallet_address(story: GraphStory) -> None:
    north, profiles = story.north, Profiles(story.process.database, story.process.clock, story.process.ids)
    address = "0xABCDEF0000000000000000000000000000000001"
    office = Office(story.process.database, story.process.clock, north.operator)
    wallet = ListedWallet("ETH", address.lower())
    await office.list_entries(listed("QDi 001/2", "Examplo Testovich"), listed("SYN-2", "Walleto", wallets=[wallet]))
    fields: list[dict[str, Any]] = [
        {"kind": "person", "names": ["Examplo Testovich"]},
        {"kind": "person", "names": ["Testovich Exemplo"]},
        {"kind": "wallet", "asset": "ETH", "address": address},
        {"kind": "wallet", "asset": "USDT", "address": address.lower()},
        {"kind": "person", "names": ["Another Subjectov"]},
        {"kind": "person", "names": ["Examplo Testovich"], "secrecy_level": "secret"},
    ]
    lines = [orjson.dumps({"reference": f"CRM-{number}", **one}) for number, one in enumerate(fields)]
    await profiles.import_profiles(north.operator, north.organization.id, lines)
    found = {one.reference: one.id for one in await profiles.list(north.operator, count=10)}
    ids = [found[f"CRM-{number}"] for number in range(len(fields))]
    enricher = ProfileEnricher(story.process.database, story.process.clock)
    for number, id in enumerate(ids[:3]):
        # The last enrichment counts, not one that was made before.
        results = [await enricher.compare(north.operator, f"job_{number}_{turn}", id, None, turn) for turn in (1, 2)]
        async with story.process.database.transaction() as tx:
            for one in results:
                await enricher.store(tx, north.operator, "job", [one])
    ends = [f"profile/{ids[0]}", "list_entry/ofac-sdn/QDi%20001%2F2", f"profile/{ids[1]}"]
    payload: dict[str, Any] = {"analyses": ["components", "shortest_paths"], "nodes": ["profiles"]}
    result = await story.run(story.job(**payload, between=[ends[0], ends[2]]))
    assert result["shortest_paths"]["paths"][0]["path"] == ends
    wallets = [
        f"profile/{ids[2]}",
        f"profile/{ids[3]}",
        f"wallet_address/{address.lower()}",
        "list_entry/ofac-sdn/SYN-2",
    ]
    assert [one["nodes"] for one in result["components"]["components"]] == [
        sorted(wallets),
        sorted(ends),
        [f"profile/{ids[4]}"],
    ]
    both = {**payload, "analyses": ["components"], "nodes": ["profiles", "encounters"]}
    everything = await story.run(replace(story.job(**both), id="job_2"))
    assert everything["graph"]["nodes_by_kind"] == {
        "encounter": 1,
        "list_entry": 2,
        "profile": 5,
        "vehicle": 1,
        "wallet_address": 1,
    }
    assert f"profile/{ids[5]}" not in names(everything)
    assert not any("profile" in name for name in names(await story.run(replace(story.job(), id="job_3"))))


async def test_time_range_limits_the_encounters(story: GraphStory) -> None:
    clock = story.process.clock
    assert isinstance(clock, HandClock)
    clock.advance(us=3_600_000_000)
    later = await story.dispatch(story.north, "cad_1")
    found = names(await story.run(story.job(since="2026-03-24T12:30:00Z")))
    assert f"encounter/{later}" in found
    assert "encounter/enc_north" not in found
    found = names(await story.run(replace(story.job(until="2026-03-24T12:30:00Z"), id="job_2")))
    assert found == {"encounter/enc_north", "vehicle/veh_north"}


async def test_interrupted_job_continues_with_the_same_graph_and_removes_its_parts(
    story: GraphStory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.work.graph.work.PAGE_ENCOUNTERS", 2)
    monkeypatch.setattr("cloud.work.graph.work.PAGES_MAX", 1)
    for number in range(4):
        await story.dispatch(story.north, f"cad_{number}")
    job = story.job(analyses=["components", "centrality"])
    whole = await story.run(job)
    again, interrupted = replace(job, id="job_2"), True
    outcome: Advance[GraphState] | Finish | None = None
    while not isinstance(outcome, Finish):
        if interrupted:
            await story.work.step(again)  # its worker is killed before the state is stored
        again, outcome = await story.step(again)
        interrupted = not isinstance(outcome, Finish) and again.state.joined is None
        if again.state.is_read and again.state.done == 0:
            await story.dispatch(story.north, "cad_new")  # after the graph was read
    async with story.process.database.read() as tx:
        result = await Results().find(tx, "job_2")
    assert result is not None
    assert orjson.loads(await story.objects.read(result.stored)) == whole
    assert whole["graph"]["nodes_by_kind"]["encounter"] == 5
    assert await story.stored("uploads") == []


async def test_cancelled_job_leaves_no_parts(story: GraphStory) -> None:
    job = story.job()
    while job.state.joined is None:
        await story.work.discard(job)  # a cancellation may come after each step
        job = story.job()
        while job.state.joined is None:
            job, _ = await story.step(job)
    assert await story.stored("uploads") != []
    await story.work.discard(job)
    assert await story.stored("uploads") == []
    assert await story.stored("results") == []


async def test_job_that_did_not_run_for_a_day_before_its_end_begins_again(story: GraphStory) -> None:
    clock = story.process.clock
    assert isinstance(clock, HandClock)
    job = story.job()
    while job.state.joined is None:
        job, _ = await story.step(job)
    clock.advance(us=REFER_US)
    job, _ = await story.step(job)
    assert job.state == GraphState(snapshot=job.state.snapshot, result=job.state.result)
    assert await story.stored("results") == []
    assert names(await story.run(job)) == {"encounter/enc_north", "vehicle/veh_north"}


@pytest.mark.parametrize(
    "is_stopped",
    [lambda state: state.is_read, lambda state: state.done == 1],
    ids=["before its analyses", "before its parts are joined"],
)
async def test_job_that_did_not_run_for_days_reads_the_graph_again(
    story: GraphStory, is_stopped: Callable[[GraphState], bool]
) -> None:
    clock, job = story.process.clock, story.job()
    assert isinstance(clock, HandClock)
    while not is_stopped(job.state):
        job, _ = await story.step(job)
    clock.advance(us=UPLOAD_US + 1_000)
    await ResultSweeper(story.process.database, story.objects, clock).remove_orphans()
    new = await story.dispatch(story.north, "cad_new")
    job, _ = await story.step(job)
    assert job.state == GraphState(snapshot=job.state.snapshot, result=job.state.result)
    assert f"encounter/{new}" in names(await story.run(job))
    assert await story.stored("uploads") == []


async def test_job_whose_graph_is_lost_repeatedly_fails(story: GraphStory) -> None:
    async def lose_each_part() -> None:
        job = story.job()
        while True:
            job, _ = await story.step(job)
            for name in await story.stored("uploads"):
                await story.objects.remove(name)

    with pytest.raises(JobFailure) as failure:
        await lose_each_part()
    assert (failure.value.error.code, failure.value.error.retryable) == ("result_parts_lost", True)


async def test_graph_beyond_the_limit_fails_with_advice(story: GraphStory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloud.work.graph.work.OWNERS_MAX", 0)
    with pytest.raises(JobFailure) as failure:
        await story.run(story.job())
    assert failure.value.error.code == "graph_too_large"
    assert "since" in failure.value.error.message


async def _lines() -> AsyncIterator[bytes]:
    yield b"vehicle/a\tvehicle/b\n"


async def test_analysis_that_cannot_be_made_is_a_failure_of_the_job() -> None:
    with pytest.raises(JobFailure) as failure:
        async for _ in graph_process.analyse({"analysis": "unknown"}, _lines(), 1024):
            pass
    assert failure.value.error.code == "graph_analysis_failed"


async def test_cancelled_analysis_ends_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[asyncio.subprocess.Process] = []
    spawn = asyncio.create_subprocess_exec

    async def recorded(*arguments: Any, **more: Any) -> asyncio.subprocess.Process:
        started.append(await spawn(*arguments, **more))
        return started[-1]

    monkeypatch.setattr("asyncio.create_subprocess_exec", recorded)
    reading = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"vehicle/a\n"
        reading.set()
        await asyncio.Event().wait()

    async def consume() -> None:
        async for _ in graph_process.analyse({"analysis": "counts"}, endless(), 1024):
            pass

    job, read = asyncio.create_task(consume()), asyncio.create_task(reading.wait())
    # The job ends first if its process does so at its start.
    await asyncio.wait((job, read), return_when=asyncio.FIRST_COMPLETED, timeout=60)
    read.cancel()
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert reading.is_set()
    assert started[0].returncode is not None
