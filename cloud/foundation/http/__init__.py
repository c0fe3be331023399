"""HTTP mechanisms that all slices share: routes, requests, responses, errors and the request pipeline.

`cloud/surface.py` collects the routes that each slice's `routes(parts: Parts) -> tuple[Route, ...]` returns.
"""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.foundation.http.admission import Admission, Quotas
    from cloud.foundation.http.aiohttp_internals import listening_server
    from cloud.foundation.http.cursors import Cursors
    from cloud.foundation.http.data_schema import DataSchema
    from cloud.foundation.http.errors import (
        BodyMalformed,
        IdempotencyKeyInFlight,
        InsufficientScope,
        InvalidCursor,
        InvalidToken,
        NotFound,
        OAuthError,
        OrganizationRequired,
        PreconditionFailed,
        QueryMalformed,
        Refused,
        TooManyRequests,
        WrongEnvironment,
    )
    from cloud.foundation.http.host import EVERY_HOST, Bases, Host
    from cloud.foundation.http.idempotency import IdempotentReply
    from cloud.foundation.http.listing import listed, table_of
    from cloud.foundation.http.media_types import prefers
    from cloud.foundation.http.observer import Observer
    from cloud.foundation.http.paging import Listing, ReadRows, filters_of, link_to_next
    from cloud.foundation.http.parts import Parts
    from cloud.foundation.http.pipeline import Pipeline
    from cloud.foundation.http.problem import catalogue, headers_of, oauth_code, slug, title
    from cloud.foundation.http.query import (
        Cursor,
        Limit,
        MomentText,
        Paged,
        Query,
        limit_up_to,
        mistakes_of,
        read_all_pairs,
        summary,
        whole_up_to,
    )
    from cloud.foundation.http.rates import BucketLimiter, Policy, RateLimiter, address_class
    from cloud.foundation.http.request import NEVER_AN_ID, Caller, Request
    from cloud.foundation.http.response import Created, Json, NoContent, Response, Streamed, strong_etag
    from cloud.foundation.http.route import (
        ANY_TOKEN,
        CLIENT_AUTHENTICATED,
        PUBLIC,
        TOKEN_OPTIONAL,
        Access,
        Audience,
        BodyKind,
        Handler,
        RateClass,
        RefusalPage,
        Route,
        Scopes,
        Stability,
    )
    from cloud.foundation.http.route_errors import error_codes
    from cloud.foundation.http.server import ACCEPTED_S, SHUTDOWN_S, EdgeServer, connections_allowed
    from cloud.foundation.http.settings import HostSection, HostsSection, HttpSection, bases_of
    from cloud.foundation.http.shared_rates import SharedLimiter
    from cloud.foundation.http.site import DEPRECATIONS_PATH, HostRouter, Site, is_loopback
    from cloud.foundation.http.strict_json import read_json
    from cloud.foundation.http.table import DOTTED, IDENTIFIER
    from cloud.foundation.http.tables import idempotency_keys
    from cloud.foundation.http.verifier import TokenVerifier
    from cloud.foundation.trace import begin_trace
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(
    package=__name__,
    jobs="jobs:jobs",
    retention="jobs:KINDS",
    tables="tables",
    settings={"hosts": "settings:HostsSection", "http": "settings:HttpSection"},
)
