"""Run the steps of `intelligence.enrich.bulk` as a worker does, and read the result."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import delete, select

from cloud.access.audit import Audit, AuditEntry
from cloud.clinical.profiles import profile_enrichments
from cloud.clinical.profiles.service import Profiles
from cloud.foundation.db import Database
from cloud.foundation.ids import UlidIds
from cloud.foundation.objects import LocalObjects, Results
from cloud.foundation.viewer import Actor
from cloud.work.enrichment.schemas import EnrichmentPayload, EnrichmentState
from cloud.work.enrichment.work import EnrichmentWork
from cloud.work.jobs import Finish, RunningJob
from tests.builders.cloud_people import HandClock, Household, household
from tests.builders.parts import make_parts
from tests.builders.screening import Office

JobOfProfiles = RunningJob[EnrichmentPayload, EnrichmentState]


def person(number: int, *names: str, **more: Any) -> dict[str, Any]:
    """Return the line of a profile to import."""
    return {"reference": f"CRM-{number}", "kind": "person", "names": names or (f"Examplo {number}",), **more}


class EnrichmentDesk:
    """Jobs on a database with the tenants `north` and `south`. Their results are in `folder`."""

    def __init__(self, database: Database, clock: HandClock, north: Household, south: Household, folder: Path) -> None:
        self.database = database
        self.clock = clock
        self.north = north
        self.south = south
        self.objects = LocalObjects(folder)
        self.process = make_parts(database, clock, sections={"objects_dir": str(folder)})  # type: ignore[dict-item]
        self.office = Office(database, clock, north.operator)
        self.profiles = Profiles(database, clock, UlidIds(clock))

    async def store(self, *lines: dict[str, Any], home: Household | None = None) -> list[str]:
        """Import profiles; return their ids in the order of the lines."""
        home = home or self.north
        texts = [orjson.dumps(line) for line in lines]
        done = await self.profiles.import_profiles(home.operator, home.organization.id, texts)
        assert (done.stored, done.problems) == (len(lines), [])
        found = {one.reference: one.id for one in await self.profiles.list(home.operator, count=1000)}
        return [found[line["reference"]] for line in lines]

    def job(self, ids: Sequence[str], actor: Actor | None = None, **payload: Any) -> JobOfProfiles:
        wanted = EnrichmentPayload.model_validate({"profile_ids": ids, **payload})
        return RunningJob("job_1", actor or self.north.viewer, wanted, EnrichmentState(), 1)

    async def step(self, job: JobOfProfiles) -> JobOfProfiles | Finish:
        """Make a step with the work of a new process, and its effect; return the job with its state as it is read back
        from the database, or the last outcome."""
        outcome = await EnrichmentWork(self.process).step(job)
        if outcome.effect is not None:
            async with self.database.transaction() as tx:
                await outcome.effect(tx)
        if isinstance(outcome, Finish):
            return outcome
        assert 0 <= outcome.progress_pct < 100
        return replace(job, state=EnrichmentState.model_validate_json(outcome.state.model_dump_json()))

    async def run(self, job: JobOfProfiles, *, killed_in: Collection[int] = ()) -> bytes:
        """Make all steps; return the file. In the steps `killed_in` the worker is killed after its work and before its
        state and effect are stored, and the clock goes on."""
        number, now = 0, job
        while True:
            if number in killed_in:
                await EnrichmentWork(self.process).step(now)
                self.clock.advance(us=7_000_000)
            outcome = await self.step(now)
            if isinstance(outcome, Finish):
                break
            number, now = number + 1, outcome
        async with self.database.read() as tx:
            result = await Results().find(tx, job.id)
        assert result is not None
        assert await self.stored("uploads") == []
        return await self.objects.read(result.stored)

    async def document(self, job: JobOfProfiles) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(await self.run(job))
        return found

    async def enrichments(self) -> int:
        """Return the number of stored enrichments."""
        async with self.database.read() as tx:
            return len(await tx.execute(select(profile_enrichments.c.id)))

    async def trail(self) -> Sequence[AuditEntry]:
        async with self.database.read() as tx:
            return await Audit(self.clock).list(tx, self.north.operator, action="profile.enrich")

    async def forget(self) -> None:
        """Delete what jobs have stored, so that the next one begins as the first one did."""
        async with self.database.transaction() as tx:
            await tx.execute(delete(profile_enrichments))
            await Results().release(tx, ["job_1"], self.clock.now_us())

    async def stored(self, prefix: str) -> list[str]:
        """Return the names of stored objects."""
        return [one.name async for page in self.objects.pages(prefix) for one in page]


async def enrichment_desk(database: Database, folder: Path) -> EnrichmentDesk:
    """Add the tenants, and return the desk."""
    clock = HandClock()
    north, south = await household(database, clock), await household(database, clock, name="south")
    return EnrichmentDesk(database, clock, north, south, folder)
