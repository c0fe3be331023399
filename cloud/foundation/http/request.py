"""The request that a handler gets, and its caller.

All of it is checked: path parameters have the form of ids, the models of the route have validated the query and the
body, and the token that identifies the caller is verified. The connection is not visible outside
`cloud/foundation/http`.
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
"""Replaces a path parameter that cannot be an id. No id has this character, so no store finds it (contract matrix
A-015)."""


class RouteName(Protocol):
    """The facts about its route that a handler may need."""

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
    """The verified claims of a token.

    It is not a frozen dataclass, because one object is made for each verified token, and this class is cheaper to make.
    """

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
    """A checked request, as its handler gets it.

    `body` and `query` are instances of the route's models, None where the route has no model. `caller` is None on a
    route without a token.
    """

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
        """The rows that the caller may read, for every store. Only on routes that need a token."""
        assert self.caller is not None, "a route that reads a tenant's data needs a token"
        return self.caller.viewer

    @property
    def actor(self) -> Actor:
        """The caller as the actor of a change, with the trace of this request. Only on routes that need a token."""
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
        """The caller. Only on routes that need a token."""
        assert self.caller is not None, "this route needs a token"
        return self.caller

    def require_match(self, etag: str) -> None:
        """Raise `PreconditionFailed` if the request has an If-Match that does not name `etag` (RFC 9110 §13.1.1)."""
        if self.if_match is None or self.if_match.strip() == "*":
            return
        # Strong comparison: a weak tag never matches.
        if etag not in [tag.strip() for tag in self.if_match.split(",")]:
            raise PreconditionFailed
