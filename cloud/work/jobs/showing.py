"""A job as JSON: in responses, in events and in call-backs. Neither its payload nor its result is part of it."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from cloud.clinical.epcr import evidence_id_of
from cloud.foundation.moments import write_moment
from cloud.work.jobs.kind import job_kinds
from cloud.work.jobs.model import Job, JobError, JobStatus


def shown(job: Job) -> dict[str, Any]:
    """Return the JSON fields of a job (contract matrix C-165), with the id of its evidence."""
    updated_at = write_moment(job.updated_at_us)
    return {
        "id": job.id,
        "kind": job.kind,
        "status": job.status,
        "progress_pct": job.progress_pct,
        "created_at": write_moment(job.created_at_us),
        "updated_at": updated_at,
        # The end is mostly the last change.
        "completed_at": updated_at if job.completed_at_us == job.updated_at_us else write_moment(job.completed_at_us),
        "error": shown_error(job.error),
        "trace_id": job.trace_id,
        "evidence_id": _evidence_id(job),
    }


def _evidence_id(job: Job) -> str | None:
    """Return the id of the evidence of a job; None before it exists, and for a kind without evidence. Evidence is made
    in the transaction in which the job succeeds."""
    kind = _evidence_kinds().get(job.kind) if job.status is JobStatus.SUCCEEDED else None
    return None if kind is None else evidence_id_of(job.tenant_id, kind, job.id)


@cache
def _evidence_kinds() -> Mapping[str, str]:
    """Return kind of a job → kind of its evidence."""
    return {name: kind.evidence_kind for name, kind in job_kinds().items() if kind.evidence_kind is not None}


def shown_error(error: JobError | None) -> dict[str, Any] | None:
    """Return the JSON fields of the error of a job (contract matrix A-085), None for None."""
    if error is None:
        return None
    return {"code": error.code, "message": error.message, "retryable": error.retryable}


def shown_in_list(job: Job) -> dict[str, Any]:
    """Return the JSON fields of a job in a list (contract matrix C-184)."""
    names = ("id", "kind", "status", "progress_pct", "created_at", "trace_id")
    document = shown(job)
    return {name: document[name] for name in names}
