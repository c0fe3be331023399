"""The statements on jobs that are not those of a worker: enqueue, find, list, count, cancel.

A cancellation and a worker's result are both conditional changes of the same row, so exactly one of them is made. The
cancellation also increases the fencing token, after which the worker can store nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Integer, and_, bindparam, case, func, or_, select, update

from cloud.foundation.db import Prepared, Records, Transaction, insert
from cloud.foundation.viewer import Viewer, visible
from cloud.work.jobs.model import OPEN, Job, JobStatus, NewJob
from cloud.work.jobs.signals import CHANNEL
from cloud.work.jobs.tables import jobs

CLEANUP_DELAY_US = 30_000_000
"""Time from the cancellation of a running job to its clean-up. By then its worker has noticed that the lease is lost
and has stopped the step, so that the clean-up removes everything that the step has made."""

_jobs = jobs.c
_NEW = Records(NewJob, jobs)
_JOBS = Records(Job, jobs)
_QUEUED = (*_NEW.names, "created_at_us", "updated_at_us", "due_at_us")
_ENQUEUE = Prepared(
    insert(jobs)
    .values(
        {name: bindparam(name) for name in _QUEUED}
        | {"status": JobStatus.QUEUED.value, "progress_pct": 0, "lease_token": 0, "attempts": 0}
    )
    .inline(),
    order=_QUEUED,
)
_NOTIFY = Prepared(select(func.pg_notify(CHANNEL, bindparam("text"))))
_BEYOND = Prepared(
    select(_jobs.due_at_us)
    .where(_jobs.tenant_id == bindparam("tenant"), _jobs.due_at_us.is_not(None))
    .order_by(_jobs.tenant_id, _jobs.due_at_us)
    .offset(bindparam("most", type_=Integer))
    .limit(1)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSearch:
    """The jobs wanted in a list: of any of these kinds and statuses (empty: all), older than the job `before`, which is
    its time of creation and its id."""

    kinds: Collection[str] = ()
    statuses: Collection[JobStatus] = ()
    before: tuple[int, str] | None = None


class JobStore:
    """SQL statements on jobs, for the callers that enqueue and read them."""

    async def enqueue(self, tx: Transaction, new: Sequence[NewJob], now_us: int) -> None:
        """Add jobs that are due now. On PostgreSQL, the workers of all processes are notified when the transaction has
        committed; the caller rings the bell of its own process (`JobBell`) after the commit."""
        await tx.driver.run_many(_ENQUEUE, [(*_NEW.row(one), now_us, now_us, now_us) for one in new])
        if tx.dialect == "postgresql":
            await tx.driver.rows(_NOTIFY, {"text": ""})

    async def is_full(self, tx: Transaction, tenant_id: str, most: int) -> bool:
        """Return whether a tenant has `most` jobs that no worker has claimed yet. Reads the index only."""
        return bool(await tx.driver.rows(_BEYOND, {"tenant": tenant_id, "most": most - 1}))

    async def find(self, tx: Transaction, viewer: Viewer, job_id: str) -> Job | None:
        """Return a job, or None if there is none that the viewer may see."""
        return await _JOBS.first(tx, _JOBS.select().where(_jobs.id == job_id, *visible(jobs, viewer)))

    async def statuses(self, tx: Transaction, job_ids: Collection[str]) -> Mapping[str, JobStatus]:
        """Return the statuses of jobs, by their ids."""
        rows = await tx.execute(select(_jobs.id, _jobs.status).where(_jobs.id.in_(list(job_ids))))
        return {row.id: JobStatus(row.status) for row in rows}

    async def payload(self, tx: Transaction, viewer: Viewer, job_id: str) -> str:
        """Return the payload of a job that the viewer may see, as JSON text."""
        statement = select(_jobs.payload).where(_jobs.id == job_id, *visible(jobs, viewer))
        return str((await tx.execute(statement)).scalar())

    async def with_results(self, tx: Transaction, kind: str, payload_part: str, now_us: int) -> Sequence[Job]:
        """Return the jobs of a kind that have a result, and whose payload has a part, as JSON text."""
        statement = _JOBS.select().where(
            *_has_result(now_us), _jobs.kind == kind, _jobs.payload.contains(payload_part, autoescape=True)
        )
        return await _JOBS.all(tx, statement)

    async def expire_results(self, tx: Transaction, job_ids: Sequence[str], now_us: int) -> set[str]:
        """Let the results of these jobs expire now, before their retention is over. Return the ids of the jobs whose
        result this call has ended."""
        live = (_jobs.id.in_(job_ids), *_has_result(now_us))
        ended = update(jobs).where(*live).values(result_expires_at_us=now_us).returning(_jobs.id)
        return {row.id for row in await tx.execute(ended)}

    async def page(self, tx: Transaction, viewer: Viewer, search: JobSearch, limit: int) -> Sequence[Job]:
        """Return at most `limit` of the wanted jobs, newest first."""
        newest = _jobs.created_at_us.desc(), _jobs.id.desc()
        statement = _JOBS.select().where(*_wanted(viewer, search)).order_by(*newest).limit(limit)
        return await _JOBS.all(tx, statement)

    async def count(self, tx: Transaction, viewer: Viewer, search: JobSearch) -> int:
        """Return the number of the wanted jobs, without regard to `before`."""
        every = JobSearch(kinds=search.kinds, statuses=search.statuses)
        return int((await tx.execute(select(func.count()).select_from(jobs).where(*_wanted(viewer, every)))).scalar())

    async def naming(self, tx: Transaction, tenant_id: str, kind: str, payload_parts: Sequence[str]) -> Sequence[str]:
        """Return the payloads of a tenant's jobs of a kind that have one of these parts, as JSON text. Jobs that have
        ended and await no clean-up are left out."""
        wanted = (
            _jobs.tenant_id == tenant_id,
            or_(_jobs.due_at_us.is_not(None), _jobs.lease_until_us.is_not(None)),
            _jobs.kind == kind,
            or_(*(_jobs.payload.contains(part, autoescape=True) for part in payload_parts)),
        )
        return [str(row.payload) for row in await tx.execute(select(_jobs.payload).where(*wanted))]

    async def cancel(
        self, tx: Transaction, viewer: Viewer, job_id: str, now_us: int, *, admitted_kinds: Collection[str] = ()
    ) -> Job | None:
        """Cancel a job that has not ended, and return it. Return None if the viewer may see no such job or it has ended
        already; nothing is changed then. A job that has stored a state becomes due again, for its clean-up, and so does
        every job of the kinds `admitted_kinds`, whose admission may have stored data."""
        # A job that was never started has no state. The row is locked, so the expressions see the newest values.
        is_running = _jobs.status == JobStatus.RUNNING.value
        is_admitted = _jobs.kind.in_(list(admitted_kinds))
        leaves_data = and_(is_running, or_(_jobs.state.is_not(None), is_admitted))
        statement = (
            update(jobs)
            .where(_jobs.id == job_id, *visible(jobs, viewer), _jobs.status.in_([status.value for status in OPEN]))
            .values(
                status=JobStatus.CANCELLED.value,
                updated_at_us=now_us,
                completed_at_us=now_us,
                lease_until_us=None,
                lease_token=_jobs.lease_token + 1,
                due_at_us=case((leaves_data, now_us + CLEANUP_DELAY_US), (is_admitted, now_us), else_=None),
                attempts=0,
            )
            .returning(*_JOBS.columns)
        )
        row = (await tx.execute(statement)).first()
        if row is None:
            return None
        if tx.dialect == "postgresql":
            await tx.driver.rows(_NOTIFY, {"text": job_id})
        return _JOBS.read(row)


def _has_result(now_us: int) -> tuple[ColumnElement[bool], ...]:
    return _jobs.result_object.is_not(None), _jobs.result_expires_at_us > now_us


def _wanted(viewer: Viewer, search: JobSearch) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = visible(jobs, viewer)
    if search.kinds:
        conditions.append(_jobs.kind.in_(list(search.kinds)))
    if search.statuses:
        conditions.append(_jobs.status.in_([status.value for status in search.statuses]))
    if search.before is not None:
        at_us, job_id = search.before
        earlier: Any = and_(_jobs.created_at_us == at_us, _jobs.id < job_id)
        # The first condition alone is implied by the second; it lets the index begin at the page.
        conditions += [_jobs.created_at_us <= at_us, or_(_jobs.created_at_us < at_us, earlier)]
    return conditions
