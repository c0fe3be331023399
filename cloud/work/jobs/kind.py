"""The declaration of a kind of job: its name, its payload, its steps, and the state from which it resumes.

A slice names its kinds in its `Slice` (`job_kinds`), so a new kind is one folder. The engine runs a job step by step.
After each step it stores the new state under the fencing token of the worker's lease. So a job whose worker was killed
continues with the step after the last stored one, on any worker.

A step that was interrupted runs again from the same state. It therefore has effects of two sorts only. Changes in the
database are made by the `effect` of its outcome, in the transaction that stores the state: both are there or neither.
Changes elsewhere, such as parts of an upload, must be safe to repeat.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel

from cloud.foundation.db import Transaction
from cloud.foundation.errors import PrivateError
from cloud.foundation.process import Process
from cloud.foundation.slice import declared
from cloud.foundation.viewer import Actor
from cloud.work.jobs.model import JobError, JobResult
from cloud.work.jobs.scopes import ScopesNeeded

PayloadT = TypeVar("PayloadT", bound=BaseModel)
StateT = TypeVar("StateT", bound=BaseModel)

SCOPES = "scopes"
"""Key of the scopes of the caller's token in the context in which a payload is validated when a job is requested. The
payload of a stored job is read without a context."""
Effect = Callable[[Transaction], Awaitable[None]]
"""Changes rows in the transaction that stores the outcome of a step. It may run again after a rollback."""
Undo = Callable[[], Awaitable[None]]
"""Removes what a step has stored elsewhere for its outcome alone, such as a joined file. The engine calls it if the
outcome is not stored, as when the job was cancelled or has another worker."""


class JobFailure(PrivateError, code="job_step_failed"):
    """The job cannot succeed, and no retry would change that.

    A step raises it. `error` is what the tenant sees; it contains no data of a patient.
    """

    def __init__(self, code: str, message: str, *, retryable: bool = False) -> None:
        """`retryable`: a new job with the same payload may succeed later."""
        super().__init__(message)
        self.error = JobError(code, message, retryable)


@dataclass(slots=True)
class RunningJob(Generic[PayloadT, StateT]):
    """A job that a worker runs. The class is not frozen, for the reason in `JobRow`. `actor` is the caller who enqueued
    the job, with its organisation and secrecy level: read with `visible(table, actor)`, and write audit entries with
    it. `lease_token` differs at each claim, for names that two workers must not share."""

    id: str
    actor: Actor
    payload: PayloadT = field(repr=False)
    state: StateT = field(repr=False)
    lease_token: int


@dataclass(frozen=True, slots=True)
class Advance(Generic[StateT]):
    """The outcome of a step after which the job continues. `progress_pct` is the part of the job that is done; the
    stored progress never decreases, and stays below 100 until the job has succeeded. `effect` may return the state to
    store instead of `state`, for what only the transaction decides, such as rows that it refused."""

    state: StateT
    progress_pct: int
    effect: Callable[[Transaction], Awaitable[StateT | None]] | None = None
    undo: Undo | None = None


@dataclass(slots=True)
class Finish:
    """The outcome of the last step: the job succeeds, with a result or without one. The class is not frozen, for the
    reason in `JobRow`."""

    result: JobResult | None = None
    effect: Effect | None = None
    undo: Undo | None = None


class JobWork(Protocol[PayloadT, StateT]):
    """The work of one kind. One object runs all jobs of its kind in a process, so it keeps nothing of a job."""

    async def step(self, job: RunningJob[PayloadT, StateT]) -> Advance[StateT] | Finish:
        """Do the next part of the job, which takes at most about a second unless the kind has long steps. It is
        cancelled when the job is cancelled or the lease is lost. Raises `JobFailure` if the job cannot succeed; the
        engine repeats the step with growing pauses after any other exception."""
        ...

    async def discard(self, job: RunningJob[PayloadT, StateT]) -> None:
        """Remove what the state names and nothing else refers to, such as an unfinished upload. The engine calls it
        after a job that has stored a state, or whose kind has an `Admission`, has failed or was cancelled. It may call
        it twice."""
        ...


class Admission(Protocol[PayloadT]):
    """Admits the requests of one kind. Its methods raise a `DomainError` for the caller."""

    async def admit(self, actor: Actor, payload: PayloadT) -> PayloadT:
        """Check the payload of a request against what is stored, outside of a transaction, and return the payload to
        store. It may store data, which must expire by themselves, since the process may end before the job is
        stored."""
        ...

    async def claim(self, tx: Transaction, actor: Actor, payload: PayloadT) -> None:
        """Check the payload of a request in the transaction that stores the job, for what a request at the same time
        may take too."""
        ...

    async def withdraw(self, actor: Actor, requested: PayloadT, admitted: PayloadT) -> None:
        """Remove what `admit` has stored for a request, since it starts no job."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKind(Generic[PayloadT, StateT]):
    """A kind of job. `payload` is the model of the request's `payload`, and `state` the model of the resumable state,
    whose defaults are the state of a new job. `work` makes the steps; it is called once in a process. `scopes` are the
    scopes that are needed in addition to those of jobs: by the caller who starts a job or fetches its result, and by
    the app when a worker claims the job. `has_long_steps`: a step may take minutes. A worker gives such jobs all of its
    slots but one at most, so that a job with short steps starts at once. `window` names the two fields of the payload
    for the begin and the end of a time range; only jobs of such a kind can be put on a schedule, which fills them
    and admits them without `admission`. `evidence_kind` is the kind of the evidence that a job has when it has
    succeeded (`evidence_id_of`), None if it has none.

    A value that `payload` does not admit is refused when the job is enqueued: a `ValueError` of a validator is a
    response 400 that names the field, and a `DomainError` is the response of its status. A validator that conceals a
    word from callers without a scope finds theirs in its context (`SCOPES`). `admission` checks further what only
    stored data decide; it is called once in a process."""

    name: str
    description: str
    payload: type[PayloadT]
    state: type[StateT]
    work: Callable[[Process], JobWork[PayloadT, StateT]]
    scopes: ScopesNeeded[PayloadT]
    has_long_steps: bool = False
    admission: Callable[[Process], Admission[PayloadT]] | None = None
    window: tuple[str, str] | None = None
    evidence_kind: str | None = None


AnyKind = JobKind[Any, Any]


def job_kinds() -> Mapping[str, AnyKind]:
    """Return the kinds that the slices (folders of capabilities) declare, by name, in the order of the slices."""
    return {kind.name: kind for one in declared() if one.job_kinds is not None for kind in one.load(one.job_kinds)}
