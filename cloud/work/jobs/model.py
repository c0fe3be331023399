"""Jobs and their states. A job ends once, as `succeeded`, `failed` or `cancelled`, and its status then stays."""

from dataclasses import dataclass, field
from enum import StrEnum

from cloud.foundation.viewer import SecrecyLevel


class JobStatus(StrEnum):
    """The status of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = (JobStatus.QUEUED, JobStatus.RUNNING)
"""Statuses of a job that has not ended."""


@dataclass(frozen=True, slots=True)
class JobError:
    """The reason why a job failed (contract matrix A-085). `retryable`: a new job with the same payload may succeed."""

    code: str
    message: str
    retryable: bool


@dataclass(frozen=True, slots=True)
class JobResult:
    """A stored result: the name of the object, its media type and its size in bytes."""

    object_name: str
    media_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to enqueue. `payload` is the JSON text of the kind's payload model. `organization_id` None: the job reads
    and changes data of every organisation of the tenant. `client_id` None: the operator enqueued it."""

    id: str
    tenant_id: str
    organization_id: str | None
    client_id: str | None
    subject: str
    kind: str
    payload: str = field(repr=False)
    secrecy_level: SecrecyLevel
    callback_url: str | None = field(repr=False)
    trace_id: str
    traceparent: str | None


@dataclass(slots=True)
class JobRow:
    """The part of a job that its tenant and its worker need. No code changes a row. The class is not frozen, since a
    worker makes one for each job, and the constructor of a frozen one takes twice as long. Nor do its fields need
    names: `Records` reads a row by position, in a tenth of the time."""

    id: str
    tenant_id: str
    organization_id: str | None
    client_id: str | None
    subject: str
    kind: str
    secrecy_level: SecrecyLevel
    traceparent: str | None
    status: JobStatus
    progress_pct: int
    created_at_us: int

    @property
    def is_open(self) -> bool:
        return self.status in OPEN


@dataclass(slots=True)
class Job(JobRow):
    """A job as its tenant sees it."""

    callback_url: str | None = field(repr=False)
    trace_id: str
    started_at_us: int | None
    updated_at_us: int
    completed_at_us: int | None
    error_code: str | None
    error_message: str | None
    error_retryable: bool | None
    result_object: str | None = field(repr=False)
    result_media_type: str | None
    result_bytes: int | None
    result_expires_at_us: int | None

    @property
    def error(self) -> JobError | None:
        """The reason why the job failed; None if it did not fail."""
        if self.error_code is None:
            return None
        return JobError(self.error_code, self.error_message or "", bool(self.error_retryable))

    @property
    def result(self) -> JobResult | None:
        """The stored result; None without one, and after its retention (`result_expires_at_us` stays)."""
        if self.result_object is None:
            return None
        return JobResult(self.result_object, self.result_media_type or "", self.result_bytes or 0)


@dataclass(slots=True)
class LeasedJob(JobRow):
    """A job that this worker alone may run until its lease ends. `lease_token` is the fencing token: a worker whose
    lease has ended writes nothing to the row. `attempts` counts the claims since `state` was stored last. A claim
    returns no column that a worker does not need."""

    payload: str = field(repr=False)
    state: str | None = field(repr=False)
    lease_token: int
    attempts: int
    callback_url: str | None = field(repr=False)
    trace_id: str
    started_at_us: int | None
