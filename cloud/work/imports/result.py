"""The result of an import: a JSON document with its counts and the errors of its rows."""

from typing import Any

import orjson

from cloud.foundation.objects import Download, ObjectStore, ResultUpload
from cloud.foundation.process import Process
from cloud.work.imports.schemas import ImportPayload, ImportState
from cloud.work.jobs import Effect, Finish, ResultKeeper, RunningJob

JSON = Download("application/json", "import.json")


class ResultWriter:
    """Stores the results of imports."""

    def __init__(self, process: Process) -> None:
        self._ids = process.ids
        self._clock = process.clock
        self._keeper = ResultKeeper(process.database, process.clock)

    async def finish(self, objects: ObjectStore, job: RunningJob[ImportPayload, ImportState], effect: Effect) -> Finish:
        """Return the outcome with which an import succeeds. `effect` is made in the same transaction. If the process is
        killed before, the stored document has no row, and the sweep of results removes it."""
        upload = ResultUpload(objects, self._ids, self._clock, job.actor.tenant_id)
        await upload.add(orjson.dumps(document(job.payload, job.state)))
        stored = await upload.finish(JSON)
        await upload.discard()
        return await self._keeper.finish(job, stored, JSON, effect)


def document(payload: ImportPayload, state: ImportState) -> dict[str, Any]:
    """Return the result as JSON values."""
    staged = state.staged
    return {
        "data": payload.data.value,
        "rows": sum(state.counts.values()),
        **state.counts,
        "error_count": state.error_count,
        "errors": [error._asdict() for error in state.errors],
        "not_imported": [{"first_line": first, "last_line": last} for first, last in state.ranges],
        "list": None
        if staged is None or staged.problem_count
        else {
            "name": staged.name,
            "published_on": staged.published_on,
            "entries": staged.entries,
            "names": staged.names,
            "wallets": staged.wallets,
            "sha256": staged.sha256,
        },
    }
