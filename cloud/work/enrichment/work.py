"""The steps of `intelligence.enrich.bulk`: enrich some profiles and write their results as a part of the file, then
join the parts, then refer to the file.

The enrichments of a step and the position behind it are stored in one transaction. A part depends only on the ids, the
profiles, the lists and the time of the beginning, which is in the state. So a step that is made again after its worker
was killed writes the same bytes and has no second effect, and the file does not depend on the division into steps.
"""

import asyncio
from collections import Counter
from typing import Any

import orjson

from cloud.clinical.profiles import EnrichedProfile, ProfileEnricher
from cloud.foundation.db import Transaction
from cloud.foundation.objects import (
    Download,
    ObjectDamaged,
    ObjectMissing,
    ObjectStore,
    ResultUpload,
    StoredObject,
    UploadMark,
    object_store_of,
)
from cloud.foundation.process import Process
from cloud.work.enrichment.schemas import Counts, EnrichmentPayload, EnrichmentState
from cloud.work.jobs import Advance, Finish, JobFailure, ResultKeeper, RunningJob

STEP_PROFILES = 50
"""Profiles of one step: some tenths of a second, and at most 5 MB of results, if all have the most hits."""
STEP_NAMES = 100
"""Names from which on a step ends, since each costs a search. A profile has at most 32."""
FILE = Download("application/json", "enrichments.json")

Job = RunningJob[EnrichmentPayload, EnrichmentState]


class EnrichmentWork:
    """Makes the steps of jobs of the kind `intelligence.enrich.bulk`."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._enricher = ProfileEnricher(process.database, process.clock)
        self._keeper = ResultKeeper(process.database, process.clock)
        self._opened = object_store_of(process.settings)

    async def step(self, job: Job) -> Advance[EnrichmentState] | Finish:
        """Begin, or enrich some profiles, or join the parts of the result, or finish. Raises `JobFailure`, and
        `DomainError` when the database or the object store is not available or a profile was changed meanwhile."""
        state = job.state
        if state.began_us is None:
            # The name of the upload is stored before its first part, so that a part of a killed worker is found.
            begun = {"began_us": self._process.clock.now_us(), "result": self._upload(job).mark.document()}
            return Advance(state.model_copy(update=begun), 0)
        if state.done < len(job.payload.unique_ids):
            return await self._enrich(job, state.began_us)
        return await (self._join(job) if state.joined is None else self._finish(job, *state.joined))

    async def discard(self, job: Job) -> None:
        """Remove the parts of the result, and the file. The stored enrichments of the profiles stay."""
        await self._upload(job).discard()
        if job.state.joined is not None:
            await self._objects.remove(job.state.joined[0])

    async def _enrich(self, job: Job, began_us: int) -> Advance[EnrichmentState]:
        state, ids = job.state, job.payload.unique_ids
        results: list[EnrichedProfile] = []
        names = 0
        for profile_id in ids[state.done : state.done + STEP_PROFILES]:
            found = await self._enricher.compare(job.actor, job.id, profile_id, job.payload.connectors, began_us)
            results.append(found)
            names += found.names
            if names >= STEP_NAMES:
                break
            await asyncio.sleep(0)  # so that other tasks have their turn
        upload = self._upload(job)
        lines = [_line(one) for one in results]
        await upload.add((b'{"results":[\n' if state.done == 0 else b",\n") + b",\n".join(lines))

        async def store(tx: Transaction) -> None:
            await self._enricher.store(tx, job.actor, job.id, results)

        done = state.done + len(results)
        changed = {"result": upload.mark.document(), "done": done, "counts": _counted(state.counts, results)}
        return Advance(state.model_copy(update=changed), 99 * done // len(ids), store)

    async def _join(self, job: Job) -> Advance[EnrichmentState]:
        """Join the parts to one file. They are removed in the next step, since this one may be interrupted and then
        needs them again."""
        upload = self._upload(job)
        await upload.add(b'\n],\n"counts":' + orjson.dumps(_shown_counts(job)) + b"}\n")
        try:
            stored = await upload.finish(FILE)
        except (ObjectMissing, ObjectDamaged):
            sentence = "Parts of the result were lost. The enrichments are stored at the profiles; start a new job."
            raise JobFailure("enrichment_parts_lost", sentence, retryable=True) from None
        joined = stored.name, stored.size_bytes, stored.sha256.hex()
        return Advance(job.state.model_copy(update={"joined": joined}), 99)

    async def _finish(self, job: Job, name: str, size_bytes: int, sha256: str) -> Finish:
        await self._upload(job).discard()
        return await self._keeper.finish(job, StoredObject(name, size_bytes, bytes.fromhex(sha256)), FILE)

    def _upload(self, job: Job) -> ResultUpload:
        process, mark = self._process, job.state.result
        known = None if mark is None else UploadMark.of(mark)
        return ResultUpload(self._objects, process.ids, process.clock, job.actor.tenant_id, known)

    @property
    def _objects(self) -> ObjectStore:
        if self._opened is None:
            raise JobFailure("results_unavailable", "The installation has no store for results.")
        return self._opened


def _line(one: EnrichedProfile) -> bytes:
    """Return the entry of a profile in the result, which has no line break."""
    error = None if one.error is None else {"code": one.error.code, "message": one.error.sentence}
    enrichment = None if one.enrichment is None else orjson.Fragment(one.enrichment.document)
    return orjson.dumps({"profile_id": one.profile_id, "enrichment": enrichment, "error": error})


def _counted(before: Counts, results: list[EnrichedProfile]) -> Counts:
    """Return the counts with those of further profiles."""
    more = Counter(before.model_dump())
    for one in results:
        if one.compared is None:
            more["failed"] += 1
        else:
            more.update(("enriched", one.compared.risk_level))
    return Counts(**more)


def _shown_counts(job: Job) -> dict[str, Any]:
    """Return the counts at the end of the result."""
    counts, ids = job.state.counts.model_dump(), job.payload.unique_ids
    return {
        "profiles": len(ids),
        "repeated_ids": len(job.payload.profile_ids) - len(ids),
        "enriched": counts.pop("enriched"),
        "failed": counts.pop("failed"),
        "risk": counts,
    }
