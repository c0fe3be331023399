"""The request that a handler gets, and its caller.

Path parameters have the form of ids, the query and the body are valid for the route, and the token is verified.
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Protocol

from multidict import CIMultiDictProxy

from cloud.foundation.http.errors import PreconditionFailed
from cloud.foundation.http.host import Host
from cloud.foundation.http.idempotency import IdempotentReply
from cloud.foundation.trace import TraceContext
from cloud.foundation.viewer import Actor, Viewer
from protocols.stream_value import stream_value

NEVER_AN_ID = "~"
"""Replaces a path parameter that cannot be an id, so that no store finds it (contract matrix A-015)."""


class RouteName(Protocol):
    """The facts about a route that its handler may need."""

    @property
    def method(self) -> str: ...

    @property
    def path(self) -> str:
        """The path template, with parameters in braces."""
        ...

    @property
    def name(self) -> str:
        """The method and the path template, such as `GET /api/v1/devices/{deviceId}`."""
        ...


@stream_value
class Caller:
    """The verified claims of a token. The decorator `stream_value` is used because a frozen dataclass is slower to
    create."""

    _: KW_ONLY
    subject: str
    client_id: str
    token_use: str
    """`access`, `service` or `sandbox`."""
    scopes: frozenset[str]
    viewer: Viewer
    jti: str
    expires_at_us: int


@dataclass(slots=True, kw_only=True)
class Request:
    """A checked request, as its handler gets it. `body` and `query` are instances of the route's models, None where the
    route has no model. `caller` is None on a route without a token."""

    route: RouteName
    host: Host
    path: Mapping[str, str]
    query: Any
    headers: CIMultiDictProxy[str]
    body: Any
    raw_body: bytes
    """The body as received, for signatures and hashes."""
    caller: Caller | None
    trace: TraceContext
    idempotent_reply: IdempotentReply
    """The request's Idempotency-Key, to be used inside the change's transaction; without a key it does nothing."""
    if_match: str | None
    if_none_match: str | None
    address: str
    """The client's address: the first one that is not a trusted proxy's. For limits and audit only."""

    @property
    def viewer(self) -> Viewer:
        """The caller as a viewer, by which stores select the rows that the caller may read. Use it only on a route that
        needs a token."""
        assert self.caller is not None, "a route that reads a tenant's data needs a token"
        return self.caller.viewer

    @property
    def actor(self) -> Actor:
        """The caller as the actor of a change, with this request's trace. Use it only on a route that needs a token."""
        caller = self.verified
        viewer = caller.viewer
        return Actor(
            viewer.tenant_id,
            viewer.organization_id,
            viewer.clearance,
            subject=caller.subject,
            client_id=caller.client_id,
            trace=self.trace,
        )

    @property
    def verified(self) -> Caller:
        """The verified caller of the request. Use it only on a route that needs a token."""
        assert self.caller is not None, "this route needs a token"
        return self.caller

    def require_match(self, etag: str) -> None:
        """Raise `PreconditionFailed` if the request has an If-Match that does not name `etag` (RFC 9110 §13.1.1)."""
        if self.if_match is None or self.if_match.strip() == "*":
            return
        # Strong comparison: a weak tag never matches.
        if etag not in [tag.strip() for tag in self.if_match.split(",")]:
            raise PreconditionFailed
