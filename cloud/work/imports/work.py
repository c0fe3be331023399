"""The steps of an import: examine the pieces of the file, import chunk after chunk, and write the result.

All pieces are examined before the first row is stored, so a file with a lost or damaged piece or a line that is too
long changes nothing. A file that the client had cut off before is imported as far as it goes. A chunk is stored as a
whole, in the transaction that stores the position behind it, or not at all if one of its rows has an error. So a chunk
is imported once, whichever process is killed, and a chunk that was refused can be sent again.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from cloud.access.audit import Audit
from cloud.foundation.db import Transaction
from cloud.foundation.objects import (
    ObjectDamaged,
    ObjectMissing,
    ObjectStore,
    StoredObject,
    stored_piece,
)
from cloud.foundation.process import Process
from cloud.work.evidence import job_evidence_of
from cloud.work.imports.file import (
    LINE_BYTES_MAX,
    LineMalformed,
    measure,
    read_header,
    read_row,
    read_window,
    whole_lines,
    without_mark,
)
from cloud.work.imports.result import ResultWriter
from cloud.work.imports.rows import ROW_MALFORMED, RowStore, Stored, malformed, refusal, row_stores
from cloud.work.imports.sanctions import SanctionsImport
from cloud.work.imports.schemas import ImportData, ImportFormat, ImportPayload, ImportState, RowError
from cloud.work.jobs import Advance, Finish, JobFailure, RunningJob, files_of

CHUNK_ROWS = 100
"""Lines of one transaction: about 10 ms for new devices, which are added together, and 100 ms on SQLite for devices
that are enrolled again, of which each has five to seven statements."""
EXAMINED_PCT = 5
"""The share of the examination in the progress."""

Job = RunningJob[ImportPayload, ImportState]


@dataclass(frozen=True, slots=True)
class _Chunk:
    """The rows of some lines with the numbers of their lines, and the errors of the lines that are none."""

    rows: Sequence[tuple[int, BaseModel]]
    errors: Sequence[RowError]


class _ChunkRefused(Exception):
    """Rolls a chunk back. Its rows with an error are in `errors`."""

    def __init__(self, errors: Sequence[RowError]) -> None:
        super().__init__()
        self.errors = errors


class ImportWork:
    """The work of the kind `import.bulk`."""

    def __init__(self, process: Process) -> None:
        self._files = process.shared(files_of)
        self._stores = row_stores(process)
        self._sanctions = SanctionsImport(process)
        self._writer = ResultWriter(process)
        self._audit = Audit(process.clock)
        self._evidence = process.shared(job_evidence_of)

    async def step(self, job: Job) -> Advance[ImportState] | Finish:
        """Examine a piece, import a chunk or a list, or finish. Raises `JobFailure`."""
        objects, payload, state = self._files.objects, job.payload, job.state
        pieces = _pieces(job)
        if state.examined < len(pieces):
            return await self._examine(objects, job, pieces[state.examined])
        if payload.data is ImportData.SANCTIONS:
            if state.staged is None:
                return await self._sanctions.stage(objects, job)
            return await self._finish(objects, job, self._sanctions.deciding(job, state.staged))
        if state.offset < _size_of(job):
            return await self._import(objects, job, self._stores[payload.data])
        return await self._finish(objects, job)

    async def discard(self, job: Job) -> None:
        """Remove the file, and a list that is not searched. What was imported stays."""
        if job.state.staged is not None:
            await self._sanctions.discard(job.state.staged)
        for piece in _pieces(job):
            await self._files.objects.remove(piece.name)

    async def _examine(self, objects: ObjectStore, job: Job, piece: StoredObject) -> Advance[ImportState]:
        state = job.state
        try:
            data = await objects.read(piece)
        except (ObjectMissing, ObjectDamaged):
            sentence = "An upload was removed or is damaged. Send the file again. Nothing was imported."
            raise JobFailure("upload_lost", sentence, retryable=True) from None
        update: dict[str, Any] = {"examined": state.examined + 1}
        if job.payload.data is not ImportData.SANCTIONS:
            update["lines"], update["open_bytes"] = measure(data, state.open_bytes, state.lines)
        progress_pct = EXAMINED_PCT * (state.examined + 1) // len(_pieces(job))
        return Advance(state.model_copy(update=update), progress_pct)

    async def _import(self, objects: ObjectStore, job: Job, store: RowStore) -> Advance[ImportState]:
        state, size_bytes = job.state, _size_of(job)
        try:
            window = await read_window(objects, _pieces(job), state.offset)
        except ObjectMissing:
            sentence = f"An upload was removed during the import. Lines 1 to {state.line} were processed."
            raise JobFailure("upload_lost", sentence, retryable=True) from None
        is_csv = job.payload.format is ImportFormat.CSV
        count = 1 if is_csv and state.columns is None else CHUNK_ROWS
        lines, read_bytes = whole_lines(window, is_end=state.offset + len(window) == size_bytes, count=count)
        assert lines, f"a window has more than {LINE_BYTES_MAX} bytes, the longest line"
        moved: dict[str, Any] = {"offset": state.offset + read_bytes, "line": state.line + len(lines)}
        progress_pct = EXAMINED_PCT + (99 - EXAMINED_PCT) * moved["offset"] // size_bytes
        if is_csv and state.columns is None:
            moved["columns"] = read_header(lines[0], store.model)
            return Advance(state.model_copy(update=moved), progress_pct)
        if state.line == 0:
            lines[0] = without_mark(lines[0])
        chunk = _read(lines, state, store.model)
        skipped = state.model_copy(update=moved)

        async def store_chunk(tx: Transaction) -> ImportState:
            return await self._store_chunk(tx, job, store, chunk, skipped)

        return Advance(skipped, progress_pct, store_chunk if chunk.rows or chunk.errors else None)

    async def _store_chunk(
        self,
        tx: Transaction,
        job: Job,
        store: RowStore,
        chunk: _Chunk,
        behind: ImportState,
    ) -> ImportState:
        """Store the rows of a chunk, or none of them. Return the state behind the chunk; `behind` is that of a chunk
        without rows."""
        rows = chunk.rows
        try:
            async with tx.savepoint():
                stored = await _store_rows(tx, job, store, chunk)
        except _ChunkRefused as refused:
            refused_lines = {error.line for error in refused.errors}
            left_out = sum(number not in refused_lines for number, _ in rows)
            counts = {
                "refused": behind.refused + len(refused_lines),
                "left_out": behind.left_out + left_out,
                "ranges": behind.with_range(job.state.line + 1, behind.line),
            }
            return behind.model_copy(update={**counts, **behind.with_errors(refused.errors)})
        counts = {
            "created": behind.created + stored[Stored.CREATED],
            "updated": behind.updated + stored[Stored.UPDATED],
            "unchanged": behind.unchanged + stored[Stored.UNCHANGED],
        }
        return behind.model_copy(update=counts)

    async def _finish(self, objects: ObjectStore, job: Job, effect: Any = None) -> Finish:
        for piece in _pieces(job):
            await objects.remove(piece.name)

        async def record(tx: Transaction) -> None:
            if effect is not None:
                await effect(tx)
            state = job.state
            metadata = {"data": job.payload.data.value, **state.counts}
            await self._audit.record(tx, job.actor, "import.finished", job.id, metadata=metadata)
            await self._evidence.imported(tx, job.actor, job.id, _pieces(job), metadata)

        return await self._writer.finish(job, record)


def _pieces(job: Job) -> list[StoredObject]:
    payload = job.payload
    return [stored_piece(job.actor, piece) for piece in (*(payload.uploads or ()), *(payload.aliases or ()))]


def _size_of(job: Job) -> int:
    return sum(piece.size_bytes for piece in _pieces(job))


def _read(lines: Sequence[bytes], state: ImportState, model: type[BaseModel]) -> _Chunk:
    """Return the chunk of some lines. Blank lines are neither rows nor errors."""
    rows: list[tuple[int, BaseModel]] = []
    errors: list[RowError] = []
    for number, line in enumerate(lines, state.line + 1):
        if not line.strip():
            continue
        try:
            rows.append((number, model.model_validate(read_row(line, state.columns, model))))
        except ValidationError as error:
            errors += malformed(number, error, model)
        except LineMalformed as error:
            errors.append(RowError(number, None, ROW_MALFORMED, str(error)))
    return _Chunk(rows, errors)


async def _store_rows(tx: Transaction, job: Job, store: RowStore, chunk: _Chunk) -> Counter[Stored]:
    """Store all rows, and return how many were created, updated and unchanged. Raises `_ChunkRefused` with all errors
    of the chunk."""
    organization_id = job.actor.organization_id
    assert organization_id is not None, "the admission has checked it"
    at_once = await store.store_new(tx, job.actor, organization_id, [row for _, row in chunk.rows])
    found, stored = list(chunk.errors), Counter({Stored.CREATED: len(at_once)})
    for position, (number, row) in enumerate(chunk.rows):
        if position in at_once:
            continue
        try:
            stored[await store.store(tx, job.actor, organization_id, row, job_id=job.id)] += 1
        except store.refusals as error:
            found.append(refusal(number, error, store.model))
    if found:
        raise _ChunkRefused(sorted(found, key=lambda error: error.line))
    await store.record(tx, job.actor, organization_id, len(chunk.rows))
    return stored
