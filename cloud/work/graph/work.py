"""The steps of `graph.compute`: read the graph page by page, then make one analysis after the other.

The pages are parts of an upload, so a job whose worker was killed continues behind the last page, and each analysis
examines the same graph, whatever was changed meanwhile. An analysis that was interrupted is made again as a whole: its
parts of the result count only when the state after it is stored.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from cloud.foundation.moments import read_moment
from cloud.foundation.objects import (
    PART_BYTES,
    Download,
    ObjectStore,
    ResultUpload,
    StoredObject,
    UploadMark,
    object_store_of,
)
from cloud.foundation.process import Process
from cloud.work.graph.process import analyse
from cloud.work.graph.schemas import GraphPayload, GraphState
from cloud.work.graph.store import GraphStore
from cloud.work.jobs import Advance, Finish, JobFailure, ResultKeeper, RunningJob

ENCOUNTERS_MAX = 100_000
"""Encounters of one graph: with crews and devices 150 000 nodes and 700 000 edges, of which an analysis takes half a
minute and 350 MB. A region has as many in some months."""
LINES_MAX = 1_000_000
"""Lines of one graph, for encounters with more devices than usual."""
PAGE_ENCOUNTERS = 500
"""Encounters that are read at once: a query of some milliseconds, 3 500 lines."""
READ_BYTES = 1 << 20
"""Bytes of the graph from which on a step stores them as a part."""
PAGES_MAX = 20
"""Pages of one step, which so takes less than a second."""
READING_PCT = 30
"""The share of the reading in the progress."""
JSON = Download("application/json", "graph.json")

GraphJob = RunningJob[GraphPayload, GraphState]


class GraphWork:
    """Makes the steps of jobs of the kind `graph.compute`."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._store = GraphStore()
        self._keeper = ResultKeeper(process.database, process.clock)
        self._opened = object_store_of(process.settings)

    async def step(self, job: GraphJob) -> Advance[GraphState] | Finish:
        """Name the uploads, or read some pages of the graph, or make one analysis, or finish."""
        if job.state.snapshot is None:
            # Stored before the first part, so that every part of an interrupted step is found by its name.
            marks = {"snapshot": self._upload(job).mark.document(), "result": self._upload(job).mark.document()}
            return Advance(job.state.model_copy(update=marks), 0)
        if not job.state.is_read:
            return await self._read(job)
        if job.state.done < len(job.payload.analyses):
            return await self._analyse(job)
        return await (self._join(job) if job.state.joined is None else self._finish(job))

    async def discard(self, job: GraphJob) -> None:
        """Remove the parts of the graph and of the result."""
        await self._remove_parts(job)
        if job.state.joined is not None:
            await self._objects.remove(job.state.joined[0])

    async def _read(self, job: GraphJob) -> Advance[GraphState]:
        state, payload = job.state, job.payload
        upload = self._upload(job, state.snapshot)
        after, encounters, lines, is_read = state.after, state.encounters, bytearray(), False
        count = 0
        for _ in range(PAGES_MAX):
            async with self._process.database.read() as tx:
                page = await self._store.page(
                    tx,
                    job.actor,
                    since_us=None if payload.since is None else read_moment(payload.since),
                    until_us=None if payload.until is None else read_moment(payload.until),
                    after=after,
                    count=PAGE_ENCOUNTERS,
                )
            encounters += page.encounters
            count += len(page.lines)
            if encounters > ENCOUNTERS_MAX or state.edges + count > LINES_MAX:
                raise JobFailure(
                    "graph_too_large",
                    f"The graph has more than {ENCOUNTERS_MAX} encounters or {LINES_MAX} edges. Choose a shorter time "
                    "range with since and until.",
                )
            lines += "".join(f"{line}\n" for line in page.lines).encode()
            is_read = page.last_id is None
            if page.last_id is None or len(lines) >= READ_BYTES:
                after = page.last_id or after
                break
            after = page.last_id
        if lines:
            await upload.add(bytes(lines))
        read = state.model_copy(
            update={
                "snapshot": upload.mark.document(),
                "after": after,
                "encounters": encounters,
                "edges": state.edges + count,
                "is_read": is_read,
            }
        )
        share = 1.0 if is_read else encounters / (encounters + 5_000)
        return Advance(read, int(READING_PCT * share))

    async def _analyse(self, job: GraphJob) -> Advance[GraphState]:
        state, payload = job.state, job.payload
        assert state.snapshot is not None, "the graph was read"
        upload = self._upload(job, state.result)
        snapshot = UploadMark.of(state.snapshot)
        if state.done == 0:
            await upload.add(b'{"graph":' + await self._whole({"analysis": "counts"}, snapshot))
        analysis = payload.analyses[state.done]
        request = {"analysis": analysis.value, "top": payload.top, "between": payload.between}
        begin = f',"{analysis.value}":'.encode()
        async with aclosing(analyse(request, self._lines(snapshot), PART_BYTES)) as chunks:
            async for chunk in chunks:
                await upload.add(begin + chunk)
                begin = b""
        done = state.done + 1
        progress = READING_PCT + (99 - READING_PCT) * done // len(payload.analyses)
        return Advance(state.model_copy(update={"result": upload.mark.document(), "done": done}), progress)

    async def _join(self, job: GraphJob) -> Advance[GraphState]:
        """Join the parts of the result to one object. The parts are removed in the next step, since this one may be
        interrupted and then needs them again."""
        upload = self._upload(job, job.state.result)
        await upload.add(b"}")
        stored = await upload.finish(JSON)
        joined = stored.name, stored.size_bytes, stored.sha256.hex()
        return Advance(job.state.model_copy(update={"joined": joined}), 99)

    async def _finish(self, job: GraphJob) -> Finish:
        assert job.state.joined is not None, "the parts were joined"
        await self._remove_parts(job)
        name, size_bytes, sha256 = job.state.joined
        stored = StoredObject(name, size_bytes, bytes.fromhex(sha256))
        return await self._keeper.finish(job, stored, JSON)

    async def _remove_parts(self, job: GraphJob) -> None:
        for mark in (job.state.snapshot, job.state.result):
            if mark is not None:
                await self._upload(job, mark).discard()

    async def _whole(self, request: dict[str, Any], snapshot: UploadMark) -> bytes:
        async with aclosing(analyse(request, self._lines(snapshot), PART_BYTES)) as chunks:
            return b"".join([chunk async for chunk in chunks])

    async def _lines(self, snapshot: UploadMark) -> AsyncIterator[bytes]:
        for part in snapshot.parts:
            yield await self._objects.read(part)

    def _upload(self, job: GraphJob, mark: dict[str, Any] | None = None) -> ResultUpload:
        process = self._process
        found = None if mark is None else UploadMark.of(mark)
        return ResultUpload(self._objects, process.ids, process.clock, job.actor.tenant_id, found)

    @property
    def _objects(self) -> ObjectStore:
        if self._opened is None:
            raise JobFailure("results_unavailable", "The installation has no store for results.")
        return self._opened
