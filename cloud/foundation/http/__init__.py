"""HTTP mechanism that every slice's routes share: rows, requests, answers, errors and the pipeline between them.

A slice imports from here: `Route`, `Scopes`, `Request`, the answers, `Query` models and the errors. Its `routes.py`
offers `routes(parts: Parts) -> tuple[Route, ...]`, which `cloud/surface.py` collects.
"""

from cloud.foundation.http.answer import Answer, Created, Json, NoContent, Octets, Text, strong_etag
from cloud.foundation.http.cursors import Cursors
from cloud.foundation.http.errors import InvalidCursor, InvalidToken, NotFound, OAuthError, Refused, WrongEnvironment
from cloud.foundation.http.host import EVERY_HOST, Bases, Host
from cloud.foundation.http.idempotency import Once
from cloud.foundation.http.query import Limit, Paged, Query
from cloud.foundation.http.request import Caller, Request
from cloud.foundation.http.route import (
    ANY_TOKEN,
    CLIENT_AUTHENTICATED,
    PUBLIC,
    Access,
    Audience,
    BodyKind,
    Handler,
    RateClass,
    Route,
    Scopes,
    Stability,
)
from cloud.foundation.http.trace import TraceContext, begin_trace
from cloud.foundation.http.verifier import NullVerifier, TokenVerifier

__all__ = [
    "ANY_TOKEN",
    "CLIENT_AUTHENTICATED",
    "EVERY_HOST",
    "PUBLIC",
    "Access",
    "Answer",
    "Audience",
    "Bases",
    "BodyKind",
    "Caller",
    "Created",
    "Cursors",
    "Handler",
    "Host",
    "InvalidCursor",
    "InvalidToken",
    "Json",
    "Limit",
    "NoContent",
    "NotFound",
    "NullVerifier",
    "OAuthError",
    "Octets",
    "Once",
    "Paged",
    "Query",
    "RateClass",
    "Refused",
    "Request",
    "Route",
    "Scopes",
    "Stability",
    "Text",
    "TokenVerifier",
    "TraceContext",
    "WrongEnvironment",
    "begin_trace",
    "strong_etag",
]
