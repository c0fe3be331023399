"""Errors of jobs."""

from collections.abc import Mapping
from typing import Any

from cloud.foundation.errors import DomainError, PrivateError
from cloud.foundation.http import Refused
from cloud.work.jobs.model import JobStatus


class JobLeaseLost(PrivateError, code="job_lease_lost"):
    """The job was cancelled, or another worker has it now."""


class ResultPlaceChanged(PrivateError, code="result_place_changed"):
    """Another job has stored or released the same content meanwhile. The step is made again."""


class JobUnknown(DomainError, code="job_unknown", status=404):
    """Job not found."""


class CallbackWithoutApp(PrivateError, code="callback_without_app", status=422):
    """A call-back is signed for an app. Without an app, poll the status of the job."""


class TooManyJobs(Refused, code="too_many_jobs", status=429):
    """The tenant has the maximum number of queued jobs. Wait until some are done, or cancel some."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(headers={"Retry-After": str(wait_s)})


class JobNotCancellable(Refused, code="job_not_cancellable", status=409):
    """The job has ended and cannot be cancelled."""

    def __init__(self, status: JobStatus) -> None:
        super().__init__(members={"job_status": status.value})


class JobFailed(Refused, code="job_failed", status=409):
    """The job failed, so it has no result. The member error has the reason."""

    def __init__(self, error: Mapping[str, Any] | None) -> None:
        super().__init__(members={"error": error})


class JobCancelled(Refused, code="job_cancelled", status=409):
    """The job was cancelled, so it has no result."""


class JobWithoutResult(Refused, code="job_without_result", status=404):
    """Jobs of this kind have no result."""
