"""Routes: one `Route` declares an endpoint's hosts, scopes, limits, life cycle and documentation.

The pipeline, OpenAPI, `argus-cloud routes` and the isolation tests are derived from routes alone. A route without
access rules cannot be made.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from cloud.foundation.errors import DomainError
from cloud.foundation.http.host import Host
from cloud.foundation.http.request import Request
from cloud.foundation.http.response import Response

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

Handler = Callable[[Request], Awaitable[Response]]
RefusalPage = Callable[[DomainError, "CIMultiDictProxy[str]"], Response | None]
"""Returns a refusal as a page for people, from the error and the request's headers; None for the usual document."""

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_PATH = re.compile(r"/|(/([A-Za-z0-9._~-]+|[A-Za-z0-9._~-]*\{[A-Za-z_]+\*?\}[A-Za-z0-9._~-]*))+")


class Access(StrEnum):
    """The way in which callers of a route authenticate."""

    PUBLIC = "public"
    OPTIONAL = "optional"  # public, and a caller with a token may see more
    CLIENT = "client"  # the handler authenticates the client itself, as RFC 6749 requires
    TOKEN = "token"  # noqa: S105  a word, not a secret


@dataclass(frozen=True, slots=True)
class Scopes:
    """The access rule of a route. A token must have at least one of the scopes in `names`; if `names` is empty, no
    scope is needed."""

    access: Access
    names: frozenset[str] = frozenset()

    @classmethod
    def any_of(cls, *names: str) -> "Scopes":
        """Require a token with at least one of these scopes."""
        if not names:
            raise ValueError("name at least one scope; ANY_TOKEN is for a route that needs none")
        return cls(Access.TOKEN, frozenset(names))


PUBLIC = Scopes(Access.PUBLIC)
TOKEN_OPTIONAL = Scopes(Access.OPTIONAL)
CLIENT_AUTHENTICATED = Scopes(Access.CLIENT)
ANY_TOKEN = Scopes(Access.TOKEN)


class RateClass(StrEnum):
    """The class of a route's rate limit. The quota of each class is in `admission.py`."""

    PUBLIC = "public"
    STANDARD = "standard"
    WRITE = "write"
    TOKEN = "token"  # noqa: S105  a word, not a secret
    TEST = "test"  # calls another server
    HEALTH = "health"  # a load balancer's probes must not reach the limit of its address


class Audience(StrEnum):
    """The readers for whom the contract describes an endpoint (contract matrix C-009)."""

    INTEGRATORS = "external-integrators"
    ADMINISTRATORS = "customer-administrators"
    PARTNERS = "strategic-partners"
    OPERATORS = "operators"  # of this installation; never in the public contract


class Stability(StrEnum):
    """The stability of an endpoint, in the contract's words (contract matrix C-010, A-011)."""

    STABLE = "stable"
    ON_REQUEST = "approved-on-request"


class BodyKind(StrEnum):
    """The media type of the request body that a route reads."""

    JSON = "application/json"
    FORM = "application/x-www-form-urlencoded"
    BYTES = "application/octet-stream"  # without a model: the handler reads `raw_body`


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The declaration of an endpoint. `path` has its parameters in braces; `{rest*}` matches the rest of the path."""

    method: str
    path: str
    handler: Handler
    host: Host | tuple[Host, ...]
    scopes: Scopes
    needs_organization: bool = False
    """If true, a token without an organisation gets 403 `organization_required` (contract matrix A-013)."""
    idempotent: bool = False
    """If true, the route accepts `Idempotency-Key`, and its handler uses `request.idempotent_reply`."""
    rate_class: RateClass = RateClass.STANDARD
    body: type[BaseModel] | None = None
    """Model of the body. None: a body is not read (and an empty one is ignored), unless `body_kind` is `BYTES`."""
    body_kind: BodyKind = BodyKind.JSON
    body_as_sent: bool = False
    """If true, the handler reads `raw_body` itself, after the check of the media type, and `body` only documents it."""
    body_optional: bool = False
    """If true, the request may have no body; `request.body` is then None."""
    body_bytes_max: int | None = None
    """Limit of the body, if it differs from the usual mebibyte."""
    path_forms: Mapping[str, str] = field(default_factory=dict)
    """Path parameter → regular expression of its text, for a route that refuses any other text with 400. Others have
    the form of an id."""
    query: type[BaseModel] | None = None
    """Model of the query's parameters; any other parameter is refused. None: the route has no parameters."""
    query_as_sent: bool = False
    """If true, the handler checks the parameters itself (`read_all_pairs`), and `query` only documents them."""
    response: Any = None
    """Type of the body of a success, for OpenAPI: a model, `list[Model]`, or None."""
    response_media_type: str = "application/json"
    other_forms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Media type → JSON Schema of further forms of the body of a success, which `Accept` or the query selects."""
    error_forms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Media type → JSON Schema of further forms of the body of an error, beside the problem document."""
    responses: Mapping[int, str] = field(default_factory=dict)
    """Status → its meaning here, in a sentence."""
    errors: tuple[str, ...] = ()
    """Codes of the errors that the handler returns. Codes that follow from the other fields (`error_codes`) are left
    out."""
    tenant_header: bool = False
    """If true, the OpenAPI document lists `X-Tenant-ID` (contract C-096). Every route with a token compares it."""
    operation_id: str = ""
    summary: str = ""
    description: str = ""
    tag: str = ""
    audience: Audience = Audience.INTEGRATORS
    stability: Stability = Stability.STABLE
    added_in: str = "v2026.4"
    deprecated_on: date | None = None
    sunset_on: date | None = None
    successor: str | None = None
    """Path of the route that replaces this deprecated one."""
    concealed: bool = False
    """If true, a caller without one of its scopes gets the response of an absent route, since the scopes are outside of
    the public catalogue. Without a token the response is 401, as elsewhere."""
    in_contract: bool = True
    """False: an extension or operator route, never in the public OpenAPI."""
    oauth_errors: bool = False
    """If true, refusals are RFC 6749 documents instead of problem documents."""
    refusal_page: RefusalPage | None = None
    """Makes the page of a refusal, for an address that people visit."""
    covers_absent: bool = False
    """If true, `refusal_page` also makes the page for addresses that the route's host does not have."""
    open_to_browsers: bool = False
    """If true, responses have `Access-Control-Allow-Origin: *`; only for public documents (contract matrix A-004)."""
    request_example: Any = None
    """A body, as JSON values or, for `BYTES`, as a text."""
    response_example: Any = None

    def __post_init__(self) -> None:
        if not isinstance(self.scopes, Scopes):
            raise TypeError(f"{self.method} {self.path} does not say who may call it: give it scopes")
        if self.method not in _METHODS:
            raise ValueError(f"{self.method} is not a method that a row can have; HEAD follows from GET")
        if _PATH.fullmatch(self.path) is None or "*" in self.path.rstrip("}*"):
            raise ValueError(f"{self.path!r} is not a path of segments and {{parameters}}")
        if self.open_to_browsers and self.scopes not in (PUBLIC, TOKEN_OPTIONAL):
            raise ValueError(f"{self.path} needs a caller; only public documents are open to browsers")
        if self.sunset_on and not (self.deprecated_on and self.deprecated_on <= self.sunset_on):
            raise ValueError(f"{self.path} ends before it is deprecated")
        if self.body_kind is BodyKind.BYTES and (self.body is not None or self.idempotent):
            raise ValueError(f"{self.path} reads bytes, which have neither a model nor a fingerprint")
        if self.body_as_sent and (self.body is None or self.idempotent):
            raise ValueError(f"{self.path} reads its body itself: document it, and make no fingerprint of it")
        if self.covers_absent and self.refusal_page is None:
            raise ValueError(f"{self.path} has no page for absent addresses")
        if self.concealed and self.in_contract:
            raise ValueError(f"{self.path} is concealed, and so not part of the public contract")
        if self.idempotent and self.method == "GET":
            raise ValueError(f"{self.path}: a GET is idempotent by itself")

    @property
    def reads_body(self) -> bool:
        """True if the route reads the body of a request."""
        return self.body is not None or self.body_kind is BodyKind.BYTES

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The hosts on which the route exists."""
        return (self.host,) if isinstance(self.host, Host) else self.host

    @property
    def name(self) -> str:
        """The method and the path template. It names the route in logs, spans and metrics, and never contains an id."""
        return f"{self.method} {self.path}"
