"""The way of every request, in the order that the contract gives to its refusals (D13, A-005).

Host → route → method → limit of the address → token → environment and tenant → limit of the client → scope →
organisation → query → body → the handler with its objects and states.

The client's limit stands right behind the token: only then is it known whose it is, and a flood of 403 or 400 costs the
flooder like any other. Missing and wrong tokens are charged to their address before anything is looked up, so a flood
of them learns nothing, and its signature checks are bounded (S-192). A valid token is never charged for them: it is let
in whatever others at its address did. Scopes are checked before any object is looked at, so 403 against 404 is no
oracle.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog

from cloud.foundation.clock import Clock
from cloud.foundation.errors import DomainError
from cloud.foundation.http.admission import Admission
from cloud.foundation.http.answer import Answer
from cloud.foundation.http.arrival import BODY_OCTETS_MAX, Arrival
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
from cloud.foundation.http.heads import HEAD_OCTETS_MAX
from cloud.foundation.http.idempotency import Once, Sender, fingerprint, read_key
from cloud.foundation.http.problem import as_domain_error, oauth_error, problem
from cloud.foundation.http.query import read_all_pairs, read_query
from cloud.foundation.http.request import Caller, Request
from cloud.foundation.http.route import RateClass
from cloud.foundation.http.site import Endpoint, Gate, Site
from cloud.foundation.http.spans import Span, Spans
from cloud.foundation.http.trace import CURRENT, TraceContext, begin_trace
from cloud.foundation.http.wire import Reply, constant_headers, octets_of

log = structlog.get_logger()

HANDLER_S_MAX = 30.0
"""A handler that is not done after this is cancelled, and its transaction undone."""

_NOWHERE = constant_headers(secure=False, sandbox=False)


class Observer(Protocol):
    """Who counts requests. Called once for each, synchronously."""

    def request_began(self, host: str) -> None: ...

    def request_ended(self, host: str, method: str, route: str | None, status: int, seconds: float) -> None: ...

    def parser_refused(self, status: int) -> None: ...

    def rate_limited(self, host: str, rate_class: str) -> None: ...


class NullObserver:
    """Counts nothing."""

    def request_began(self, host: str) -> None: ...

    def request_ended(self, host: str, method: str, route: str | None, status: int, seconds: float) -> None: ...

    def parser_refused(self, status: int) -> None: ...

    def rate_limited(self, host: str, rate_class: str) -> None: ...


@dataclass(slots=True)
class _Progress:
    """How far a request has come; what its answer, span and log line need."""

    trace: TraceContext
    site: Site | None = None
    endpoint: Endpoint | None = None
    caller: Caller | None = None
    limits: Mapping[str, str] | None = None
    idempotency_key: str | None = None
    error: DomainError | None = None


class Pipeline:
    """Serves the hosts of one listening address."""

    def __init__(
        self, gate: Gate, admission: Admission, clock: Clock, spans: Spans | None, observer: Observer | None = None
    ) -> None:
        self.gate = gate
        self._admission = admission
        self._clock = clock
        self._spans = spans
        self.observer = observer or NullObserver()
        self.draining = False
        """Once true, every answer ends its connection: the process is stopping."""

    async def serve(self, arrival: Arrival) -> Reply:
        """The answer to one request; raises nothing but cancellation."""
        began_s, began_us = time.perf_counter(), self._clock.now_us()
        headers = arrival.headers
        # Two traceparents are none: which of them should be believed?
        parents = headers.getall("traceparent", ())
        progress = _Progress(begin_trace(parents[0] if len(parents) == 1 else None))
        CURRENT.set(progress.trace)
        target, _, query = arrival.target.partition("?")
        authority = headers.get("Host", "")
        if not target.startswith("/"):
            authority, target = _absolute(target, authority)
        site = progress.site = self.gate.site_of(authority)
        host = "-" if site is None else site.host.value
        self.observer.request_began(host)
        try:
            answer = await self._answer(arrival, progress, target, query)
        except Exception as error:
            answer = self._refusal(arrival, progress, error, target)
        reply = self._reply(arrival, progress, answer)
        endpoint = progress.endpoint
        self.observer.request_ended(
            host,
            arrival.method,
            None if endpoint is None else endpoint.route.path,
            answer.status,
            time.perf_counter() - began_s,
        )
        self._remember(arrival, progress, answer.status, began_us)
        return reply

    async def _answer(self, arrival: Arrival, progress: _Progress, path: str, query: str) -> Answer:
        site = progress.site
        if arrival.versionless:
            raise Unreadable
        if arrival.head_bytes > HEAD_OCTETS_MAX:
            arrival.close = True
            raise HeadersTooLarge
        if site is None:
            raise Misdirected
        found = site.table.find(path)
        if found is None:
            self._admission.stranger(arrival, progress)
            raise NotFound
        methods, parameters = found
        endpoint = methods.get("GET" if arrival.method == "HEAD" else arrival.method)
        if endpoint is None:
            self._admission.stranger(arrival, progress)
            return self._no_such_method(arrival, progress, methods)
        progress.endpoint = endpoint
        route = endpoint.route
        if endpoint.sunset_us is not None and self._clock.now_us() >= endpoint.sunset_us:
            raise Sunset
        await self._admission.admit(arrival, endpoint, progress)
        request = await self._request(arrival, endpoint, progress, parameters, path, query)
        try:
            async with asyncio.timeout(HANDLER_S_MAX):
                answer = await route.handler(request)
        except TimeoutError:
            raise TookTooLong from None
        if endpoint.authenticates_client and answer.status == 401:
            self._admission.count_wrong_secret(arrival)
        return conditional(answer, arrival.method, request.if_none_match)

    def _no_such_method(self, arrival: Arrival, progress: _Progress, methods: Mapping[str, Endpoint]) -> Answer:
        allowed = {*methods, *(("HEAD",) if "GET" in methods else ())}
        public = next((one for one in methods.values() if one.route.open_to_browsers), None)
        if arrival.method == "OPTIONS" and public is not None and "Origin" in arrival.headers:
            progress.endpoint = public
            asked = {
                "Access-Control-Allow-Methods": ", ".join(sorted(allowed)),
                "Access-Control-Allow-Headers": "If-None-Match, traceparent",
                "Access-Control-Max-Age": "86400",
            }
            return Answer(204, headers=asked)
        progress.endpoint = None
        raise MethodNotAllowed(headers={"Allow": ", ".join(sorted(allowed))})

    async def _request(
        self,
        arrival: Arrival,
        endpoint: Endpoint,
        progress: _Progress,
        parameters: Mapping[str, str],
        path: str,
        query: str,
    ) -> Request:
        route, caller, headers = endpoint.route, progress.caller, arrival.headers
        key = None
        if route.idempotent and "Idempotency-Key" in headers:
            given = headers.getall("Idempotency-Key")
            key = progress.idempotency_key = read_key(given[0] if len(given) == 1 else "")
        read = read_all_pairs(query) if route.query_as_sent else read_query(query, route.query)
        octets, document, body = b"", None, None
        if route.body is not None:
            octets = await arrival.body(route.body_octets_max or BODY_OCTETS_MAX)
            document, body = read_body(octets, arrival.headers, route)
        request_fingerprint = b""
        if key is not None and caller is not None:
            target = path if not query else f"{path}?{query}"
            sender = Sender(caller.viewer.organization_id, caller.client_id, caller.subject)
            request_fingerprint = fingerprint(sender, route.method, target, document)
        return Request(
            route=route,
            host=endpoint.site.host,
            path=parameters,
            query=read,
            headers=headers,
            body=body,
            body_octets=octets,
            caller=caller,
            trace=progress.trace,
            once=Once("" if caller is None else caller.viewer.tenant_id, key, request_fingerprint, self._clock),
            if_match=_joined(arrival, "If-Match"),
            if_none_match=_joined(arrival, "If-None-Match"),
            address=self._admission.address_of(arrival),
        )

    def _refusal(self, arrival: Arrival, progress: _Progress, error: Exception, path: str) -> Answer:
        shown = progress.error = as_domain_error(error)
        endpoint, site = progress.endpoint, progress.site
        if isinstance(shown, TooManyRequests):
            rate_class = RateClass.PUBLIC if endpoint is None else endpoint.route.rate_class
            self.observer.rate_limited("-" if site is None else site.host.value, rate_class.value)
        if endpoint is not None and endpoint.authenticates_client and shown.status == 401:
            self._admission.count_wrong_secret(arrival)
        answer = self._rendered(arrival, progress, shown, path)
        if answer.status >= 500:
            log.warning(
                "request.failed",
                route=None if endpoint is None else endpoint.route.name,
                code=shown.code,
                error=type(error).__name__,
                trace=progress.trace.trace_id,
                # Of an error that is no refusal of ours: where it was raised, never what it says.
                at=None if shown is error else _place_of(error),
            )
        return answer

    def _rendered(self, arrival: Arrival, progress: _Progress, error: DomainError, path: str) -> Answer:
        """The error in the form of its row: OAuth, a page, or a problem document."""
        endpoint, site = progress.endpoint, progress.site
        types_at = self.types_at if site is None else site.types_at
        if endpoint is not None:
            if endpoint.route.oauth_errors:
                return oauth_error(error, types_at=types_at)
            if endpoint.route.refusal_page is not None:
                return endpoint.route.refusal_page(error, arrival.headers)
        return problem(error, types_at=types_at, instance=path[:256], trace_id=progress.trace.trace_id)

    @property
    def types_at(self) -> str:
        """Where problem types are explained, for what belongs to no host."""
        return self._admission.types_at

    def _reply(self, arrival: Arrival, progress: _Progress, answer: Answer) -> Reply:
        source = progress.endpoint or progress.site
        constant = _NOWHERE if source is None else source.constant
        limits = progress.limits
        more = ""
        if limits is not None:
            more = "".join(f"{name}: {value}\r\n" for name, value in limits.items() if name not in answer.headers)
        if progress.idempotency_key is not None:
            more += f"Idempotency-Key: {progress.idempotency_key}\r\n"
        # A body that the row does not want is not waited for, or a slow sender would hold the place of another client;
        # what is left of it would be taken for the next request. CONNECT asks for a tunnel that it does not get.
        close = (
            arrival.close
            or self.draining
            or arrival.protocol.ending
            or not arrival.payload.is_eof()
            or arrival.method == "CONNECT"
        )
        octets = octets_of(answer, progress.trace, constant, more, head_only=arrival.method == "HEAD", close=close)
        return Reply(octets, arrival.protocol, close=close)

    def _remember(self, arrival: Arrival, progress: _Progress, status: int, began_us: int) -> None:
        caller, endpoint = progress.caller, progress.endpoint
        if caller is None or endpoint is None or self._spans is None:
            return  # a span belongs to a tenant; without one nobody could ever look it up
        trace, route, error = progress.trace, endpoint.route, progress.error
        attributes = {
            "http.request.method": arrival.method,
            "http.route": route.path,
            "http.response.status_code": status,
            "server.host": endpoint.site.host.value,
        }
        if error is not None:
            attributes["error.type"] = error.code
        self._spans.record(
            Span(
                caller.viewer.tenant_id,
                trace.trace_id,
                trace.span_id,
                trace.parent_span_id,
                route.name,
                "server",
                began_us,
                self._clock.now_us(),
                "error" if status >= 500 else "ok",
                attributes,
            )
        )


def _absolute(target: str, authority: str) -> tuple[str, str]:
    """Authority and path of a target in absolute form, whose host counts before the Host header (RFC 9112 §3.2.2)."""
    scheme, found, rest = target.partition("://")
    if not found or scheme.lower() not in ("http", "https"):
        return authority, target
    name, slash, path = rest.partition("/")
    return name.rpartition("@")[2], slash + path or "/"


def _joined(arrival: Arrival, name: str) -> str | None:
    values = arrival.headers.getall(name, ())
    if not values:
        return None
    joined = ", ".join(values)
    if len(joined) > 4096:
        raise HeaderMalformed(f"({name} is too long.)")
    return joined


def _place_of(error: BaseException) -> str:
    """File and line that raised it: enough to find it, and no word of what it was working on."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "?"
    return f"{trace.tb_frame.f_code.co_filename.rpartition('cloud/')[2]}:{trace.tb_lineno}"
