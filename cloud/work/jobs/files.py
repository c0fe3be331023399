"""The files that jobs make: uploads in parts, joined to one object, which then is the result of the job.

    files = process.shared(files_of)
    mark = files.begin(job)                          # store it in the state before the first part
    upload = files.upload(job, mark)                 # then store `upload.mark` with the own position
    stored = await files.join(upload, download)      # store it in the state
    return await files.finish(job, stored, download, [mark])

The outcome of the step that joins has `undo_join(stored)` as its `undo`. The sweep of results removes the parts of a
job that did not run for three days, and a joined object that no result names after a day. The calls then raise
`FileLost`. A kind whose steps may be made again catches it and begins again with the marks that `restart` returns,
which count it. Results are stored once for each content of a tenant.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import structlog

from cloud.foundation.db import Transaction
from cloud.foundation.objects import (
    Download,
    ObjectDamaged,
    ObjectMissing,
    ObjectStore,
    Result,
    Results,
    ResultUpload,
    StoredObject,
    UploadMark,
    is_stored,
    may_be_removed,
    object_store_of,
)
from cloud.foundation.process import Process
from cloud.work.jobs.errors import ResultPlaceChanged
from cloud.work.jobs.kind import Effect, Finish, JobFailure, RunningJob, Undo
from cloud.work.jobs.model import JobResult

RESTARTS_MAX = 2
"""Times that a job begins again since a part of its file was lost. A store that loses more is not usable."""

log = structlog.get_logger()

AnyJob = RunningJob[Any, Any]
Mark = dict[str, Any]
"""Mark of an upload as JSON values, in the state of a job."""


class FileLost(JobFailure):
    """The job did not run for a day or longer, so parts of its file were removed, or they are damaged.

    A kind whose steps may be made again catches it and begins again. Otherwise the job fails with this reason.
    """

    def __init__(self) -> None:
        sentence = "The job was interrupted for a day or longer, so its file was removed. Start a new job."
        super().__init__("result_abandoned", sentence, retryable=True)


class JobFiles:
    """Makes the files and the results of the jobs of a process."""

    def __init__(self, process: Process) -> None:
        self._database = process.database
        self._clock = process.clock
        self._ids = process.ids
        self._opened = object_store_of(process.settings)
        self._results = Results()

    @property
    def objects(self) -> ObjectStore:
        """The object store. Raises `JobFailure` if the installation has none."""
        if self._opened is None:
            raise JobFailure("results_unavailable", "The installation has no store for files and results.")
        return self._opened

    def begin(self, job: AnyJob) -> Mark:
        """Return the mark of a new upload. It has the name of the upload, by which its parts are found, also those that
        a killed worker has stored. Raises `JobFailure`."""
        return self.upload(job, None).mark.document()

    def upload(self, job: AnyJob, mark: Mark | None) -> ResultUpload:
        """Return the upload with a mark; None: a new one. Raises `JobFailure`."""
        known = None if mark is None else UploadMark.of(mark)
        return ResultUpload(self.objects, self._ids, self._clock, job.actor.tenant_id, known)

    async def read(self, part: StoredObject) -> bytes:
        """Return the bytes of a part. Raises `FileLost`, `JobFailure`."""
        try:
            return await self.objects.read(part)
        except (ObjectMissing, ObjectDamaged):
            raise FileLost from None

    async def join(self, upload: ResultUpload, download: Download) -> StoredObject:
        """Join the parts of an upload to one object. The parts stay, since the step may be interrupted and then needs
        them again. Raises `FileLost`."""
        try:
            return await upload.finish(download)
        except (ObjectMissing, ObjectDamaged):
            raise FileLost from None

    def undo_join(self, stored: StoredObject) -> Undo:
        """Return what removes a joined object, for the outcome whose state is the first to name it."""

        async def undo() -> None:
            await self.objects.remove(stored.name)

        return undo

    async def finish(
        self,
        job: AnyJob,
        stored: StoredObject,
        download: Download,
        marks: Sequence[Mark | None] = (),
        effect: Effect | None = None,
    ) -> Finish:
        """Remove the parts of the uploads with these marks, and return the outcome with which a job succeeds. Its
        result is `stored`, or the object of the same content that the tenant has already: `stored` is then removed by
        the next sweep. If the store has lost that object, `stored` becomes the result of all jobs with this content.
        `effect` is made in the same transaction. Raises `FileLost` if `stored` may have been removed; it is then
        removed here."""
        await self.discard(job, marks)
        tenant_id, lost = job.actor.tenant_id, None
        async with self._database.read() as tx:
            name = await self._results.kept_name(tx, tenant_id, stored)
        if name != stored.name and not await is_stored(self.objects, replace(stored, name=name)):
            log.warning("results.object_lost", object=name)
            lost, name = name, stored.name
        if name == stored.name and may_be_removed(stored, self._clock.now_us()):
            await self.objects.remove(stored.name)
            raise FileLost

        async def keep(tx: Transaction) -> None:
            if lost is not None:
                await self._results.replace(tx, lost, stored)
            kept = await self._results.keep(tx, Result(job.id, tenant_id, stored, download), self._clock.now_us())
            if kept != name:
                raise ResultPlaceChanged
            if effect is not None:
                await effect(tx)

        return Finish(JobResult(name, download.media_type, stored.size_bytes), keep)

    async def restart(self, job: AnyJob, marks: Iterable[Mark | None]) -> list[Mark]:
        """Remove the parts of the uploads with these marks, and return the marks of as many new ones. Raises
        `JobFailure` when parts of the job were lost too often."""
        new: list[Mark] = []
        for mark in marks:
            upload = self.upload(job, mark)
            await upload.restart()
            if upload.mark.restarts > RESTARTS_MAX:
                raise JobFailure("result_parts_lost", "Parts of the file were lost repeatedly.", retryable=True)
            new.append(upload.mark.document())
        return new

    async def discard(self, job: AnyJob, marks: Iterable[Mark | None], joined: StoredObject | None = None) -> None:
        """Remove the parts of the uploads with these marks, and the joined object. None: it did not begin."""
        if self._opened is None:
            return
        for mark in marks:
            if mark is not None:
                await self.upload(job, mark).discard()
        if joined is not None:
            await self._opened.remove(joined.name)


def files_of(process: Process) -> JobFiles:
    """Make the files of a process. Call it as `process.shared(files_of)`."""
    return JobFiles(process)
