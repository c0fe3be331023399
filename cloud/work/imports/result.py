"""The result of an import: a JSON document with its counts and the errors of its rows."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import orjson

from cloud.foundation.errors import DomainError
from cloud.foundation.objects import Download
from cloud.foundation.process import Process
from cloud.work.imports.schemas import ImportPayload, ImportState
from cloud.work.jobs import Effect, Finish, RunningJob, files_of

JSON = Download("application/json", "import.json")


class ResultWriter:
    """Stores the results of imports."""

    def __init__(self, process: Process) -> None:
        self._files = process.shared(files_of)

    async def finish(self, job: RunningJob[ImportPayload, ImportState], effect: Effect) -> Finish:
        """Return the outcome with which an import succeeds. `effect` is made in the same transaction. If the process is
        killed before, the stored document has no row, and the sweep of results removes it."""
        upload = self._files.upload(job, None)
        await upload.add(orjson.dumps(document(job.payload, job.state)))
        stored = await self._files.join(upload, JSON)
        undo = self._files.undo_join(stored)
        try:
            outcome = await self._files.finish(job, stored, JSON, [upload.mark.document()], effect)
        except BaseException:  # no stored state names the file
            with suppress(DomainError):
                await undo()
            raise
        return replace(outcome, undo=undo)


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
