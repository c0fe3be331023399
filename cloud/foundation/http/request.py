"""The request that a handler gets: its checked parts and its caller.

Everything here is checked: path parameters have the form of ids, the row's models have validated the query and the
body, and the verified token identifies the caller. The connection stays inside `cloud/foundation/http`.
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
"""The value of a path parameter that cannot be an id: no id has this character, so every store returns "absent"
(A-015)."""


class RouteName(Protocol):
    """The facts about its row that a handler may need."""

    @property
    def method(self) -> str: ...

    @property
    def path(self) -> str:
        """The path with its parameters in braces."""
        ...

    @property
    def name(self) -> str:
        """Method and path template."""
        ...


@stream_value
class Caller:
    """The verified claims of a token. One is made for each verified token, so it is not a frozen dataclass."""

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
    """One request. `body` and `query` are instances of the row's models, None where the row has none."""

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
    """The client's address (that of the first untrusted hop); for limits and audit only."""

    @property
    def viewer(self) -> Viewer:
        """The viewer, for every store. Only on routes that need a token."""
        assert self.caller is not None, "a route that reads a tenant's data needs a token"
        return self.caller.viewer

    @property
    def actor(self) -> Actor:
        """The caller as the actor of a change, with this request's trace. Only on routes that need a token."""
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
        """The caller, on routes that need a token."""
        assert self.caller is not None, "this route needs a token"
        return self.caller

    def require_match(self, etag: str) -> None:
        """Raise `PreconditionFailed` when If-Match names other versions than `etag` (RFC 9110 §13.1.1)."""
        if self.if_match is None or self.if_match.strip() == "*":
            return
        # Strong comparison: a weak tag never matches.
        if etag not in [tag.strip() for tag in self.if_match.split(",")]:
            raise PreconditionFailed
