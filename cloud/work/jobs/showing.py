"""A job as JSON: in responses, in events and in call-backs. Neither its payload nor its result is part of it."""

from typing import Any

from cloud.foundation.moments import write_moment
from cloud.work.jobs.model import Job, JobError


def shown(job: Job) -> dict[str, Any]:
    """Return the JSON fields of a job (contract matrix C-165)."""
    return {
        "id": job.id,
        "kind": job.kind,
        "status": job.status,
        "progress_pct": job.progress_pct,
        "created_at": write_moment(job.created_at_us),
        "updated_at": write_moment(job.updated_at_us),
        "completed_at": write_moment(job.completed_at_us),
        "error": shown_error(job.error),
        "trace_id": job.trace_id,
    }


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
