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
from cloud.foundation.objects import Download, StoredObject
from cloud.foundation.process import Process
from cloud.work.enrichment.schemas import Counts, EnrichmentPayload, EnrichmentState
from cloud.work.jobs import Advance, FileLost, Finish, RunningJob, files_of

STEP_PROFILES = 50
"""Profiles of one step: some tenths of a second, and at most 5 MB of results, if all have the most hits."""
STEP_NAMES = 100
"""Names from which on a step ends, since each costs a search. A profile has at most 32."""
FILE = Download("application/json", "enrichments.json")

Job = RunningJob[EnrichmentPayload, EnrichmentState]


class EnrichmentWork:
    """Makes the steps of jobs of the kind `intelligence.enrich.bulk`."""

    def __init__(self, process: Process) -> None:
        self._clock = process.clock
        self._enricher = ProfileEnricher(process.database, process.clock)
        self._files = process.shared(files_of)

    async def step(self, job: Job) -> Advance[EnrichmentState] | Finish:
        """Begin, or enrich some profiles, or join the parts of the result, or finish. Begin again when parts were lost:
        the profiles are then compared with the lists as they are now, and the earlier enrichments stay as well. Raises
        `JobFailure`, and `DomainError` when the database or the object store is not available or a profile was changed
        meanwhile."""
        state = job.state
        if state.began_us is None:
            # The name of the upload is stored before its first part, so that a part of a killed worker is found.
            result = state.result or self._files.begin(job)
            return Advance(EnrichmentState(began_us=self._clock.now_us(), result=result), 0)
        if state.done < len(job.payload.unique_ids):
            return await self._enrich(job, state.began_us)
        try:
            return await (self._join(job) if state.joined is None else self._finish(job, state.joined))
        except FileLost:
            (result,) = await self._files.restart(job, [state.result])
            return Advance(EnrichmentState(result=result), 0)

    async def discard(self, job: Job) -> None:
        """Remove the parts of the result, and the file. The stored enrichments of the profiles stay."""
        joined = None if job.state.joined is None else _stored(job.state.joined)
        await self._files.discard(job, [job.state.result], joined)

    async def _enrich(self, job: Job, began_us: int) -> Advance[EnrichmentState]:
        state, ids = job.state, job.payload.unique_ids
        upload = self._files.upload(job, state.result)
        turn_id = f"{job.id}-{upload.mark.restarts}" if upload.mark.restarts else job.id
        results: list[EnrichedProfile] = []
        names = 0
        for profile_id in ids[state.done : state.done + STEP_PROFILES]:
            found = await self._enricher.compare(job.actor, turn_id, profile_id, job.payload.connectors, began_us)
            results.append(found)
            names += found.names
            if names >= STEP_NAMES:
                break
            await asyncio.sleep(0)  # so that other tasks have their turn
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
        upload = self._files.upload(job, job.state.result)
        await upload.add(b'\n],\n"counts":' + orjson.dumps(_shown_counts(job)) + b"}\n")
        stored = await self._files.join(upload, FILE)
        joined = stored.name, stored.size_bytes, stored.sha256.hex()
        state = job.state.model_copy(update={"joined": joined})
        return Advance(state, 99, undo=self._files.undo_join(stored))

    async def _finish(self, job: Job, joined: tuple[str, int, str]) -> Finish:
        return await self._files.finish(job, _stored(joined), FILE, [job.state.result])


def _stored(joined: tuple[str, int, str]) -> StoredObject:
    name, size_bytes, sha256 = joined
    return StoredObject(name, size_bytes, bytes.fromhex(sha256))


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
