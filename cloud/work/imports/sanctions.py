"""Import a sanctions list, or labels of wallets: the whole edition, or nothing.

One step stores the rows of the list, which are not searched yet. The last step makes them current in the transaction
that ends the job. A step that was interrupted stores the rows again, and those of the first time are deleted later.
"""

import asyncio
from collections.abc import Iterator, Sequence

from cloud.clinical.screening import (
    ListEmpty,
    ListFile,
    ListImport,
    ListShrunk,
    ListUnreadable,
    StagedList,
    TooManyLists,
)
from cloud.foundation.db import Transaction
from cloud.foundation.objects import ObjectMissing, ObjectStore, StoredObject, stored_piece
from cloud.foundation.process import Process
from cloud.foundation.viewer import Actor
from cloud.work.imports.file import blocks
from cloud.work.imports.schemas import ImportPayload, ImportState, RowError, StagedFacts
from cloud.work.jobs import Advance, Effect, JobFailure, RunningJob

READ_S_MAX = 60.0
"""Time in which a block of the file must be read, after which the step is repeated."""
RECORD_MALFORMED = "list_record_malformed"

Job = RunningJob[ImportPayload, ImportState]


class SanctionsImport:
    """Imports sanctions lists of jobs, one at a time in a process: a thread reads the file, and waits for the event
    loop."""

    def __init__(self, process: Process) -> None:
        self._database = process.database
        self._lists = ListImport(process.database, process.clock)
        self._turn = asyncio.Lock()

    async def stage(self, objects: ObjectStore, job: Job) -> Advance[ImportState]:
        """Store the rows of a list. Raises `JobFailure`."""
        payload, loop = job.payload, asyncio.get_running_loop()
        file = ListFile(
            format=payload.format.value,
            pieces=_blocks(objects, _pieces(job.actor, payload.uploads), loop),
            aliases=_blocks(objects, _pieces(job.actor, payload.aliases), loop),
            name=payload.list_name,
        )
        try:
            async with self._turn:
                staged = await self._lists.stage(job.actor, file)
        except ListUnreadable as refused:
            raise JobFailure(refused.code, refused.sentence) from None
        except TooManyLists as full:
            raise JobFailure(full.code, full.sentence, retryable=True) from None
        except ObjectMissing:
            sentence = "An upload was removed during the import. Nothing was imported."
            raise JobFailure("upload_lost", sentence, retryable=True) from None
        if not staged.problem_count and not staged.entries and not staged.wallets:
            await self._refuse(staged)
            raise JobFailure(ListEmpty.code, ListEmpty().sentence)
        errors = [RowError(one.line, None, RECORD_MALFORMED, one.text) for one in staged.problems]
        state = job.state.with_errors(errors)
        usable = staged.entries + staged.wallets
        broken = staged.problem_count
        counts = {"refused": broken, "left_out": usable} if broken else {"created": usable}
        facts = StagedFacts(**{name: getattr(staged, name) for name in StagedFacts.model_fields})
        update = {**state, **counts, "error_count": broken, "staged": facts}
        return Advance(job.state.model_copy(update=update), 90)

    def deciding(self, job: Job, facts: StagedFacts) -> Effect:
        """Return the effect that makes the list current, or refuses it if a record cannot be used."""
        staged = _staged(facts)

        async def decide(tx: Transaction) -> None:
            if staged.problem_count:
                await self._lists.refuse(tx, staged)
                return
            try:
                await self._lists.publish(tx, job.actor, staged)
            except ListShrunk:
                sentence = "The list has less than half the entries of an earlier edition, so it may be incomplete."
                raise JobFailure("list_shrunk", f"{sentence} If it is right, let the operator import it.") from None
            except ListUnreadable:
                raise JobFailure("import_too_late", "The list was read too long ago.", retryable=True) from None

        return decide

    async def discard(self, facts: StagedFacts) -> None:
        """Refuse the list of a job that has failed or was cancelled, so that its rows are deleted now."""
        await self._refuse(_staged(facts))

    async def _refuse(self, staged: StagedList) -> None:
        async with self._database.transaction() as tx:
            await self._lists.refuse(tx, staged)


def _staged(facts: StagedFacts) -> StagedList:
    return StagedList(**facts.model_dump(), problems=())


def _pieces(actor: Actor, ids: Sequence[str] | None) -> list[StoredObject]:
    return [stored_piece(actor, piece) for piece in ids or ()]


def _blocks(objects: ObjectStore, pieces: Sequence[StoredObject], loop: asyncio.AbstractEventLoop) -> Iterator[bytes]:
    """Yield the bytes of a file in a thread; the event loop reads them."""
    source = blocks(objects, pieces)

    async def following() -> bytes | None:
        return await anext(source, None)

    while (block := asyncio.run_coroutine_threadsafe(following(), loop).result(READ_S_MAX)) is not None:
        yield block
