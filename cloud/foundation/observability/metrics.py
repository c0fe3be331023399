"""Metrics for Prometheus, declared in one list and offered on a separate listener.

The listener is separate because metrics describe the business of all tenants and must not be reachable through a public
host name. Labels come from closed sets (hosts, path templates, statuses), never from a request's path or ids, so labels
contain no patient data and an attacker cannot increase their number.
"""

from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder

from cloud.foundation.errors import DomainError, PrivateError
from cloud.foundation.settings import Address

log = structlog.get_logger()

# From a cached read (under a millisecond) to the handler's limit (30 s); finer where most responses are.
SECONDS_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0)

UNROUTED = "-"
"""The route label of a request that matches no route: the path that the caller sent must not become a label."""


class Kind(StrEnum):
    """The type of a Prometheus metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Figure(NamedTuple):
    """The declaration of a metric. `name` ends with the unit, as Prometheus requires; `meaning` is its help text."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str


HTTP_REQUESTS = Figure(
    "argus_http_requests_total", Kind.COUNTER, ("host", "method", "route", "status"), "Answers given, by route."
)
HTTP_SECONDS = Figure(
    "argus_http_request_seconds", Kind.HISTOGRAM, ("host", "method", "route"), "From the request's head to its answer."
)
HTTP_IN_FLIGHT = Figure("argus_http_requests_in_flight", Kind.GAUGE, ("host",), "Requests being answered now.")
HTTP_PARSER_REFUSALS = Figure(
    "argus_http_parser_refusals_total", Kind.COUNTER, ("status",), "Octets that were no acceptable request."
)
RATE_LIMITED = Figure("argus_rate_limited_total", Kind.COUNTER, ("host", "rate_class"), "Requests over their quota.")
DATABASE_DAMAGED = Figure("argus_database_damaged", Kind.GAUGE, (), "1 while damage of the database is known, else 0.")
BROKER_CONNECTED = Figure("argus_broker_connected", Kind.GAUGE, (), "1 while ingest has its broker, else 0.")
REVOCATION_LIST_SECONDS_LEFT = Figure(
    "argus_revocation_list_seconds_left", Kind.GAUGE, (), "Seconds until the revocation list expires."
)
INGEST_PARKED = Figure("argus_ingest_parked_batches", Kind.GAUGE, (), "Batches over their gateway's quota.")
INGEST_OVER_QUOTA = Figure("argus_ingest_gateways_over_quota", Kind.GAUGE, (), "Gateways with parked batches.")
INGEST_HELD_BACK = Figure("argus_ingest_gateways_held_back", Kind.GAUGE, (), "Gateways whose parking room is full.")
INGEST_MISSING = Figure("argus_ingest_lanes_missing", Kind.GAUGE, (), "Lanes of which published batches never arrived.")
INGEST_REPEATED = Figure(
    "argus_ingest_repeated_measurements", Kind.GAUGE, (), "Measurements of devices' memories that were stored before."
)
INGEST_LEFT_OUT = Figure(
    "argus_ingest_messages_left_out", Kind.GAUGE, (), "Messages discarded for lack of room since the start."
)
EVENTS_WAITING = Figure("argus_events_waiting", Kind.GAUGE, (), "Domain events that are not handed on yet.")
EVENTS_PARKED = Figure("argus_events_parked", Kind.GAUGE, (), "Domain events that could not be handed on.")
WEBHOOKS_WAITING = Figure("argus_webhook_deliveries_waiting", Kind.GAUGE, (), "Deliveries that are not finished.")
WEBHOOK_LATE_SECONDS = Figure(
    "argus_webhook_delivery_late_seconds", Kind.GAUGE, (), "For how long the delivery due longest has been due."
)
JOBS_WAITING = Figure("argus_jobs_waiting", Kind.GAUGE, (), "Jobs that no worker has claimed.")
JOBS_RUNNING = Figure("argus_jobs_running", Kind.GAUGE, (), "Jobs that workers run now.")
JOB_LATE_SECONDS = Figure("argus_job_late_seconds", Kind.GAUGE, (), "For how long the job due longest has been due.")

SPANS_DROPPED = Figure(
    "argus_spans_dropped", Kind.GAUGE, (), "Spans dropped before they were stored, for lack of room, since the start."
)

SPANS_EXPORTED = Figure("argus_spans_exported", Kind.GAUGE, (), "Spans that the OTLP receiver took since the start.")
SPANS_UNEXPORTED = Figure(
    "argus_spans_unexported", Kind.GAUGE, (), "Spans chosen for the export and not exported, since the start."
)
STEPS_PENDING = Figure("argus_background_steps_pending", Kind.GAUGE, (), "Background steps that have not ended.")
STEPS_FAILING = Figure(
    "argus_background_steps_failing", Kind.GAUGE, (), "Pending background steps whose last attempt failed."
)
STEPS_ROWS_DONE = Figure(
    "argus_background_steps_rows_done", Kind.GAUGE, (), "Rows that the pending background steps have handled."
)
STEPS_ROWS_TOTAL = Figure(
    "argus_background_steps_rows", Kind.GAUGE, (), "Approximate rows of the pending background steps, handled ones too."
)
RETENTION_LAG_SECONDS = Figure(
    "argus_retention_lag_seconds",
    Kind.GAUGE,
    ("kind",),
    "For how long the oldest data of this kind have been past their retention period; 0 if none are.",
)
EVENT_LOOP_STALL_SECONDS_MAX = Figure(
    "argus_event_loop_stall_seconds_max",
    Kind.GAUGE,
    (),
    "The longest time since the start in which the event loop made no progress.",
)
SCRAPE_FAILURES = Figure(
    "argus_scrape_failures_total", Kind.COUNTER, ("part",), "Figures that could not be asked for at a scrape."
)

FIGURES = tuple(one for one in tuple(globals().values()) if isinstance(one, Figure))
"""The metrics declared above, in their order."""

Sampler = Callable[["Metrics"], Awaitable[None]]
"""Queries a value, such as a number of rows, and sets its metric."""


class Metrics:
    """The metrics of one process. Its methods are cheap enough to be called for every request."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._counters = {row.name: _counter(row, self.registry) for row in FIGURES if row.kind is Kind.COUNTER}
        self._gauges = {row.name: _gauge(row, self.registry) for row in FIGURES if row.kind is Kind.GAUGE}
        self._seconds = Histogram(
            HTTP_SECONDS.name, HTTP_SECONDS.meaning, HTTP_SECONDS.labels, buckets=SECONDS_BOUNDS, registry=self.registry
        )
        # The metrics of labels that were met before: `labels` would convert and look them up again for every request.
        self._in_flight: dict[str, Gauge] = {}
        self._responses: dict[tuple[str, str, str, int], tuple[Counter, Histogram]] = {}

    def request_began(self, host: str) -> None:
        """Count a request in flight. Called when its head was read."""
        self._in_flight_on(host).inc()

    def request_ended(self, host: str, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count a response and its duration. `route` is the path template, None when no route matches."""
        self._in_flight_on(host).dec()
        # If no route matches, the method may be any word that the caller sent.
        labels = (host, UNROUTED, UNROUTED, status) if route is None else (host, method, route, status)
        requests, durations = self._responses.get(labels) or self._add_response(*labels)
        requests.inc()
        durations.observe(seconds)

    def _in_flight_on(self, host: str) -> Gauge:
        found = self._in_flight.get(host)
        if found is None:
            found = self._in_flight[host] = self._gauges[HTTP_IN_FLIGHT.name].labels(host)
        return found

    def _add_response(self, host: str, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        found = self._counters[HTTP_REQUESTS.name].labels(host, method, route, str(status))
        self._responses[host, method, route, status] = both = found, self._seconds.labels(host, method, route)
        return both

    def parser_refused(self, status: int) -> None:
        """Count a request that the HTTP parser could not read."""
        self._counters[HTTP_PARSER_REFUSALS.name].labels(str(status)).inc()

    def rate_limited(self, host: str, rate_class: str) -> None:
        self._counters[RATE_LIMITED.name].labels(host, rate_class).inc()

    def scrape_failed(self, part: str) -> None:
        """Count a failure of a sampler (a function that sets metrics) at a scrape. `part` is the sampler's name."""
        self._counters[SCRAPE_FAILURES.name].labels(part).inc()

    def set(self, figure: Figure, value: float, *labels: str) -> None:
        """Set a gauge. `labels` are the values of its labels, in their order."""
        gauge = self._gauges[figure.name]
        (gauge.labels(*labels) if labels else gauge).set(value)

    def value(self, figure: Figure, *labels: str) -> float:
        """Return the current value of a metric, 0 when it was never set; for a histogram, its count."""
        name = f"{figure.name}_count" if figure.kind is Kind.HISTOGRAM else figure.name
        found = self.registry.get_sample_value(name, dict(zip(figure.labels, labels, strict=True)))
        return found or 0.0


def _counter(row: Figure, registry: CollectorRegistry) -> Counter:
    return Counter(row.name, row.meaning, row.labels, registry=registry)


def _gauge(row: Figure, registry: CollectorRegistry) -> Gauge:
    return Gauge(row.name, row.meaning, row.labels, registry=registry)


class MetricsListenerFailed(PrivateError, code="metrics_address_taken"):
    """The metrics address is in use by another program, or is not an address of this machine."""


class MetricsServer:
    """An HTTP server with the one address `GET /metrics`. Each sampler is a name and a function that sets metrics at
    each scrape; a failure of the function is counted under the name."""

    def __init__(self, metrics: Metrics, listen: Address, samplers: Sequence[tuple[str, Sampler]] = ()) -> None:
        self._metrics = metrics
        self._listen = listen
        self._samplers = samplers
        self._runner: web.AppRunner | None = None
        self.address: Address | None = None

    async def start(self) -> Address:
        """Start to listen, and return the address. If the setting has port 0, the returned address has the port that
        the system chose. Raises `MetricsListenerFailed`."""
        application = web.Application()
        application.router.add_get("/metrics", self._scraped)
        runner = web.AppRunner(application, access_log=None, handle_signals=False)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._listen.host, self._listen.port).start()
        except OSError as error:
            await runner.cleanup()
            raise MetricsListenerFailed(f"({self._listen}: {error.strerror})") from None
        self._runner = runner
        self.address = Address(self._listen.host, int(runner.addresses[0][1]))
        log.info("metrics.listening", address=str(self.address))
        return self.address

    async def stop(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _scraped(self, request: web.Request) -> web.Response:
        for part, sample in self._samplers:
            try:
                await sample(self._metrics)
            except DomainError as error:
                # A value that the database cannot return now must not hide the values of the process.
                self._metrics.scrape_failed(part)
                log.warning("metrics.sample_failed", part=part, code=error.code)
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self._metrics.registry), headers={"Content-Type": content_type})
