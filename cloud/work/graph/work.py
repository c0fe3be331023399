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
    StoredObject,
    UploadMark,
)
from cloud.foundation.process import Process
from cloud.work.graph.process import analyse
from cloud.work.graph.schemas import GraphPayload, GraphState, NodeGroup
from cloud.work.graph.store import GraphPage, GraphStore, Span
from cloud.work.jobs import Advance, FileLost, Finish, JobFailure, RunningJob, files_of

OWNERS_MAX = 100_000
"""Encounters of one graph, and profiles of one graph. The encounters have 150 000 nodes and 700 000 edges with crews
and devices, of which an analysis takes half a minute and 350 MB. A region has as many in some months."""
LINES_MAX = 1_000_000
"""Lines of one graph, for encounters with more devices than usual."""
PAGE_ENCOUNTERS = 500
"""Encounters that are read at once: a query of some milliseconds, 3 500 lines."""
PAGE_PROFILES = 100
"""Profiles that are read at once. The last enrichment of each may have 50 hits, about 100 kB."""
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
        self._files = process.shared(files_of)

    async def step(self, job: GraphJob) -> Advance[GraphState] | Finish:
        """Name the uploads, or read some pages of the graph, or make one analysis, or finish. Begin again, with the
        graph as it is now, when parts were lost."""
        if job.state.snapshot is None:
            # Stored before the first part, so that every part of an interrupted step is found by its name.
            return Advance(GraphState(snapshot=self._files.begin(job), result=self._files.begin(job)), 0)
        if not job.state.is_read:
            return await self._read(job)
        try:
            if job.state.done < len(job.payload.analyses):
                return await self._analyse(job)
            return await (self._join(job) if job.state.joined is None else self._finish(job, job.state.joined))
        except FileLost:
            snapshot, result = await self._files.restart(job, job.state.marks)
            return Advance(GraphState(snapshot=snapshot, result=result), 0)

    async def discard(self, job: GraphJob) -> None:
        """Remove the parts of the graph and of the result."""
        joined = None if job.state.joined is None else _stored(job.state.joined)
        await self._files.discard(job, job.state.marks, joined)

    async def _read(self, job: GraphJob) -> Advance[GraphState]:
        read, upload, lines = job.state, self._files.upload(job, job.state.snapshot), bytearray()
        for _ in range(PAGES_MAX):
            page = await self._page(job, read)
            lines += "".join(f"{line}\n" for line in page.lines).encode()
            read = _behind(page, read, job.payload)
            if read.is_read or len(lines) >= READ_BYTES:
                break
        if lines:
            await upload.add(bytes(lines))
        read = read.model_copy(update={"snapshot": upload.mark.document()})
        count = read.encounters + read.profiles
        return Advance(read, int(READING_PCT * (1.0 if read.is_read else count / (count + 5_000))))

    async def _page(self, job: GraphJob, read: GraphState) -> GraphPage:
        """Return the page of the graph behind `read`."""
        payload = job.payload
        since_us, until_us = (None if one is None else read_moment(one) for one in (payload.since, payload.until))
        span = Span(since_us, until_us)
        async with self._process.database.read() as tx:
            match payload.nodes[read.group]:
                case NodeGroup.ENCOUNTERS:
                    return await self._store.encounters(tx, job.actor, span, after=read.after, count=PAGE_ENCOUNTERS)
                case NodeGroup.PROFILES:
                    return await self._store.profiles(tx, job.actor, span, after=read.after, count=PAGE_PROFILES)

    async def _analyse(self, job: GraphJob) -> Advance[GraphState]:
        state, payload = job.state, job.payload
        assert state.snapshot is not None, "the graph was read"
        upload = self._files.upload(job, state.result)
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
        upload = self._files.upload(job, job.state.result)
        await upload.add(b"}")
        stored = await self._files.join(upload, JSON)
        joined = stored.name, stored.size_bytes, stored.sha256.hex()
        state = job.state.model_copy(update={"joined": joined})
        return Advance(state, 99, undo=self._files.undo_join(stored))

    async def _finish(self, job: GraphJob, joined: tuple[str, int, str]) -> Finish:
        return await self._files.finish(job, _stored(joined), JSON, job.state.marks)

    async def _whole(self, request: dict[str, Any], snapshot: UploadMark) -> bytes:
        async with aclosing(analyse(request, self._lines(snapshot), PART_BYTES)) as chunks:
            return b"".join([chunk async for chunk in chunks])

    async def _lines(self, snapshot: UploadMark) -> AsyncIterator[bytes]:
        for part in snapshot.parts:
            yield await self._files.read(part)


def _stored(joined: tuple[str, int, str]) -> StoredObject:
    name, size_bytes, sha256 = joined
    return StoredObject(name, size_bytes, bytes.fromhex(sha256))


def _behind(page: GraphPage, read: GraphState, payload: GraphPayload) -> GraphState:
    """Return the state behind a page. Raises `JobFailure` when the graph is too large."""
    counted = payload.nodes[read.group].value
    changed: dict[str, Any] = {
        counted: getattr(read, counted) + page.count,
        "edges": read.edges + len(page.lines),
        "after": page.last_id or "",
    }
    if page.last_id is None:
        changed["group"] = read.group + 1
        changed["is_read"] = changed["group"] == len(payload.nodes)
    if changed[counted] > OWNERS_MAX or changed["edges"] > LINES_MAX:
        raise JobFailure(
            "graph_too_large",
            f"The graph has more than {OWNERS_MAX} encounters or profiles, or {LINES_MAX} edges. Choose a shorter time "
            "range with since and until.",
        )
    return read.model_copy(update=changed)
