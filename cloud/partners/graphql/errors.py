"""Errors of GraphQL requests, and their form in a GraphQL response.

The code of a request error is the code of its class in capitals, such as `OPERATION_NOT_APPROVED`. Errors of resolvers
get a general code by their status, beside their own code in `problem`. An error that is not a `DomainError` is masked.
"""

from collections.abc import Mapping
from typing import Any

from cloud.foundation.errors import DomainError, PrivateError


class GraphqlMalformed(DomainError, code="invalid_graphql_request"):
    """The body is not a GraphQL request. Send a JSON object with `query` or `documentId`, and with `variables`."""


class BatchingDisabled(DomainError, code="batching_disabled"):
    """A request has one operation. Send a JSON object instead of an array."""


class DocumentUnreadable(DomainError, code="graphql_parse_failed"):
    """The GraphQL document has a syntax error."""


class DocumentTooComplex(DomainError, code="document_too_complex"):
    """The GraphQL document exceeds a limit."""


class OperationNotApproved(DomainError, code="operation_not_approved", status=403):
    """The app may not send this operation. Send a document of one of its operation bundles."""


class FieldForbidden(DomainError, code="forbidden", status=403):
    """The access token lacks a scope that a field of the operation needs."""


class OperationTooSlow(DomainError, code="operation_timeout", status=503):
    """The operation took too long and was cancelled. Try again, if possible with a smaller range."""


class BundleMalformed(PrivateError, code="bundle_malformed"):
    """The operation bundle cannot be stored."""


class BundleUnknown(PrivateError, code="bundle_unknown", status=404):
    """There is no such version of an operation bundle."""


class BundleInUse(PrivateError, code="bundle_in_use", status=409):
    """Apps use this version of the operation bundle. Revoke it for them first."""


_BY_STATUS: Mapping[int, str] = {
    400: "BAD_USER_INPUT",
    401: "UNAUTHENTICATED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    409: "CONFLICT",
    422: "BAD_USER_INPUT",
    429: "TOO_MANY_REQUESTS",
    503: "UNAVAILABLE",
}

MASKED_CODE = "INTERNAL"
_MASKED = "An internal error occurred and was recorded. Quote the trace id to support."


def request_error(error: DomainError, trace_id: str) -> dict[str, Any]:
    """Return an error that ended the request before its execution, as an entry of `errors`."""
    return {"message": error.sentence, "extensions": {"code": error.code.upper(), "trace_id": trace_id}}


def field_error(error: BaseException | None, path: list[str | int] | None, trace_id: str) -> dict[str, Any]:
    """Return an error of a resolver as an entry of `errors`. `path` is the place of its field in the response."""
    extensions: dict[str, Any] = {"code": MASKED_CODE, "trace_id": trace_id}
    message = _MASKED
    if isinstance(error, DomainError) and not isinstance(error, PrivateError) and error.status in _BY_STATUS:
        message = f"{error.sentence} {error.suggestion}".rstrip()
        extensions = {"code": _BY_STATUS[error.status], "problem": error.code, "trace_id": trace_id}
    entry: dict[str, Any] = {"message": message}
    if path is not None:
        entry["path"] = path
    return {**entry, "extensions": extensions}
