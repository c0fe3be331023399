"""Compose the HTTP surface: the routes of all slices, their hosts, and the pipeline that every request passes through.

Each slice declares its routes in its `routes.py`. OpenAPI and the other documents are derived from the same routes.
"""

import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import cast

import structlog

from cloud.access.apps import CATALOGUE
from cloud.access.oauth import TokenSurface, tokens_of
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.http import (
    Admission,
    Bases,
    BucketLimiter,
    Cursors,
    Host,
    HostRouter,
    HostsSection,
    HttpSection,
    Observer,
    Parts,
    Pipeline,
    Quotas,
    RateLimiter,
    Route,
    SharedLimiter,
    Site,
    TokenVerifier,
    bases_of,
)
from cloud.foundation.ids import Ids
from cloud.foundation.master_key import MasterKeyAbsent
from cloud.foundation.process import Process
from cloud.foundation.settings import Address, Settings, SettingsUnusable
from cloud.foundation.slice import Slice
from cloud.foundation.tracing import Spans, spans_of
from cloud.hosts import HostServer
from cloud.partners.discovery import DiscoveryHandlers
from cloud.slices import SLICES
from cloud.supplies import make_process

log = structlog.get_logger()


@dataclass(frozen=True)
class Surface:
    """The HTTP surface of one process. The process must start `tokens` before `server`, and run the loop of `limits`,
    which is None on SQLite, where only one process serves requests."""

    rows: tuple[Route, ...]
    server: HostServer
    tokens: TokenSurface
    limits: SharedLimiter | None


def parts_of(process: Process, secret: bytes) -> Parts:
    """Make the argument of the slices' `routes` functions; `secret` seals page cursors. Raises `SettingsUnusable`."""
    own = {one.name: getattr(process, one.name) for one in fields(process)}
    return Parts(**own, cursors=Cursors(secret), bases=bases_of(process.settings))


def collect_rows(parts: Parts, slices: Sequence[Slice] = SLICES) -> tuple[Route, ...]:
    """Return the routes of all slices, and build the OpenAPI and other documents from them. Raises `RowsDisagree` when
    routes contradict each other or need an unknown scope."""
    rows: tuple[Route, ...] = tuple(row for one in slices for part in one.routes for row in one.load(part)(parts))
    # The documents describe all routes, including their own, so they are written last.
    documents = parts.shared(DiscoveryHandlers.of)
    documents.publish(rows, parts.bases, {scope.name: scope.description for scope in CATALOGUE})
    return rows


def rows_of(settings: Settings, clock: Clock, ids: Ids) -> tuple[Route, ...]:
    """Return all routes, for inspection. No database is needed. Raises `SettingsUnusable`."""
    # Making a route uses no database; serving a request to it would.
    process = make_process(settings, cast(Database, None), clock, ids)
    return collect_rows(parts_of(process, bytes(32)))


def make_surface(process: Process, observer: Observer | None = None) -> Surface:
    """Build the HTTP surface without listening. `observer` counts the requests. Raises `SettingsUnusable`."""
    settings, database, clock = process.settings, process.database, process.clock
    parts = parts_of(process, _cursor_secret(process))
    rows, tokens = collect_rows(parts), parts.shared(tokens_of)
    spans = parts.shared(spans_of)
    # A SQLite file has one process that serves it; a PostgreSQL database may have several, which share their limits.
    limits = SharedLimiter(clock, database) if database.dialect == "postgresql" else None
    section = settings.section(HttpSection)
    make_pipeline = PipelineFactory(section, parts.bases, clock, tokens.verifier, spans, observer, limits)
    sites = [(Site(host, rows, parts.bases), listen_of(settings, host)) for host in Host]
    return Surface(rows, HostServer(sites, make_pipeline), tokens, limits)


class PipelineFactory:
    """Makes the request pipeline of each listening address, all with one token verifier and one set of rate limits. If
    `spans` is None, no span is recorded. If `limiter` is None, requests are counted in this process alone."""

    def __init__(
        self,
        section: HttpSection,
        bases: Bases,
        clock: Clock,
        verifier: TokenVerifier,
        spans: Spans | None,
        observer: Observer | None = None,
        limiter: RateLimiter | None = None,
    ) -> None:
        self._admission = Admission(
            verifier,
            limiter or BucketLimiter(clock),
            BucketLimiter(clock),
            types_at=bases[Host.API],
            quotas=Quotas(
                standard=section.requests_per_minute,
                write=section.writes_per_minute,
                public=section.public_per_minute,
                token=section.tokens_per_minute,
                failures=section.failures_per_minute,
            ),
            proxies=[ipaddress.ip_network(text) for text in section.trusted_proxies],
        )
        self._clock, self._spans, self._observer = clock, spans, observer

    def __call__(self, router: HostRouter) -> Pipeline:
        return Pipeline(router, self._admission, self._clock, self._spans, self._observer)


def listen_of(settings: Settings, host: Host) -> Address:
    section = getattr(settings.find(HostsSection), host.value)
    listen = section.listen
    assert isinstance(listen, Address)
    return listen


def _cursor_secret(process: Process) -> bytes:
    try:
        return process.master().derive("cursors")
    except (MasterKeyAbsent, SettingsUnusable):
        # Cursors are valid until this process ends. After a restart, clients must begin their list from the start.
        log.warning("cursors.secret_not_kept")
        return secrets.token_bytes(32)
