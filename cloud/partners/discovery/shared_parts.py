"""Parts of the OpenAPI document that many operations share: headers, parameters, errors, tags."""

from typing import Any

CONTRACT_LABEL = "v2026.4"
CONTRACT_VERSION = "2026.4.0"
OPENAPI_VERSION = "3.1.0"
TITLE = "Argus External API"
DESCRIPTION = """\
The stable contract for external integrations. Platform internals, administrative routes, the GraphQL schema and \
capabilities that need an approval are not part of it.

Every response carries `X-Argus-Trace-ID` and `X-Argus-Span-ID`: quote the first to support. Errors are problem \
documents (RFC 9457) with a stable `code`; those of the token endpoint follow RFC 6749. Objects of other tenants and \
organisations return 404, like objects that do not exist."""

LICENSE = {"name": "By integration agreement", "identifier": "LicenseRef-Argus-Integration"}

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "Why a request failed (RFC 9457).",
    "required": ["type", "title", "status", "code", "trace_id"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "Address of a page about this kind of problem."},
        "title": {"type": "string"},
        "status": {"type": "integer", "format": "int32", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What is wrong and what to do."},
        "instance": {"type": "string"},
        "code": {"type": "string", "description": "Stable. Programs decide by this member only."},
        "trace_id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        "errors": {
            "type": "array",
            "description": "The invalid values of the request, one by one.",
            "items": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "detail": {"type": "string", "description": "What is wrong with the value."},
                    "pointer": {
                        "type": "string",
                        "format": "json-pointer",
                        "description": "Its place in the body (RFC 6901).",
                    },
                    "parameter": {"type": "string", "description": "Its name in the query or the form."},
                    "did_you_mean": {"type": "string", "description": "A known word close to the given one."},
                },
            },
        },
    },
}

OAUTH_ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "Why no token was issued (RFC 6749, section 5.2).",
    "required": ["error"],
    "properties": {
        "error": {"type": "string"},
        "error_description": {"type": "string"},
        "error_uri": {"type": "string", "format": "uri"},
    },
}

HEADERS: dict[str, Any] = {
    "X-Argus-Trace-ID": {
        "description": "The trace of this request.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        "example": "0af7651916cd43dd8448eb211c80319c",
    },
    "X-Argus-Span-ID": {
        "description": "The server's span in the trace.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
        "example": "b7ad6b7169203331",
    },
    "RateLimit": {
        "description": "The remaining requests `r` and the seconds `t` until they are complete again, such as "
        '`"standard";r=5999;t=1`. Absent when a request was refused before it was counted.',
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": 'The limit: `q` requests in `w` seconds, such as `"standard";q=6000;w=60`.',
        "schema": {"type": "string"},
    },
    "ETag": {
        "description": "The version of this representation, for If-None-Match and If-Match.",
        "schema": {"type": "string"},
    },
    "Location": {"description": "Address of the new resource.", "schema": {"type": "string"}},
    "Idempotency-Key": {
        "description": "The key of the request, without quotes; only when one was sent.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    },
    "Idempotency-Replayed": {
        "description": "`true` when this is the response to an earlier request with the same key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Link": {"description": 'The next page, with `rel="next"` (RFC 8288).', "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "format": "int32", "minimum": 0}},
    "WWW-Authenticate": {
        "description": "The authentication scheme and the reason of the error.",
        "schema": {"type": "string"},
    },
}

EVERY_RESPONSE = ("X-Argus-Trace-ID", "X-Argus-Span-ID", "RateLimit", "RateLimit-Policy")
"""Headers of every response."""

PARAMETERS: dict[str, Any] = {
    "traceparent": {
        "name": "traceparent",
        "in": "header",
        "description": "W3C Trace Context: the server continues your trace. A malformed value is ignored.",
        "schema": {"type": "string"},
        "example": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    },
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A key of your own, for instance a UUID: a retry within 24 hours returns the first response. "
        "The response carries the key. The same key with another person, app, path or body returns 422.",
        "schema": {"type": "string", "maxLength": 257, "pattern": r'^("[!#-\[\]-~]{1,255}"|[!#-\[\]-~]{1,255})$'},
        "example": "8b9d8a2e-4a8c-4a7e-8a2e-4a8c4a7e8a2e",
    },
    "X-Tenant-ID": {
        "name": "X-Tenant-ID",
        "in": "header",
        "description": "The tenant of the access token. Another tenant returns 403 `tenant_mismatch`.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 64},
    },
    "If-None-Match": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The ETag of your copy. Returns 304 if it is current.",
        "schema": {"type": "string", "maxLength": 4096},
    },
    "If-Match": {
        "name": "If-Match",
        "in": "header",
        "description": "The ETag of the version that you read. Returns 412 and changes nothing if it has "
        "changed since.",
        "schema": {"type": "string", "maxLength": 4096},
    },
}

REFUSALS: dict[int, str] = {
    400: "The request is malformed. `errors` names the invalid values.",
    401: "The access token is missing or invalid.",
    403: "The access token does not allow this.",
    404: "Not found.",
    409: "Conflicts with the current state.",
    410: "The operation was retired. Its documentation names the successor.",
    413: "The body is too large.",
    415: "The media type of the body is not supported.",
    422: "The request is well-formed, but a value is not valid here.",
    429: "Too many requests. Wait for the seconds in Retry-After.",
    500: "An error in the service. It was recorded: quote the trace id to support.",
    503: "Temporarily unavailable. Retry after Retry-After.",
}
"""Error responses by status that all routes share. A route's own `responses` replace them."""

REFUSAL_HEADERS: dict[int, tuple[str, ...]] = {
    401: ("WWW-Authenticate",),
    403: (),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
