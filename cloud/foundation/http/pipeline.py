"""The path of every request. The checks have the contract's order of refusals (design D13, contract matrix A-005).

Host → route → method → limit of the address → token → environment and tenant → limit of the client → scope →
organisation → query → body → the handler, which checks objects and their states.

The limit of the client is checked after the token, which identifies the client, and before the scope, so that 403 and
400 responses count too. A wrong token counts against the sender's address before anything is looked up, so a flood of
wrong tokens discloses nothing (contract matrix S-192). Scopes are checked before any object is read, so the difference
between 403 and 404 discloses nothing.
"""

import asyncio
import time
from collections.abc import Mapping

import structlog

from cloud.foundation.clock import Clock
from cloud.foundation.errors import DomainError
from cloud.foundation.http.admission import Admission, Admitted
from cloud.foundation.http.conditional import conditional
from cloud.foundation.http.contents import read_body
from cloud.foundation.http.errors import (
    HeaderMalformed,
    HeadersTooLarge,
    MethodNotAllowed,
    Misdirected,
    NotFound,
    Sunset,
    TookTooLong,
    TooManyRequests,
    Unreadable,
)
from cloud.foundation.http.heads import HEAD_BYTES_MAX
from cloud.foundation.http.idempotency import IdempotentReply, Sender, fingerprint, read_key
from cloud.foundation.http.incoming_request import BODY_BYTES_MAX, IncomingRequest
from cloud.foundation.http.observer import NullObserver, Observer
from cloud.foundation.http.problem import as_domain_error, oauth_error, problem
from cloud.foundation.http.query import read_all_pairs, read_query
from cloud.foundation.http.request import Caller, Request
from cloud.foundation.http.response import Response, Streamed
from cloud.foundation.http.route import RateClass
from cloud.foundation.http.site import Endpoint, HostRouter, Site, allowed_methods
from cloud.foundation.http.streaming import Streams
from cloud.foundation.http.wire import NO_HOST_HEADERS, Reply, render
from cloud.foundation.trace import CURRENT, LocalRoot, TraceContext, begin_trace
from cloud.foundation.tracing import Spans

log = structlog.get_logger()

HANDLER_S_MAX = 30.0
"""A handler that exceeds this time is cancelled, and its transaction is rolled back."""
CONDITION_LENGTH_MAX = 4096
"""Limit of `If-Match` and `If-None-Match` each: enough for a hundred versions, and a client has few."""
INSTANCE_LENGTH_MAX = 256
"""Characters of the path in a problem document: longer than any path of ours."""


class _Exchange:
    """One request in the pipeline, with the facts that its response, span and log line need."""

    __slots__ = ("admitted", "endpoint", "error", "idempotency_key", "path", "query", "request", "site", "trace")

    def __init__(self, request: IncomingRequest, router: HostRouter) -> None:
        headers = request.headers
        # Two traceparent headers count as none, since neither can be preferred.
        parents = headers.getall("traceparent", ())
        self.trace: TraceContext = begin_trace(parents[0] if len(parents) == 1 else None)
        self.request = request
        path, _, self.query = request.target.partition("?")
        authority = headers.get("Host", "")
        if not path.startswith("/"):
            authority, path = _split_absolute(path, authority)
        self.path = path
        self.site: Site | None = router.find_site(authority)
        self.endpoint: Endpoint | None = None
        self.admitted: Admitted | None = None
        self.idempotency_key: str | None = None
        self.error: DomainError | None = None

    @property
    def host(self) -> str:
        return "-" if self.site is None else self.site.host.value

    @property
    def caller(self) -> Caller | None:
        return None if self.admitted is None else self.admitted.caller


class Pipeline:
    """Processes the requests to one listening address. Without `spans` or `observer`, no span or count is recorded."""

    def __init__(
        self,
        router: HostRouter,
        admission: Admission,
        clock: Clock,
        spans: Spans | None,
        observer: Observer | None = None,
    ) -> None:
        self.router = router
        self.types_at = admission.types_at
        """Address of the pages of problem types, for responses that belong to no host."""
        self._admission = admission
        self._clock = clock
        self._spans = spans
        self.observer = observer or NullObserver()
        self._streams = Streams()
        self.draining = False
        """If true, every response ends its connection, because the process is stopping."""

    async def serve(self, request: IncomingRequest) -> Reply:
        """Return the response to a request, also for every error. Only a cancellation is raised."""
        began_s, began_us = time.perf_counter(), self._clock.now_us()
        exchange = _Exchange(request, self.router)
        root = None if self._spans is None else LocalRoot(exchange.trace, began_us)
        CURRENT.set(root)
        self.observer.request_began(exchange.host)
        try:
            response = await self._respond(exchange)
        except Exception as error:
            response = self._refuse(exchange, error)
        reply = self._render(exchange, response)
        endpoint = exchange.endpoint
        path = None if endpoint is None else endpoint.route.path
        self.observer.request_ended(exchange.host, request.method, path, response.status, time.perf_counter() - began_s)
        CURRENT.set(None)
        if root is not None:
            self._record_span(exchange, response.status, root)
        return reply

    async def _respond(self, exchange: _Exchange) -> Response:
        request, site = exchange.request, exchange.site
        if request.versionless:
            raise Unreadable
        if request.head_bytes > HEAD_BYTES_MAX:
            request.close = True
            raise HeadersTooLarge
        if site is None:
            raise Misdirected
        found = site.table.find(exchange.path)
        if found is None:
            self._admission.charge_unrouted(request)
            raise NotFound
        methods, parameters = found
        endpoint = methods.get("GET" if request.method == "HEAD" else request.method)
        if endpoint is None:
            self._admission.charge_unrouted(request)
            return self._respond_to_preflight(exchange, methods)
        exchange.endpoint = endpoint
        if endpoint.sunset_us is not None and self._clock.now_us() >= endpoint.sunset_us:
            raise Sunset
        exchange.admitted = await self._admission.admit(request, endpoint)
        refusal = exchange.admitted.refusal
        if isinstance(refusal, NotFound):  # of a concealed route: nothing of the response may differ from an absent one
            exchange.endpoint = exchange.admitted = None
        if refusal is not None:
            raise refusal
        checked = await self._check_contents(exchange, endpoint, parameters)
        try:
            async with asyncio.timeout(HANDLER_S_MAX):
                response = await endpoint.route.handler(checked)
        except TimeoutError:
            raise TookTooLong from None
        if endpoint.authenticates_client and response.status == 401:
            self._admission.count_wrong_secret(request)
        response = conditional(response, request.method, checked.if_none_match)
        if isinstance(response, Streamed) and request.method != "HEAD":  # the responses that take a stream
            self._streams.check_room(response.tenant_id)
        return response

    def _respond_to_preflight(self, exchange: _Exchange, methods: Mapping[str, Endpoint]) -> Response:
        """Respond to a CORS preflight for a public document. Raises `MethodNotAllowed` for any other request, and
        `NotFound` for a concealed path."""
        if all(one.route.concealed for one in methods.values()):
            raise NotFound
        allowed, request = allowed_methods(methods), exchange.request
        public = next((one for one in methods.values() if one.route.open_to_browsers), None)
        if public is None or request.method != "OPTIONS" or "Origin" not in request.headers:
            raise MethodNotAllowed(headers={"Allow": allowed})
        exchange.endpoint = public
        permitted = {
            "Access-Control-Allow-Methods": allowed,
            "Access-Control-Allow-Headers": "If-None-Match, traceparent",
            "Access-Control-Max-Age": "86400",
        }
        return Response(204, headers=permitted)

    async def _check_contents(self, exchange: _Exchange, endpoint: Endpoint, parameters: Mapping[str, str]) -> Request:
        """Read and check the idempotency key, the query and the body; return the request for the handler."""
        request, route, caller = exchange.request, endpoint.route, exchange.caller
        key = None
        if route.idempotent and "Idempotency-Key" in request.headers:
            given = request.headers.getall("Idempotency-Key")
            key = exchange.idempotency_key = read_key(given[0] if len(given) == 1 else "")
        query = read_all_pairs(exchange.query) if route.query_as_sent else read_query(exchange.query, route.query)
        raw, document, body = b"", None, None
        if route.reads_body:
            raw = await request.body(route.body_bytes_max or BODY_BYTES_MAX)
            document, body = read_body(raw, request.headers, route)
        request_fingerprint = b""
        if key is not None and caller is not None:
            target = exchange.path if not exchange.query else f"{exchange.path}?{exchange.query}"
            sender = Sender(caller.viewer.organization_id, caller.client_id, caller.subject)
            request_fingerprint = fingerprint(sender, route.method, target, document)
        tenant_id = "" if caller is None else caller.viewer.tenant_id
        return Request(
            route=route,
            host=endpoint.site.host,
            path=parameters,
            query=query,
            headers=request.headers,
            body=body,
            raw_body=raw,
            caller=caller,
            trace=exchange.trace,
            idempotent_reply=IdempotentReply(tenant_id, key, request_fingerprint, self._clock),
            if_match=_join_header(request, "If-Match"),
            if_none_match=_join_header(request, "If-None-Match"),
            address=self._admission.address_of(request),
        )

    def _refuse(self, exchange: _Exchange, raised: Exception) -> Response:
        error = exchange.error = as_domain_error(raised)
        endpoint = exchange.endpoint
        if isinstance(error, TooManyRequests):
            rate_class = RateClass.PUBLIC if endpoint is None else endpoint.route.rate_class
            self.observer.rate_limited(exchange.host, rate_class.value)
        if endpoint is not None and endpoint.authenticates_client and error.status == 401:
            self._admission.count_wrong_secret(exchange.request)
        response = self._render_error(exchange, error)
        if response.status >= 500:
            log.warning(
                "request.failed",
                route=None if endpoint is None else endpoint.route.name,
                code=error.code,
                error=type(raised).__name__,
                trace=exchange.trace.trace_id,
                # For an unexpected error: where it was raised, never its text.
                at=None if error is raised else _raised_at(raised),
            )
        return response

    def _render_error(self, exchange: _Exchange, error: DomainError) -> Response:
        """Return an error in the form of its route: an OAuth document (RFC 6749), a page, or a problem document."""
        site, route = exchange.site, None if exchange.endpoint is None else exchange.endpoint.route
        types_at = self.types_at if site is None else site.types_at
        if route is not None and route.oauth_errors:
            return oauth_error(error, types_at=types_at)
        make_page = route.refusal_page if route is not None else None if site is None else site.absent_page
        page = None if make_page is None else make_page(error, exchange.request.headers)
        if page is not None:
            return page
        instance = exchange.path[:INSTANCE_LENGTH_MAX]
        return problem(error, types_at=types_at, instance=instance, trace_id=exchange.trace.trace_id)

    def _render(self, exchange: _Exchange, response: Response) -> Reply:
        request, source = exchange.request, exchange.endpoint or exchange.site
        constant = NO_HOST_HEADERS if source is None else source.constant
        more = ""
        if exchange.admitted is not None:
            limits = exchange.admitted.limits
            more = "".join(f"{name}: {value}\r\n" for name, value in limits.items() if name not in response.headers)
        if exchange.idempotency_key is not None:
            more += f"Idempotency-Key: {exchange.idempotency_key}\r\n"
        # The pipeline does not wait for a body that the route does not read, since a slow sender would take the place
        # of another client. The connection ends, because the rest of the body would be read as the next request.
        # CONNECT requests a tunnel, which the client does not get.
        close = (
            request.close
            or self.draining
            or request.connection.ending
            or not request.payload.is_eof()
            or request.method == "CONNECT"
        )
        head_only, chunked = request.method == "HEAD", request.version_1_1
        rendered = render(response, exchange.trace, constant, more, head_only=head_only, close=close, chunked=chunked)
        if isinstance(response, Streamed) and not head_only:
            return self._streams.reply(rendered, response, request.connection, close=close, chunked=chunked)
        return Reply(rendered, request.connection, close=close)

    def _record_span(self, exchange: _Exchange, status: int, root: LocalRoot) -> None:
        """Record a request's span, with those within it, in the tenant of the caller. A request without a tenant gets
        no span, since no caller could find the span."""
        caller, endpoint = exchange.caller, exchange.endpoint
        if caller is None or endpoint is None or self._spans is None:
            return
        route = endpoint.route
        attributes = {
            "http.request.method": exchange.request.method,
            "http.route": route.path,
            "http.response.status_code": status,
            "server.host": endpoint.site.host.value,
        }
        if exchange.error is not None:
            attributes["error.type"] = exchange.error.code
        elif root.error_type is not None:
            attributes["error.type"] = root.error_type
        failed = status >= 500 or root.error_type is not None
        self._spans.end(root, self._clock, caller.viewer.tenant_id, route.name, "server", attributes, failed=failed)


def _split_absolute(target: str, authority: str) -> tuple[str, str]:
    """Return the host and path of a request target in absolute form (RFC 9112 §3.2.2). The host in the target counts
    instead of `authority`, the Host header. For any other target, return `authority` and `target` unchanged."""
    scheme, found, rest = target.partition("://")
    if not found or scheme.lower() not in ("http", "https"):
        return authority, target
    name, slash, path = rest.partition("/")
    return name.rpartition("@")[2], slash + path or "/"


def _join_header(request: IncomingRequest, name: str) -> str | None:
    values = request.headers.getall(name, ())
    if not values:
        return None
    joined = ", ".join(values)
    if len(joined) > CONDITION_LENGTH_MAX:
        raise HeaderMalformed(f"({name} is too long.)")
    return joined


def _raised_at(error: BaseException) -> str:
    """Return the file and line where an error was raised, for the log. They contain none of the request's data."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "?"
    return f"{trace.tb_frame.f_code.co_filename.rpartition('cloud/')[2]}:{trace.tb_lineno}"
