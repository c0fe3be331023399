"""Run the steps of an export as a worker does, and read the file."""

import hashlib
from pathlib import Path
from typing import Any

import orjson

from cloud.foundation.master_key import MasterKey
from cloud.foundation.objects import LocalObjects, Result, Results
from cloud.foundation.viewer import Actor
from cloud.work.exports.schemas import ExportPayload, ExportState
from cloud.work.exports.work import ExportWork
from cloud.work.jobs import Finish, RunningJob
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.parts import make_parts


class ExportDesk:
    """Exports from one cloud, whose objects are in `folder`. `clock` is past all encounters of the tests. `steps` and
    `states` are those of the last export."""

    def __init__(self, cloud: CloudUnderTest, folder: Path) -> None:
        self.cloud = cloud
        self.objects = LocalObjects(folder)
        self.folder = folder
        self.process = make_parts(
            cloud.database,
            cloud.clock,
            master=MasterKey(bytes(32)),
            sections={"objects_dir": str(folder)},  # type: ignore[dict-item]
        )
        self.steps = 0
        self.states: list[ExportState] = []
        self.results: list[Result] = []

    def work(self) -> ExportWork:
        """Return the work of a new process."""
        return ExportWork(self.process)

    async def run(
        self, payload: dict[str, Any], *, actor: Actor = OPERATOR, killed_before: frozenset[int] = frozenset()
    ) -> bytes:
        """Run an export to its end; return the file. The worker is killed in the steps `killed_before`, after their
        work and before their state is stored, and another one repeats the step."""
        self.cloud.clock.at_us += 1
        self.states.clear()
        job = self.job(payload, actor=actor)
        for number in range(10_000):
            self.steps = number + 1
            if number in killed_before:
                await self.work().step(job)
            outcome = await self.work().step(job)
            if isinstance(outcome, Finish):
                return await self._finish(outcome, job)
            if outcome.effect is not None:
                async with self.cloud.database.transaction() as tx:
                    await outcome.effect(tx)
            state = ExportState.model_validate_json(outcome.state.model_dump_json())
            self.states.append(state)
            job = RunningJob(job.id, job.actor, job.payload, state, job.lease_token + 1)
        raise AssertionError("the export does not end")

    def job(self, payload: dict[str, Any], *, actor: Actor = OPERATOR) -> RunningJob[ExportPayload, ExportState]:
        return RunningJob(self.process.ids.new("job"), actor, ExportPayload.model_validate(payload), ExportState(), 1)

    async def _finish(self, outcome: Finish, job: RunningJob[ExportPayload, ExportState]) -> bytes:
        assert outcome.effect is not None
        async with self.cloud.database.transaction() as tx:
            await outcome.effect(tx)
        async with self.cloud.database.read() as tx:
            result = await Results().find(tx, job.id)
        assert result is not None
        self.results.append(result)
        return await self.objects.read(result.stored)

    async def lines(self, payload: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
        """Run an export in a format of lines; return the objects."""
        return [orjson.loads(line) for line in (await self.run(payload, **options)).splitlines()]

    async def unfinished(self) -> list[str]:
        """Return the names of the parts of uploads in the object store."""
        return [one.name async for page in self.objects.pages("uploads") for one in page]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def with_types(resource: dict[str, Any]) -> dict[str, Any]:
    """Return a resource of a bundle with the references of a file of resources: by type and id."""

    def typed(value: Any) -> Any:
        if isinstance(value, dict):
            if str(value.get("reference", "")).startswith("urn:uuid:"):
                return {**value, "reference": f"{value['type']}/{value['reference'].removeprefix('urn:uuid:')}"}
            return {name: typed(one) for name, one in value.items()}
        return [typed(one) for one in value] if isinstance(value, list) else value

    return dict(typed(resource))


def references(value: Any) -> list[str]:
    """Return the references in a resource."""
    if isinstance(value, dict):
        own = [value["reference"]] if isinstance(value.get("reference"), str) else []
        return own + [one for each in value.values() for one in references(each)]
    return [one for each in value for one in references(each)] if isinstance(value, list) else []
