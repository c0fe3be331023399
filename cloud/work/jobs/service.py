"""Start, list, read and cancel jobs, for tenants and for the operator.

A job, its audit entry and the response for its idempotency key are written in one transaction, so there is one job
however often a client repeats a request. A cancellation and a worker's result change the same row under the same
condition: the one that is committed first decides (contract matrix A-076).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from pydantic import BaseModel, ValidationError

from cloud.access.apps import ClearanceExceeded
from cloud.access.audit import Audit
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.errors import DomainError, Mistake
from cloud.foundation.http import BodyMalformed, IdempotencyKeyInFlight, IdempotentReply, Response, mistakes_of, summary
from cloud.foundation.ids import Ids
from cloud.foundation.process import Process
from cloud.foundation.suggestions import closest, mention
from cloud.foundation.trace import begin_trace
from cloud.foundation.viewer import Actor, SecrecyLevel, Viewer
from cloud.work.jobs.callbacks import CallbackSender, callbacks_of
from cloud.work.jobs.ending import JobEnds, ends_of
from cloud.work.jobs.errors import CallbackWithoutApp, JobNotCancellable, JobUnknown, JobWithoutResult, TooManyJobs
from cloud.work.jobs.kind import SCOPES, Admission, AnyKind, job_kinds
from cloud.work.jobs.model import Job, JobStatus, NewJob
from cloud.work.jobs.rights import check_token
from cloud.work.jobs.signals import JobBell, bell_of
from cloud.work.jobs.store import JobSearch, JobStore

QUEUED_MAX = 200_000
"""Queued jobs of one tenant. A client that repeats a request by mistake reaches the limit after some hours at its rate
limit. The index of so many has 20 MB, and fair sharing keeps them from delaying the jobs of other tenants."""
FULL_WAIT_S = 60
"""Seconds after which a client may try again when the tenant's queue is full."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A requested job. `payload` is an object of the kind's model."""

    kind: AnyKind
    payload: BaseModel = field(repr=False)
    secrecy_level: SecrecyLevel = SecrecyLevel.STANDARD
    callback_url: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class JobRows:
    """Jobs of one page, and the number of all jobs that match the filters."""

    jobs: Sequence[Job]
    total_count: int


def read_wanted(
    kind: str,
    payload: Mapping[str, Any],
    secrecy_level: str = "standard",
    callback_url: str | None = None,
    *,
    scopes: Collection[str] = (),
) -> Wanted:
    """Return a requested job with its payload in the form of its kind. The validators of the payload know `scopes`,
    those of the caller's token. Raises `BodyMalformed`, and what the validators raise."""
    kinds, levels = job_kinds(), {level.word: level for level in SecrecyLevel}
    if kind not in kinds:
        raise _unknown_word("kind", kind, kinds)
    if secrecy_level not in levels:
        raise _unknown_word("secrecy_level", secrecy_level, levels)
    model = kinds[kind].payload
    try:
        read = model.model_validate(payload, context={SCOPES: scopes})
    except ValidationError as error:
        found = mistakes_of(error, model, pointers=True)
        placed = [replace(one, pointer=f"/payload{one.pointer or ''}") for one in found]
        raise BodyMalformed(summary(error, placed), mistakes=placed) from None
    return Wanted(
        kind=kinds[kind],
        payload=read,
        secrecy_level=levels[secrecy_level],
        callback_url=callback_url,
    )


def _unknown_word(name: str, given: str, known: Collection[str]) -> BodyMalformed:
    near = closest(given, known)
    text = f"The {name}{mention(given, near)} is unknown. One of {', '.join(known)} is expected."
    return BodyMalformed(text, mistakes=[Mistake(text, f"/{name}", did_you_mean=near)])


AdmissionOf = Callable[[AnyKind], Admission[Any] | None]
"""Returns what admits the requests of a kind; None if the kind has no further checks."""


class JobService:
    """Start, list, read and cancel jobs. `bell` signals the worker of this process after a commit. `admission_of`
    returns what checks requests; the console requests nothing."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        bell: JobBell,
        callbacks: CallbackSender,
        ends: JobEnds,
        admission_of: AdmissionOf = lambda _kind: None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._bell = bell
        self._callbacks = callbacks
        self._ends = ends
        self._admission_of = admission_of
        self._store = JobStore()
        self._audit = Audit(clock)

    async def enqueue_once(
        self,
        actor: Actor,
        scopes: Collection[str],
        wanted: Wanted,
        once: IdempotentReply,
        respond: Callable[[Job], Response],
    ) -> Response:
        """Return the response that is stored for the idempotency key, or else enqueue a job and store the response that
        `respond` makes. `scopes` are those of the caller's token. Raises `InsufficientScope`, `ClearanceExceeded`,
        `UrlMalformed`, `UrlBlocked`, `WebhookHostNotAllowed`, `TooManyCallbackAddresses`, `TooManyJobs`,
        `IdempotencyKeyReused`, `IdempotencyKeyInFlight`, and what the kind raises (`Admission`)."""
        check_token(wanted.kind.scopes.of(wanted.payload), scopes)
        _check_clearance(actor, wanted)
        # Outside of the transaction, since the name server and the object store may be slow.
        refusal: DomainError | None = None
        admission, admitted = self._admission_of(wanted.kind), None
        is_repeated = is_enqueued = False
        try:
            await self._judge(wanted.callback_url)
            is_repeated = admission is not None and await self._is_repeated(once)
            if admission is not None and not is_repeated:
                admitted = replace(wanted, payload=await admission.admit(actor, wanted.payload))
        except DomainError as error:
            refusal = error
        try:
            async with self._database.transaction() as tx:
                replay = await once.replay(tx)
                if replay is not None:  # also when the request would be refused now: the job exists
                    return replay
                if refusal is not None:
                    raise refusal
                if is_repeated:  # its key has expired since: the next attempt is a new request
                    raise IdempotencyKeyInFlight
                if admission is not None:
                    await admission.claim(tx, actor, wanted.payload)
                response = await once.store(tx, respond(await self._enqueue(tx, actor, admitted or wanted)))
                is_enqueued = True  # also if the commit is then unknown: the job may exist
        finally:
            if admission is not None and admitted is not None and not is_enqueued:
                await _withdraw(admission, actor, wanted, admitted)
        self._bell.ring()
        return response

    async def enqueue(self, tx: Transaction, actor: Actor, wanted: Wanted) -> Job:
        """Enqueue a job in the transaction of a caller, who rings the bell after the commit. Raises
        `ClearanceExceeded`, `TooManyJobs`."""
        _check_clearance(actor, wanted)
        return await self._enqueue(tx, actor, wanted)

    async def _enqueue(self, tx: Transaction, actor: Actor, wanted: Wanted) -> Job:
        if wanted.callback_url is not None:
            if actor.client_id is None:
                raise CallbackWithoutApp
            owner = Viewer(actor.tenant_id, actor.organization_id, wanted.secrecy_level)
            await self._callbacks.admit(tx, owner, actor.client_id, wanted.callback_url)
        if await self._store.is_full(tx, actor.tenant_id, QUEUED_MAX):
            raise TooManyJobs(FULL_WAIT_S)
        trace = actor.trace or begin_trace()
        new = NewJob(
            id=self._ids.new(""),
            tenant_id=actor.tenant_id,
            organization_id=actor.organization_id,
            client_id=actor.client_id,
            subject=actor.subject,
            kind=wanted.kind.name,
            payload=wanted.payload.model_dump_json(exclude_unset=True),
            secrecy_level=wanted.secrecy_level,
            callback_url=wanted.callback_url,
            trace_id=trace.trace_id,
            traceparent=trace.traceparent,
        )
        await self._store.enqueue(tx, [new], self._clock.now_us())
        await self._audit.record(tx, actor, "job.enqueue", new.id, metadata={"kind": new.kind})
        job = await self._store.find(tx, actor, new.id)
        assert job is not None, "this transaction has added it, at a level that the actor may read"
        return job

    async def _is_repeated(self, once: IdempotentReply) -> bool:
        async with self._database.read() as tx:
            return await once.is_stored(tx)

    async def _judge(self, url: str | None) -> None:
        """Check that an address may be called. Raises `UrlMalformed`, `UrlBlocked`, `WebhookHostNotAllowed`."""
        if url is not None:
            await self._callbacks.judge(url)

    async def find(self, viewer: Viewer, job_id: str) -> Job:
        """Return a job. Raises `JobUnknown`, also for a job that the viewer may not see."""
        async with self._database.read() as tx:
            return await self._find(tx, viewer, job_id)

    async def scopes_of(self, viewer: Viewer, job: Job) -> tuple[str, ...]:
        """Return the scopes that a job needs by its payload. Raises `JobWithoutResult` if this program does not know
        the kind or cannot read the payload: without that knowledge it gives no result."""
        kind = job_kinds().get(job.kind)
        if kind is None:
            raise JobWithoutResult
        async with self._database.read() as tx:
            payload = await self._store.payload(tx, viewer, job.id)
        try:
            return kind.scopes.of(kind.payload.model_validate_json(payload))
        except (ValidationError, DomainError):
            raise JobWithoutResult from None

    async def note_fetched(self, actor: Actor, job: Job) -> None:
        """Record that the actor gets the address of a job's result, which may have data of patients."""
        async with self._database.transaction() as tx:
            await self._audit.record(tx, actor, "job.result", job.id, metadata={"kind": job.kind})

    async def page(self, viewer: Viewer, search: JobSearch, count: int) -> JobRows:
        """Return at most `count` of the wanted jobs, newest first, and the number of all that match the filters."""
        async with self._database.read() as tx:
            jobs = await self._store.page(tx, viewer, search, count)
            return JobRows(jobs, await self._store.count(tx, viewer, search))

    async def cancel(self, actor: Actor, job_id: str) -> tuple[Job, bool]:
        """Cancel a queued or running job. Return it, and whether this call has cancelled it: False if it was cancelled
        before. Raises `JobUnknown`, `JobNotCancellable`."""
        async with self._database.transaction() as tx:
            admitted = [name for name, kind in job_kinds().items() if kind.admission is not None]
            cancelled = await self._store.cancel(tx, actor, job_id, self._clock.now_us(), admitted_kinds=admitted)
            if cancelled is None:
                found = await self._find(tx, actor, job_id)
                if found.status is not JobStatus.CANCELLED:
                    raise JobNotCancellable(found.status)
                return found, False
            await self._ends.report(tx, [cancelled])
            await self._audit.record(tx, actor, "job.cancel", job_id, metadata={"kind": cancelled.kind})
        self._bell.ring(job_id)
        return cancelled, True

    async def _find(self, tx: Transaction, viewer: Viewer, job_id: str) -> Job:
        found = await self._store.find(tx, viewer, job_id)
        if found is None:
            raise JobUnknown
        return found


def _check_clearance(actor: Actor, wanted: Wanted) -> None:
    if wanted.secrecy_level > actor.clearance:
        raise ClearanceExceeded


async def _withdraw(admission: Admission[Any], actor: Actor, wanted: Wanted, admitted: Wanted) -> None:
    try:
        await admission.withdraw(actor, wanted.payload, admitted.payload)
    except DomainError as error:  # the response is that of the request; the data expire by themselves
        log.warning("job.withdrawal_failed", kind=wanted.kind.name, code=error.code)


def service_of(process: Process) -> JobService:
    """Make the service of jobs of a process. Call it as `process.shared(service_of)`."""

    def admission_of(kind: AnyKind) -> Admission[Any] | None:
        return None if kind.admission is None else process.shared(kind.admission)

    return JobService(
        process.database,
        process.clock,
        process.ids,
        process.shared(bell_of),
        process.shared(callbacks_of),
        process.shared(ends_of),
        admission_of,
    )
