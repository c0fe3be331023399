"""Errors of the SDK. All have a `code` that programs decide by; none has a token, a secret or a body of a request.

`ApiError` is a response of the service, and its codes are those of the API's problem documents (RFC 9457) or, for
tokens, of RFC 6749. The codes of the other errors are the SDK's own, and are part of its versions.
"""

from collections.abc import Mapping, Sequence
from typing import Any


class ArgusError(Exception):
    """Base of all errors of the SDK."""

    def __init__(self, code: str, detail: str, *, context: str = "") -> None:
        """`context` follows the detail in the text of the error."""
        super().__init__(f"{code}: {detail}{context}")
        self.code = code
        self.detail = detail


class ApiError(ArgusError):
    """The service refused a request.

    `trace_id` is what support needs, None where the response has none. `errors` lists the invalid values of the
    request, each with `detail` and its `pointer` or `parameter`. `retry_after_s` is the pause that the service
    requested, None without one. `problem_url` is the page that describes the code, None without one. `members` has the
    further members of the problem, such as `expired_at`.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        status: int,
        trace_id: str | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
        retry_after_s: float | None = None,
        problem_url: str | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        trace = f", trace {trace_id}" if trace_id else ""
        super().__init__(code, detail, context=f" (status {status}{trace})")
        self.status = status
        self.trace_id = trace_id
        self.errors = tuple(errors)
        self.retry_after_s = retry_after_s
        self.problem_url = problem_url
        self.members = dict(members or {})


class ConnectionFailed(ArgusError):
    """No complete response arrived. A request that changes something may have been executed."""

    def __init__(self, detail: str) -> None:
        super().__init__("connection_failed", detail)


class AddressRefused(ArgusError):
    """The SDK does not send a request to this address: `insecure_address`, `malformed_address`, `foreign_link` or
    `unusable_id`."""


class ResponseUnusable(ArgusError):
    """The response is complete and not what the API promises: `response_malformed`, `response_too_large`,
    `token_response_malformed`, or `result_pending` where a result was requested too early."""


class JobFailed(ArgusError):
    """A job ended without a result.

    `code` is that of the job's error, or `job_cancelled`. `retryable` states whether a new job with the same payload
    may succeed. `trace_id` is the trace of the request that started the job, and `job` the job.
    """

    def __init__(self, job: Mapping[str, Any]) -> None:
        error = job["error"] or {"code": f"job_{job['status']}", "message": f"The job was {job['status']}."}
        super().__init__(error["code"], error["message"])
        self.job = job
        self.retryable: bool = error.get("retryable", False)
        self.trace_id: str = job["trace_id"]


class JobWaitExceeded(ArgusError):
    """A job did not end within the time limit of the caller. It continues; `job` is its last state, and `trace_id`
    the trace of the request that started it."""

    def __init__(self, job: Mapping[str, Any], limit_s: float) -> None:
        super().__init__("job_wait_exceeded", f"The job did not end within {limit_s:g} s. It continues.")
        self.job = job
        self.trace_id: str = job["trace_id"]


class GraphqlFailed(ArgusError):
    """Fields of an operation failed, or it was refused. `code` is that of the first error; `data` is what was read."""

    def __init__(self, errors: Sequence[Mapping[str, Any]], data: Mapping[str, Any] | None) -> None:
        first = errors[0]
        extensions = first.get("extensions")
        known = extensions if isinstance(extensions, Mapping) else {}
        super().__init__(str(known.get("code", "graphql_error")), str(first.get("message", "")))
        self.errors = tuple(errors)
        self.data = data
        self.trace_id: str | None = known.get("trace_id")


class WebhookRefused(ArgusError):
    """A message is not a webhook of Argus for this receiver, or cannot be checked.

    Codes: `header_missing`, `timestamp_malformed`, `timestamp_out_of_range`, `signature_invalid`, `body_malformed`,
    `secret_malformed` (the receiver's own secret).
    """


class EvidenceUnusable(ArgusError):
    """The SDK cannot make the check.

    Codes: `transcript_malformed` and `keys_malformed` (they are not in the form of the API), `identity_malformed` (the
    expected evidence or tenant), `content_hash_malformed`, and `record_unknown` (a hash of the content after a record
    that the transcript does not have).
    """
