"""The statements of a worker on the jobs that it runs: claim under a lease, renew, store a step, settle, release.

Every change names the fencing token of the claim. It changes nothing after another claim, a cancellation or a sweep of
the expired lease. Statements on several jobs lock them in the order of their ids, which prevents deadlocks.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Integer,
    Select,
    Text,
    Update,
    and_,
    bindparam,
    case,
    func,
    null,
    select,
    union_all,
    update,
)
from sqlalchemy.types import TypeEngine

from cloud.foundation.db import DialectName, GivenRows, Prepared, Records, Transaction, among, given
from cloud.work.jobs.errors import JobLeaseLost
from cloud.work.jobs.model import JobError, JobResult, JobStatus, LeasedJob
from cloud.work.jobs.tables import jobs

SWEPT_MAX = 1_000
"""Expired leases that one statement ends: more than all workers of an installation have at a time."""
TENANTS_MAX = 8
"""Tenants of one statement of a claim. One statement takes two thirds of the time that one for each tenant takes."""
EXAMINED_MAX = 1_000
"""Jobs of a tenant that a claim without some kinds examines. A tenant with more jobs of these kinds in front waits for
them with its others, which it has made itself."""

SETTLED_MAX = 64
"""Jobs of one statement that settles jobs on SQLite. The text of the statement differs with their number, and the
connection keeps as many prepared texts and more."""

_ID_NAMES = [f"id_{number}" for number in range(SETTLED_MAX)]
_TENANT_VALUES = [(f"tenant_{number}", f"count_{number}") for number in range(TENANTS_MAX)]

_jobs = jobs.c
_LEASED = Records(LeasedJob, jobs)
_LEASED_COLUMNS: Mapping[DialectName, Sequence[ColumnElement[Any]]] = {
    "postgresql": _LEASED.columns,
    # As one text. A statement that returns each of these columns of a row takes a third longer: more than reading it.
    "sqlite": [func.json_array(*_LEASED.columns, type_=Text())],
}


def _due_tenants() -> Prepared:
    """Return the query that finds the tenants with jobs that can be claimed now or later: tenant, earliest time at
    which a job is due, number of jobs that workers have now. The query steps from one tenant to the next through the
    index, so a long queue costs no more than a short one."""
    due = _jobs.due_at_us.is_not(None)
    first = select(func.min(_jobs.tenant_id).label("id")).where(due).cte("due_tenants", recursive=True)
    after = select(func.min(_jobs.tenant_id)).where(due, _jobs.tenant_id > first.c.id).scalar_subquery()
    ids = first.union_all(select(after).where(first.c.id.is_not(None)))
    earliest = select(func.min(_jobs.due_at_us)).where(due, _jobs.tenant_id == ids.c.id).scalar_subquery()
    leased = and_(_jobs.tenant_id == ids.c.id, _jobs.lease_until_us.is_not(None))
    running = select(func.count()).select_from(jobs).where(leased).scalar_subquery()
    return Prepared(select(ids.c.id, earliest, running).where(ids.c.id.is_not(None)).limit(bindparam("most")))


DUE_TENANTS = _due_tenants()
NEXT_EXPIRY = Prepared(select(func.min(_jobs.lease_until_us)).where(_jobs.lease_until_us.is_not(None)))

_queued = _jobs.status == JobStatus.QUEUED.value


def _claimable(number: int, without: tuple[str, ...], dialect: DialectName) -> Select[Any]:
    """Return the query that locks the due jobs of the tenant with this number among those of a claim."""
    now: ColumnElement[Any] = bindparam("now")
    mine = [_jobs.tenant_id == bindparam(f"tenant_{number}"), _jobs.due_at_us.is_not(None)]
    # A subquery instead of a parameter: given a number, PostgreSQL estimates few due rows, reads them all and sorts
    # them.
    count = select(bindparam(f"count_{number}", type_=Integer)).scalar_subquery()
    in_order = (_jobs.due_at_us, _jobs.id)
    if not without:
        due = select(_jobs.id).where(*mine, _jobs.due_at_us <= now)
        return due.order_by(*in_order).limit(count).with_for_update(skip_locked=True)
    if dialect == "sqlite":
        # The inner query yields one job after the other, so no more are read than are needed.
        first = select(_jobs.id, _jobs.kind).where(*mine, _jobs.due_at_us <= now)
        examined = first.order_by(*in_order).limit(EXAMINED_MAX).subquery()
        return select(examined.c.id).where(*(examined.c.kind != name for name in without)).limit(count)
    # Up to the time of the last job that is examined. A subquery of so many jobs would be locked as a whole, and its
    # order is not that of the query around it.
    nth = select(_jobs.due_at_us).where(*mine, _jobs.due_at_us <= now)
    nth = nth.order_by(_jobs.due_at_us).offset(EXAMINED_MAX).limit(1)
    until = func.coalesce(nth.scalar_subquery(), now)
    short = select(_jobs.id).where(*mine, *(_jobs.kind != name for name in without), _jobs.due_at_us <= until)
    return short.order_by(*in_order).limit(count).with_for_update(skip_locked=True)


@cache
def _claim(tenants: int, without: tuple[str, ...], dialect: DialectName) -> Prepared:
    """Return the statement that claims due jobs of this number of tenants, without those of some kinds. Then it
    examines only the jobs that are due longest, so that a long queue of these kinds costs a millisecond."""
    each = [select(_claimable(number, without, dialect).subquery().c.id) for number in range(tenants)]
    claimable = union_all(*each).cte("claimable")
    now: ColumnElement[Any] = bindparam("now")
    return Prepared(
        update(jobs)
        .where(among(_jobs.id, select(claimable.c.id)))
        .values(
            # A job that has ended keeps its status and times: it is claimed for its clean-up.
            status=case((_queued, JobStatus.RUNNING.value), else_=_jobs.status),
            started_at_us=case((_queued, func.coalesce(_jobs.started_at_us, now)), else_=_jobs.started_at_us),
            updated_at_us=case((_queued, now), else_=_jobs.updated_at_us),
            due_at_us=None,
            lease_until_us=bindparam("lease_until"),
            lease_token=_jobs.lease_token + 1,
            attempts=_jobs.attempts + 1,
        )
        .returning(*_LEASED_COLUMNS[dialect])
    )


_expired = (
    select(_jobs.id)
    .where(_jobs.lease_until_us.is_not(None), _jobs.lease_until_us <= bindparam("now"))
    .limit(SWEPT_MAX)
    .with_for_update(skip_locked=True)
    .cte("expired")
)
_SWEEP = Prepared(
    update(jobs)
    .where(_jobs.id.in_(select(_expired.c.id)))
    .values(
        lease_until_us=None,
        lease_token=_jobs.lease_token + 1,
        due_at_us=case((_jobs.completed_at_us.is_(None), _jobs.created_at_us), else_=bindparam("now")),
    )
    .returning(_jobs.id)
)
_given = GivenRows("leased", id=Text(), lease_token=BigInteger())
_leased = (
    _given.among(_jobs.id, _given.c("id")),
    _jobs.id == _given.c("id"),
    _jobs.lease_token == _given.c("lease_token"),
)
STILL_LEASED = Prepared(select(_jobs.id).where(*_leased))


def _locked(*conditions: ColumnElement[bool]) -> Select[Any]:
    """Return the query that locks given jobs, under their fencing tokens, in the order of their ids."""
    return select(_jobs.id).where(*_leased, *conditions).order_by(_jobs.id).with_for_update(of=jobs)


_LOCK = Prepared(_locked())
# Not a job that was settled since the worker listed its leases.
_ours = _locked(_jobs.lease_until_us.is_not(None)).cte("ours")
_RENEW = Prepared(
    update(jobs)
    .where(_jobs.id.in_(select(_ours.c.id)))
    .values(lease_until_us=bindparam("lease_until"))
    .returning(_jobs.id)
)


def _greatest(column: ColumnElement[Any], value: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((value > column, value), else_=column)


_mine = (
    _jobs.id == bindparam("which"),
    _jobs.lease_token == bindparam("token"),
    _jobs.status == JobStatus.RUNNING.value,
)
_HOLD = Prepared(select(_jobs.id).where(*_mine).with_for_update())
_SAVE = Prepared(
    update(jobs)
    .where(*_mine)
    .values(
        state=bindparam("new_state"),
        progress_pct=_greatest(_jobs.progress_pct, bindparam("progress", type_=Integer())),
        updated_at_us=bindparam("now"),
        lease_until_us=bindparam("lease_until"),
        attempts=1,  # this claim
    )
)
_held = _locked(_jobs.status == JobStatus.RUNNING.value).cte("held")
_to_status = bindparam("to_status", type_=Text())
_settle = update(jobs).values(
    status=_to_status,
    progress_pct=case((_to_status == JobStatus.SUCCEEDED.value, 100), else_=_jobs.progress_pct),
    # The state of a failed job stays until its clean-up.
    state=case((_to_status == JobStatus.SUCCEEDED.value, null()), else_=_jobs.state),
    attempts=func.coalesce(bindparam("to_attempts", type_=Integer()), _jobs.attempts - 1),
    due_at_us=bindparam("to_due", type_=BigInteger()),
    lease_until_us=None,
    updated_at_us=bindparam("now"),
    completed_at_us=bindparam("to_completed", type_=BigInteger()),
)


def _settlement(change: Update) -> Mapping[bool, Prepared]:
    """Return the statement of a change, and for True the one that also returns the changed jobs and their tokens."""
    return {False: Prepared(change), True: Prepared(change.returning(_jobs.id, _jobs.lease_token))}


# Locks the rows in this order before the UPDATE, which alone would lock them in the order of its plan.
_SETTLE_LOCKED = _settlement(_settle.where(_jobs.id == _held.c.id))


@cache
def _settle_listed(count: int) -> Mapping[bool, Prepared]:
    """Return the statements that settle `count` jobs with one token on SQLite. It has one writer, which needs no lock.
    With a list of parameters, they take two thirds of the time that they take with one JSON text."""
    ids = _jobs.id.in_([bindparam(name) for name in _ID_NAMES[:count]])
    return _settlement(
        _settle.where(ids, _jobs.lease_token == bindparam("token"), _jobs.status == JobStatus.RUNNING.value)
    )


_OUTCOME: Mapping[str, TypeEngine[Any]] = {
    "error_code": Text(),
    "error_message": Text(),
    "error_retryable": Boolean(),
    "result_object": Text(),
    "result_media_type": Text(),
    "result_bytes": BigInteger(),
    "result_expires_at_us": BigInteger(),
}
_outcomes = GivenRows("outcomes", id=Text(), lease_token=BigInteger(), status=Text(), **_OUTCOME)
_STORE_OUTCOMES = Prepared(
    update(jobs)
    .where(
        _outcomes.among(_jobs.id, _outcomes.c("id")),
        _jobs.id == _outcomes.c("id"),
        _jobs.lease_token == _outcomes.c("lease_token"),
        # A settlement that changed nothing, since the job has ended in another way under this token, stores no outcome.
        _jobs.status == _outcomes.c("status"),
    )
    .values({name: _outcomes.c(name) for name in _OUTCOME})
)
_END_CLEANUP = Prepared(
    update(jobs)
    .where(_jobs.id == bindparam("which"), _jobs.lease_token == bindparam("token"))
    .values(
        state=case((bindparam("at", type_=BigInteger()).is_(None), null()), else_=_jobs.state),
        due_at_us=bindparam("at", type_=BigInteger()),
        lease_until_us=None,
    )
)


@dataclass(slots=True)
class DueTenant:
    """A tenant with jobs that can be claimed. `due_at_us` is the earliest time at which one is due. `running` is the
    number of its jobs that workers have now; the reader counts the jobs that it claims after the query."""

    tenant_id: str
    due_at_us: int
    running: int


@dataclass(slots=True)
class Settlement:
    """The change by which a worker gives up the lease of a running job. The class is not frozen, for the reason in
    `JobRow`. `due_at_us` is the time at which a worker may claim the job again, None if nothing is left to do.
    `attempts` counts the claims without a stored state. None: those in the row without this claim, since the claim may
    have stored states of which the caller does not know."""

    job: LeasedJob
    status: JobStatus
    due_at_us: int | None = None
    attempts: int | None = 0
    error: JobError | None = None
    result: JobResult | None = None
    result_expires_at_us: int | None = None


class LeaseStore:
    """SQL statements of a worker on the jobs that it runs."""

    async def claim(
        self,
        tx: Transaction,
        counts: Mapping[str, int],
        take: Callable[[LeasedJob], None],
        *,
        now_us: int,
        lease_us: int,
        without: tuple[str, ...] = (),
    ) -> None:
        """Lease due jobs, at most `counts[tenant_id]` of each tenant, those first that are due longest. Jobs of the
        kinds `without` are left. `take` is called with each job before the end of the transaction; the job is leased
        when the transaction has ended."""

        is_text = tx.dialect == "sqlite"

        def read(rows: Sequence[Sequence[Any]]) -> None:
            for row in rows:
                take(_LEASED.read(orjson.loads(row[0]) if is_text else row))

        tenants = list(counts.items())
        for at in range(0, len(tenants), TENANTS_MAX):
            part = tenants[at : at + TENANTS_MAX]
            values: dict[str, Any] = {"now": now_us, "lease_until": now_us + lease_us}
            for (tenant_name, count_name), (tenant_id, count) in zip(_TENANT_VALUES, part, strict=False):
                values[tenant_name], values[count_name] = tenant_id, count
            await tx.driver.run_later(_claim(len(part), without, tx.dialect), values, read)

    async def sweep(self, tx: Transaction, now_us: int) -> int:
        """End the expired leases of workers that were killed, and make their jobs due as the first of their tenants.
        Return the number of jobs."""
        return len(await tx.driver.rows(_SWEEP, {"now": now_us}))

    async def renew(self, tx: Transaction, leased: Sequence[LeasedJob], *, now_us: int, lease_us: int) -> set[str]:
        """Extend leases. Return the ids of the jobs whose lease this worker still has."""
        values = {**leases(leased), "lease_until": now_us + lease_us}
        rows = await tx.driver.rows(_RENEW, values)
        return {row[0] for row in rows}

    async def hold(self, tx: Transaction, leased: LeasedJob) -> None:
        """Lock a running job until `tx` ends. Raises `JobLeaseLost`; the caller must then roll back."""
        if not await tx.driver.rows(_HOLD, {"which": leased.id, "token": leased.lease_token}):
            raise JobLeaseLost

    async def save(
        self, tx: Transaction, leased: LeasedJob, state: str, progress_pct: int, *, now_us: int, lease_us: int
    ) -> None:
        """Store the state after a step, and extend the lease. Raises `JobLeaseLost`; the caller must then roll back."""
        values = {"which": leased.id, "token": leased.lease_token, "new_state": state, "progress": progress_pct}
        if await tx.driver.run(_SAVE, {**values, "now": now_us, "lease_until": now_us + lease_us}) != 1:
            raise JobLeaseLost

    async def settle_all(self, tx: Transaction, settlements: Sequence[Settlement], now_us: int) -> None:
        """Store what follows from the last steps of these jobs, and give up their leases, by the end of the
        transaction. It fails with `RowsMissing` if this worker has lost the lease of one of them."""
        for statements, values, count in await self._settling(tx, settlements, now_us):
            await tx.driver.change_later(statements[False], values, count)
        await self._store_outcomes(tx, settlements)

    async def settle_some(
        self, tx: Transaction, settlements: Sequence[Settlement], now_us: int
    ) -> set[tuple[str, int]]:
        """Do the same now, without the jobs whose lease this worker has lost. Return the ids of the changed jobs and
        the tokens of their leases. A job whose lease is lost is not changed, also if a later claim of it is settled
        with it."""
        changed = set[tuple[str, int]]()
        for statements, values, _ in await self._settling(tx, settlements, now_us):
            changed |= {(row[0], row[1]) for row in await tx.driver.rows(statements[True], values)}
        await self._store_outcomes(tx, settlements)
        return changed

    async def _settling(
        self, tx: Transaction, settlements: Sequence[Settlement], now_us: int
    ) -> Sequence[tuple[Mapping[bool, Prepared], Mapping[str, Any], int]]:
        """Return the statements that settle jobs (`_settlement`), their values, and the number of jobs of each: one for
        all jobs that get the same values, and mostly all do. If there are several, lock all jobs before in their
        order."""
        alike = defaultdict[tuple[JobStatus, int | None, int | None], list[LeasedJob]](list)
        for one in settlements:
            alike[one.status, one.due_at_us, one.attempts].append(one.job)
        if len(alike) > 1 and tx.dialect == "postgresql":
            await tx.driver.run_later(_LOCK, leases([one.job for one in settlements]))
        return [
            (
                statements,
                {
                    **values,
                    "to_status": status.value,
                    "to_due": due_at_us,
                    "to_attempts": attempts,
                    "to_completed": None if status is JobStatus.RUNNING else now_us,
                    "now": now_us,
                },
                count,
            )
            for (status, due_at_us, attempts), group in alike.items()
            for statements, values, count in _parts(group, tx.dialect)
        ]

    async def _store_outcomes(self, tx: Transaction, settlements: Sequence[Settlement]) -> None:
        """Store the errors and the results of settled jobs: apart, since few jobs have one, and after the settlements,
        which have locked the jobs in their order."""
        outcomes = [_outcome_row(one) for one in settlements if one.error is not None or one.result is not None]
        if outcomes:
            await tx.driver.run_later(_STORE_OUTCOMES, {"outcomes": given(outcomes)})

    async def end_cleanup(self, tx: Transaction, leased: LeasedJob, retry_at_us: int | None) -> None:
        """Give up the lease of a job that had ended before it was claimed. It is claimed again at `retry_at_us`, or
        never if that is None; its state is then removed. Nothing is changed if the lease is lost."""
        await tx.driver.run(_END_CLEANUP, {"which": leased.id, "token": leased.lease_token, "at": retry_at_us})


def leases(leased: Sequence[LeasedJob]) -> dict[str, Any]:
    """Return the parameters of a statement on the leases of these jobs."""
    return {"leased": given([(job.id, job.lease_token) for job in leased])}


def _parts(
    leased: Sequence[LeasedJob], dialect: DialectName
) -> Iterator[tuple[Mapping[bool, Prepared], Mapping[str, Any], int]]:
    """Yield the statements that settle these jobs in the same way, the parameters for the jobs, and their number."""
    if dialect == "postgresql":
        yield _SETTLE_LOCKED, leases(leased), len(leased)
        return
    by_token = defaultdict[int, list[str]](list)
    for job in leased:
        by_token[job.lease_token].append(job.id)
    for token, ids in by_token.items():
        for at in range(0, len(ids), SETTLED_MAX):
            part = ids[at : at + SETTLED_MAX]
            yield _settle_listed(len(part)), {"token": token, **dict(zip(_ID_NAMES, part, strict=False))}, len(part)


def _outcome_row(one: Settlement) -> tuple[Any, ...]:
    """Return the status, the error and the result of a job, in the order of the columns of `_STORE_OUTCOMES`."""
    error = (None, None, None) if one.error is None else (one.error.code, one.error.message, one.error.retryable)
    result = one.result
    stored = (None, None, None) if result is None else (result.object_name, result.media_type, result.size_bytes)
    return (one.job.id, one.job.lease_token, one.status.value, *error, *stored, one.result_expires_at_us)
