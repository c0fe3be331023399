"""Events of jobs: each job ends with one of them (contract matrix A-059, A-067)."""

from typing import Any

from cloud.foundation.events import EventType, count, moment, text, word
from cloud.work.jobs.model import JobStatus

SCOPE = "argus:jobs:read"

_ERROR = {
    "type": ["object", "null"],
    "description": "Reason of the failure; null without one.",
    "properties": {
        "code": {"type": "string", "description": "Stable code."},
        "message": {"type": "string", "description": "A sentence for people."},
        "retryable": {"type": "boolean", "description": "Whether a new job with the same payload may succeed."},
    },
}


def event_of(status: JobStatus) -> str:
    """Return the name of the event of a job that ended with this status."""
    return f"job.{status.value}"


def _type(status: JobStatus, description: str, **differing: Any) -> EventType:
    return EventType(
        name=event_of(status),
        description=f"{description} The result is not part of the message.",
        fields={
            "id": text("The job."),
            "kind": text("Kind of the job."),
            "status": word("Final status.", [status]),
            "progress_pct": count("Part of the job that was done, 0 to 100."),
            "created_at": moment("Time of the request."),
            "updated_at": moment("Time of the last change."),
            "completed_at": moment("Time of the end."),
            "error": _ERROR,
            "trace_id": text("Trace of the request."),
            "evidence_id": text("Evidence of the file of an export or import; null without one.", absent=True),
        },
        sample={
            "id": "01HFXY0000000000000000000A",
            "kind": "export.bulk",
            "status": status.value,
            "progress_pct": 42,
            "created_at": "2026-05-08T12:00:00.000000Z",
            "updated_at": "2026-05-08T12:04:30.000000Z",
            "completed_at": "2026-05-08T12:04:30.000000Z",
            "error": None,
            "trace_id": "0af7651916cd43dd8448eb211c80319c",
            "evidence_id": None,
            **differing,
        },
        scope=SCOPE,
    )


_FAILED = {"code": "source_unavailable", "message": "The source did not respond.", "retryable": True}

EVENTS = (
    _type(JobStatus.SUCCEEDED, "A job succeeded.", progress_pct=100, evidence_id="evd_01HFXY0000000000000000ABCD"),
    _type(JobStatus.FAILED, "A job failed.", error=_FAILED),
    _type(JobStatus.CANCELLED, "A job was cancelled before its end."),
)
