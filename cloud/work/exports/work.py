"""The steps of an export: a part of the file each, then the end of the file, then the result.

A part depends only on the position at which it begins and on the rows behind it. A part that is made again, after its
worker was killed, has the same bytes if no row behind the position was stored or erased meanwhile. In each case the
file has only the parts whose marks are stored, so it has each row once. Memory holds one part and one page of rows,
however many rows the export has.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import TypeVar

from cloud.access.audit import Audit
from cloud.clinical.epcr import Encounter, Encounters, EncounterUnknown
from cloud.clinical.nemsis import ReportExport
from cloud.foundation.arrivals import SETTLE
from cloud.foundation.db import Transaction
from cloud.foundation.objects import (
    JOINED_BYTES_MAX,
    ResultUpload,
    StoredObject,
    UploadMark,
)
from cloud.foundation.process import Process
from cloud.work.evidence import job_evidence_of
from cloud.work.exports.formats import FileFormat, Part, format_of
from cloud.work.exports.schemas import ExportPayload, ExportState, JoinedFile
from cloud.work.exports.sources import Rows, source_of
from cloud.work.jobs import Advance, FileLost, Finish, JobFailure, RunningJob, Undo, files_of

PAGE_ENCOUNTERS = 100
"""Encounters that are read at once."""
PART_WORK_MAX = 1_000.0
"""Work (`Rows.work`) after which a part ends although it is not full: about a second in which little was found. So the
jobs of other tenants have their turn, and little is repeated after a kill."""
PARTS_MAX = 4_000
"""Parts of a file. Their marks take 800 kB of the job's state at most, of the mebibyte that it may have."""

Encoded = TypeVar("Encoded")

Job = RunningJob[ExportPayload, ExportState]


class ExportWork:
    """The work of the kind `export.bulk`."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._database = process.database.for_long_reads()
        self._settle = process.supplies[SETTLE](process)
        self._clock = process.clock
        self._encounters = Encounters()
        self._files = process.shared(files_of)
        self._audit = Audit(process.clock)
        self._evidence = process.shared(job_evidence_of)
        self._reports = ReportExport(process.database, process.clock)
        # One thread for all exports: glibc keeps what a thread frees for this thread, and asyncio's own threads would
        # each keep the memory of a part, the more of them the longer an export runs.
        self._encoder = ThreadPoolExecutor(max_workers=1, thread_name_prefix="export")

    async def step(self, job: Job) -> Advance[ExportState] | Finish:
        """Begin the export, write a part of its file, complete the file, or refer to the complete file. Raises
        `JobFailure`, and `DomainError` when the database or the object store is not available."""
        state = job.state
        if state.before_us is None:
            return await self._begin(job)
        if state.joined is not None:
            return await self._finish(job, state.joined)
        return await self._write_part(job)

    async def discard(self, job: Job) -> None:
        """Remove the parts of the file, and the file if no result names it."""
        joined = job.state.joined
        await self._files.discard(job, job.state.marks, None if joined is None else joined.stored())

    async def _begin(self, job: Job) -> Advance[ExportState]:
        await self._settle()
        before_us = self._clock.now_us()
        async with self._database.read() as tx:
            count = await self._encounters.count(tx, job.actor, job.payload.encounters(before_us))
        # The names of the uploads are stored before their first part, so that a part of a killed worker is found.
        parts, details = (mark or self._files.begin(job) for mark in job.state.marks)
        state = ExportState(before_us=before_us, encounters=count, parts=parts, details=details)

        async def record(tx: Transaction) -> None:
            metadata = {"data": job.payload.data, "format": job.payload.format, "encounters": count}
            await self._audit.record(tx, job.actor, "export.began", job.id, metadata=metadata)

        return Advance(state, 0, record)

    async def _write_part(self, job: Job) -> Advance[ExportState]:
        state = job.state
        format_ = format_of(job.payload.format, job.payload.data)
        upload = self._files.upload(job, state.parts)
        part, rows, work, ended = format_.part(), 0, 0.0, True
        identified: list[str] = []
        state = state.model_copy()
        async with aclosing(self._pages(job, state, format_)) as found:
            async for each in found:
                part.add(each.page)
                rows, work = rows + each.count, work + each.work
                if each.identified is not None:
                    identified.append(each.identified)
                if part.is_full or work >= PART_WORK_MAX:
                    ended = False
                    break
                await asyncio.sleep(0)  # so that a cancellation has its turn
        if not part.is_empty:
            await self._add_part(job, upload, state, part)
            state.parts, state.rows = upload.mark.document(), state.rows + rows
        undo: Undo | None = None
        if ended:
            try:
                undo = self._files.undo_join(await self._join(job, upload, state, format_))
            except FileLost:
                return await self._restart(job)

        async def record(tx: Transaction) -> None:
            await self._reports.record_job_reads(tx, job.actor, identified, job.id)

        return Advance(state, state.progress_pct, record if identified else None, undo)

    async def _add_part(self, job: Job, upload: ResultUpload, state: ExportState, part: Part) -> None:
        is_first, at_bytes = not upload.mark.parts, upload.mark.size_bytes
        data, detail = await self._encode(lambda: part.encoded(first=is_first, at_bytes=at_bytes))
        _check_size(upload.mark, len(data))
        await upload.add(data)
        if detail is not None:
            details = self._files.upload(job, state.details)
            await details.add(detail)
            state.details = details.mark.document()

    async def _join(self, job: Job, upload: ResultUpload, state: ExportState, format_: FileFormat) -> StoredObject:
        """Write the end of the file, and join its parts; return the file. Raises `FileLost`."""
        details = self._files.upload(job, state.details).mark.parts
        read = [await self._files.read(one) for one in details]
        at_bytes = upload.mark.size_bytes
        end = await self._encode(lambda: format_.end(read, at_bytes=at_bytes))
        if end:
            _check_size(upload.mark, len(end))
            await upload.add(end)
        stored = await self._files.join(upload, format_.download)
        state.parts = upload.mark.document()
        state.joined = JoinedFile(object_name=stored.name, size_bytes=stored.size_bytes, sha256=stored.sha256.hex())
        return stored

    async def _encode(self, work: Callable[[], Encoded]) -> Encoded:
        """Run `work` beside the event loop, since it computes for longer than requests of the same process may
        wait."""
        return await asyncio.get_running_loop().run_in_executor(self._encoder, work)

    async def _restart(self, job: Job) -> Advance[ExportState]:
        """Begin again, since the parts or the file of an export that did not run for days were removed."""
        parts, details = await self._files.restart(job, job.state.marks)
        return Advance(ExportState(parts=parts, details=details), 0)

    async def _finish(self, job: Job, joined: JoinedFile) -> Advance[ExportState] | Finish:
        stored = joined.stored()
        download = format_of(job.payload.format, job.payload.data).download

        async def record(tx: Transaction) -> None:
            metadata = {"rows": job.state.rows, "bytes": stored.size_bytes}
            await self._audit.record(tx, job.actor, "export.finished", job.id, metadata=metadata)
            chosen = {"data": job.payload.data.value, "format": job.payload.format.value}
            await self._evidence.exported(
                tx, job.actor, job.id, stored, {**chosen, **metadata, "encounters": job.state.encounters}
            )

        try:
            return await self._files.finish(job, stored, download, job.state.marks, record)
        except FileLost:
            return await self._restart(job)

    async def _pages(self, job: Job, state: ExportState, format_: FileFormat) -> AsyncGenerator[Rows, None]:
        """Yield the rows behind the position of `state`, a page at a time. When a page is yielded, `state` has the
        position behind it."""
        source = source_of(self._process, self._database, job.payload, is_table=format_.is_table)
        begin = state.position
        async with aclosing(self._following(job, state)) as encounters:
            async for encounter in encounters:
                place = begin.place if encounter.id == begin.encounter_id else None
                try:
                    async with aclosing(source.pages(job.actor, encounter, place)) as pages:
                        async for page in pages:
                            state.move(encounter, page.next)
                            yield page
                except EncounterUnknown:  # it was erased meanwhile
                    state.move(encounter, None)

    async def _following(self, job: Job, state: ExportState) -> AsyncGenerator[Encounter, None]:
        """Yield the encounters behind the position of `state`, which moves on with each of them."""
        assert state.before_us is not None, "the export has begun"
        wanted = job.payload.encounters(state.before_us)
        found: Sequence[Encounter] = ()
        while True:
            after, count = state.position.after, PAGE_ENCOUNTERS
            async with self._database.read() as tx:
                found = await self._encounters.page(tx, job.actor, wanted, after=after, count=count)
            for encounter in found:
                yield encounter
            if len(found) < count:
                return


def _check_size(mark: UploadMark, more_bytes: int) -> None:
    """Raise `JobFailure` if a file of these parts would exceed its limit with one more part."""
    if mark.size_bytes + more_bytes > JOINED_BYTES_MAX or len(mark.parts) >= PARTS_MAX:
        sentence = "The file would be larger than 16 GiB or 4,000 parts. Export a shorter time or fewer codes."
        raise JobFailure("export_too_large", sentence)
