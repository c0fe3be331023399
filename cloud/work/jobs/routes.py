"""Routes of jobs on the API host (contract C-153 … C-185)."""

from typing import Any

from cloud.foundation.http import Host, Parts, RateClass, Route, Scopes
from cloud.work.jobs.handlers import JobHandlers
from cloud.work.jobs.schemas import JobPage, JobQuery, JobQueued, JobResultPending, JobResultShown, JobShown, JobWanted

READ = Scopes.any_of("argus:jobs:read", "argus:jobs:write")
WRITE = Scopes.any_of("argus:jobs:write")

JOBS, JOB = "/v1/jobs", "/v1/jobs/{id}"
_ABSENT = "Job not found."
_TRACE = "0af7651916cd43dd8448eb211c80319c"
_LISTED = {
    "id": "01HFXY0000000000000000000A",
    "kind": "intelligence.enrich.bulk",
    "status": "running",
    "progress_pct": 42,
    "created_at": "2026-05-08T12:00:00.000000Z",
    "trace_id": _TRACE,
}
_JOB = {
    **_LISTED,
    "updated_at": "2026-05-08T12:00:30.000000Z",
    "completed_at": None,
    "error": None,
    "evidence_id": None,
}


def routes(parts: Parts) -> tuple[Route, ...]:
    h = JobHandlers(parts)
    return (_enqueue(h), _list(h), _inspect(h), _result(h), _cancel(h))


def _row(**facts: Any) -> Route:
    return Route(**{"host": Host.API, "tag": "Jobs", "scopes": READ, **facts})


def _enqueue(h: JobHandlers) -> Route:
    return _row(
        method="POST",
        path=JOBS,
        handler=h.enqueue,
        scopes=WRITE,
        idempotent=True,
        rate_class=RateClass.WRITE,
        body=JobWanted,
        response=JobQueued,
        responses={
            201: "The queued job. Location has its address.",
            200: "The response to an earlier request with the same Idempotency-Key.",
            400: "The kind is unknown, or the payload has not the form of the kind.",
            403: "The secrecy level is above the caller's clearance, the app's governance does not allow the host of "
            "the call-back, or the token lacks a scope that a job of this kind and payload needs.",
            409: "The app's jobs have named too many addresses for call-backs, or a request with the same "
            "Idempotency-Key is in progress.",
            422: "Call-backs to this address are not allowed.",
            429: "The tenant has too many queued jobs, or the rate limit is reached.",
        },
        errors=(
            "clearance_exceeded",
            "webhook_host_not_allowed",
            "whole_tenant_required",
            "organization_required",
            "uploads_unavailable",
            "too_many_uploads",
            "too_many_callback_addresses",
            "url_malformed",
            "blocked_url",
            "upload_unknown",
            "too_many_jobs",
        ),
        operation_id="enqueueJob",
        summary="Enqueue an async job",
        description="Starts long-running work and returns its id. Poll the job, or give a `callback_url`, which gets a "
        "message signed as Standard Webhooks specifies when the job has ended. With an `Idempotency-Key`, a repeated "
        "request returns 200 and the first response for 24 hours.",
        request_example={
            "kind": "intelligence.enrich.bulk",
            "payload": {"profile_ids": ["p1", "p2"]},
            "callback_url": "https://partner.example.com/argus-webhook",
            "secrecy_level": "standard",
        },
        response_example={
            "id": "01HFXY0000000000000000000A",
            "kind": "intelligence.enrich.bulk",
            "status": "queued",
            "created_at": "2026-05-08T12:00:00.000000Z",
            "trace_id": _TRACE,
        },
    )


def _list(h: JobHandlers) -> Route:
    return _row(
        method="GET",
        path=JOBS,
        handler=h.list,
        query=JobQuery,
        response=JobPage,
        responses={200: "A page of jobs, newest first."},
        operation_id="listJobs",
        summary="List jobs",
        description="The jobs of the caller's tenant, or of its organisation if the token has one, up to the caller's "
        "clearance.",
        response_example={"jobs": [_LISTED], "next_cursor": None, "total_count": 1},
    )


def _inspect(h: JobHandlers) -> Route:
    return _row(
        method="GET",
        path=JOB,
        handler=h.inspect,
        response=JobShown,
        responses={200: "The job.", 304: "Not modified.", 404: _ABSENT},
        errors=("job_unknown",),
        operation_id="inspectJob",
        summary="Get job status",
        description="The current state of a job. The record of a job stays after its result has expired.",
        response_example=_JOB,
    )


def _result(h: JobHandlers) -> Route:
    return _row(
        method="GET",
        path=f"{JOB}/result",
        handler=h.result,
        response=JobResultShown | JobResultPending,
        responses={
            200: "The result. `signed_url` is valid for five minutes.",
            202: "The job is queued or running: `status` and `progress_pct`.",
            403: "The token lacks a scope that starting the job needs.",
            404: "Job not found, or a job without a result.",
            409: "The job failed (`job_failed`, with `error`) or was cancelled (`job_cancelled`).",
            410: "The result has expired; `expired_at` is the time.",
        },
        errors=(
            "insufficient_scope",
            "job_unknown",
            "job_without_result",
            "job_failed",
            "job_cancelled",
            "result_expired",
        ),
        operation_id="fetchJobResult",
        summary="Get job result",
        description="A short-lived address of the result, which is kept for 30 days. Treat it as a credential. It "
        "needs the scopes that starting the job needs.",
        response_example={
            "id": "01HFXY0000000000000000000A",
            "result_ref": "r2://argus-jobs/results/01HFXY0000000000000000000A.json",
            "signed_url": "https://r2-presigned-url.example/results",
        },
    )


def _cancel(h: JobHandlers) -> Route:
    return _row(
        method="DELETE",
        path=JOB,
        handler=h.cancel,
        scopes=WRITE,
        rate_class=RateClass.WRITE,
        response=JobShown,
        responses={
            204: "The job is cancelled.",
            200: "The job was cancelled before.",
            404: _ABSENT,
            409: "The job has succeeded or failed (`job_not_cancellable`, with `job_status`).",
        },
        errors=(
            "job_unknown",
            "job_not_cancellable",
        ),
        operation_id="cancelJob",
        summary="Cancel a job",
        description="Cancels a queued or running job. After the response, the job runs no further step.",
    )
