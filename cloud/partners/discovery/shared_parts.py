"""Parts of the OpenAPI document that many operations share: headers, parameters, refusals, chapters."""

from typing import Any

CONTRACT_LABEL = "v2026.4"
CONTRACT_VERSION = "2026.4.0"
OPENAPI_VERSION = "3.1.0"
TITLE = "Argus External API"
DESCRIPTION = """\
The stable contract for external integrations. Platform internals, administrative routes, the GraphQL schema and \
capabilities that need an approval are not part of it.

Every answer carries `X-Argus-Trace-ID` and `X-Argus-Span-ID`: name the first when you ask for support. Refusals are \
problem documents (RFC 9457) with a stable `code`; those of the token endpoint follow RFC 6749. What belongs to \
another tenant or organisation is answered exactly as what does not exist."""

LICENSE = {"name": "By integration agreement", "identifier": "LicenseRef-Argus-Integration"}

TAGS: dict[str, str] = {
    "Authentication": "Access tokens for machines and on behalf of people, and the public keys that verify them.",
    "Apps": "Register an integration, look at the scopes that it may ask for, and govern it.",
    "Webhooks": "Subscriptions to events, and what became of each delivery.",
    "GraphQL": "The shared GraphQL transport; operations are agreed with each partner.",
    "ePCR": "Electronic patient care records: encounters as partners see them.",
    "Devices": "IEEE 11073 medical devices and what they measure.",
    "Observability": "Traces of your own requests.",
    "Jobs": "Work that takes longer than a request.",
    "Sandbox": "The same surface over made-up data.",
    "Provenance": "Signed transcripts of what happened to a piece of evidence.",
    "Discovery": "Documents about this interface, for machines.",
}
"""Chapters of the document. A row's `tag` is one of these."""

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "Why a request could not be done (RFC 9457).",
    "required": ["type", "title", "status", "code", "trace_id"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "Address of a page about this kind of problem."},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What to do, in a sentence."},
        "instance": {"type": "string"},
        "code": {"type": "string", "description": "Stable; programs should look at this and at nothing else."},
        "trace_id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
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
        "description": "The trace that this request belongs to.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        "example": "0af7651916cd43dd8448eb211c80319c",
    },
    "X-Argus-Span-ID": {
        "description": "Our own span in it.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
        "example": "b7ad6b7169203331",
    },
    "ETag": {
        "description": "The version of this representation; send it back as If-None-Match.",
        "schema": {"type": "string"},
    },
    "Location": {"description": "Where the new thing can be read.", "schema": {"type": "string"}},
    "Idempotency-Key": {
        "description": "The key of the request, without quotes; only when one was sent.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    },
    "Idempotency-Replayed": {
        "description": "`true` when this is the response to an earlier request with the same key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Link": {"description": 'The next page, with `rel="next"` (RFC 8288).', "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}},
    "WWW-Authenticate": {"description": "What is wrong with the credentials.", "schema": {"type": "string"}},
}

PARAMETERS: dict[str, Any] = {
    "traceparent": {
        "name": "traceparent",
        "in": "header",
        "description": "W3C Trace Context: your own trace goes on in ours. What is malformed is ignored.",
        "schema": {"type": "string"},
        "example": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    },
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A key of your own (a UUID, say): within 24 hours a retry gets the first response again. "
        "The response carries the key. Another person, app, path or body with the same key gets 422.",
        "schema": {"type": "string", "pattern": r'^("[!#-\[\]-~]{1,255}"|[!#-\[\]-~]{1,255})$'},
        "example": "8b9d8a2e-4a8c-4a7e-8a2e-4a8c4a7e8a2e",
    },
    "If-None-Match": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The ETag of what you have; 304 when it is still the newest.",
        "schema": {"type": "string"},
    },
}

REFUSALS: dict[int, str] = {
    400: "The request cannot be read or breaks a rule that the detail names.",
    401: "The access token is missing or not valid.",
    403: "The access token does not allow this.",
    404: "There is nothing here that you may see.",
    409: "The state of things is against it.",
    413: "The body is too large.",
    415: "The body has another media type than this address reads.",
    422: "The request is well-formed, and what it says cannot be.",
    429: "Too many requests; wait as long as Retry-After says.",
    503: "Not possible at the moment; try again as Retry-After says.",
}
"""Refusals by status, as components. What only a row can say stands in its `answers`."""

REFUSAL_HEADERS: dict[int, tuple[str, ...]] = {
    401: ("WWW-Authenticate",),
    403: (),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
