"""The error codes of a route: those that follow from its row, and those that the row lists for its handler.

The OpenAPI document and the pages of the documentation list them. Errors that any request to any address may get, such
as `headers_too_large` or `internal_error`, are left out: the page of all problem types has them.
"""

from collections.abc import Iterator

from cloud.foundation.http.route import Access, Route

_OF_EVERY_ROUTE = ("invalid_header", "invalid_query", "rate_limited", "took_too_long", "unavailable")
_OF_TOKEN = ("token_missing", "invalid_token", "wrong_environment", "tenant_mismatch", "revocation_unavailable")
_OF_BODY = ("invalid_body", "body_incomplete", "body_too_large", "unsupported_media_type")
_OF_IDEMPOTENCY = ("invalid_idempotency_key", "idempotency_key_in_flight", "idempotency_key_reused")
_OF_CHANGE = ("commit_unknown", "transaction_too_slow")


def error_codes(row: Route) -> Iterator[str]:
    """Yield the codes of the errors that a request to the route may get, without repetition and in no order. Those of
    an OAuth route are all in its row, since RFC 6749 names them; those of a page have no code."""
    has_documents = not row.oauth_errors and row.refusal_page is None
    yield from dict.fromkeys((*row.errors, *(_implied(row) if has_documents else ())))


def _implied(row: Route) -> Iterator[str]:
    yield from _OF_EVERY_ROUTE
    if row.scopes.access is Access.TOKEN:
        yield from _OF_TOKEN
        yield "database_unavailable"
        if row.method != "GET":
            yield from _OF_CHANGE
    if row.scopes.names:
        yield "insufficient_scope"
    if row.needs_organization:
        yield "organization_required"
    if "{" in row.path:
        yield "not_found"
    if row.query is not None and "cursor" in row.query.model_fields:
        yield "invalid_cursor"
    if row.reads_body:
        yield from _OF_BODY
    if row.idempotent:
        yield from _OF_IDEMPOTENCY
    if 412 in row.responses:
        yield "precondition_failed"
    if row.sunset_on is not None:
        yield "gone"
