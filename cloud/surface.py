"""The HTTP surface put together: the rows of all slices, the hosts that they live on, and what every request passes.

Each slice says in its `routes.py` what it answers; here they are collected, and nowhere else. The documents about the
interface are made from the same rows, so they come last.
"""

import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import structlog

from cloud.access.apps import CATALOGUE
from cloud.access.apps import routes as apps_routes
from cloud.access.audit import Audit
from cloud.access.identity.sign_in import SecondFactorPolicy
from cloud.access.oauth.surface import TokenSurface, token_surface
from cloud.access.tokens.place import bases_of, load_master_key
from cloud.clinical.devices import routes as devices_routes
from cloud.clinical.epcr import routes as epcr_routes
from cloud.clinical.observations import routes as observations_routes
from cloud.clinical.observations.counting import count_observations
from cloud.foundation import health
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.health import Check, HealthHandlers
from cloud.foundation.http import Bases, Cursors, Host, Route, TokenVerifier
from cloud.foundation.http.admission import Admission, Quotas
from cloud.foundation.http.parts import Parts
from cloud.foundation.http.pipeline import Observer, Pipeline
from cloud.foundation.http.rates import BucketLimiter, RateLimiter
from cloud.foundation.http.shared_rates import SharedLimiter
from cloud.foundation.http.site import Gate, Site
from cloud.foundation.http.spans import Spans
from cloud.foundation.ids import Ids
from cloud.foundation.master_key import MasterKeyAbsent
from cloud.hosts import HostServer
from cloud.partners import administration, discovery, docs
from cloud.partners.webhooks import make_judge
from cloud.partners.webhooks import routes as webhooks_routes
from cloud.partners.webhooks.key_routes import key_routes
from cloud.partners.webhooks.service import Judge
from cloud.settings import Address, HttpSection, Settings, SettingsUnusable

log = structlog.get_logger()


@dataclass(frozen=True)
class Surface:
    """What listens and what is written about it. `spans` and `limits` have loops of their own that must run; `tokens`
    must be started before the server is. `limits` None: this process counts for itself alone."""

    rows: tuple[Route, ...]
    server: HostServer
    spans: Spans
    tokens: TokenSurface
    limits: SharedLimiter | None


def parts_of(settings: Settings, database: Database, clock: Clock, ids: Ids, secret: bytes) -> Parts:
    """What the slices' routes are built from; `secret` seals cursors. Raises `SettingsUnusable`."""
    return Parts(
        database=database,
        clock=clock,
        ids=ids,
        audit=Audit(clock),
        cursors=Cursors(secret),
        bases=bases_of(settings),
        master=lambda: load_master_key(settings),
    )


def collect_rows(parts: Parts, tokens: TokenSurface, checks: Sequence[Check], judge: Judge) -> tuple[Route, ...]:
    """Every row of every host. Raises `RowsDisagree` when the documents cannot be made from them."""
    documents = discovery.DiscoveryHandlers()
    rows = (
        *health.routes(HealthHandlers(checks)),
        *tokens.routes,
        *apps_routes.routes(parts, tokens.service_token),
        *administration.routes(parts, tokens, judge),
        *devices_routes.routes(parts),
        *observations_routes.routes(parts),
        *epcr_routes.routes(parts, count_observations),
        *webhooks_routes.routes(parts, judge),
        *key_routes(parts),
        *discovery.routes(documents),
        *docs.routes(docs.DocsHandlers(parts.bases)),
    )
    documents.publish(rows, parts.bases, {scope.name: scope.description for scope in CATALOGUE})
    return rows


def rows_of(settings: Settings, clock: Clock, ids: Ids) -> tuple[Route, ...]:
    """The rows alone, for a look at them. Raises `SettingsUnusable`."""
    # Making a row touches no database; serving it would.
    nowhere = cast(Database, None)
    parts = parts_of(settings, nowhere, clock, ids, bytes(32))
    return collect_rows(parts, _tokens_of(settings, parts), (), make_judge(settings))


def make_surface(
    settings: Settings,
    database: Database,
    clock: Clock,
    ids: Ids,
    checks: Sequence[Check],
    observer: Observer | None = None,
) -> Surface:
    """Wire it; nothing listens yet. Raises `SettingsUnusable`."""
    parts = parts_of(settings, database, clock, ids, _cursor_secret(settings))
    tokens = _tokens_of(settings, parts)
    rows = collect_rows(parts, tokens, checks, make_judge(settings))
    spans = Spans(database)
    # A SQLite file has one process that serves; a PostgreSQL database may have several, whose limits are the same.
    limits = SharedLimiter(clock, database) if database.dialect == "postgresql" else None
    make_pipeline = pipelines(settings.http, parts.bases, clock, tokens.verifier, spans, observer, limits)
    sites = [(Site(host, rows, parts.bases), listen_of(settings, host)) for host in Host]
    return Surface(rows, HostServer(sites, make_pipeline), spans, tokens, limits)


def _tokens_of(settings: Settings, parts: Parts) -> TokenSurface:
    return token_surface(
        parts.database,
        parts.clock,
        parts.ids,
        parts.bases,
        parts.master,
        SecondFactorPolicy(settings.sign_in.second_factor),
    )


class pipelines:  # noqa: N801  read as a word: it makes one for each listening address
    """Pipelines that share one verifier and one count of requests."""

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

    def __call__(self, gate: Gate) -> Pipeline:
        return Pipeline(gate, self._admission, self._clock, self._spans, self._observer)


def listen_of(settings: Settings, host: Host) -> Address:
    """Where a host listens."""
    section = getattr(settings.hosts, host.value)
    listen = section.listen
    assert isinstance(listen, Address)
    return listen


def _cursor_secret(settings: Settings) -> bytes:
    try:
        return load_master_key(settings).derive("cursors")
    except (MasterKeyAbsent, SettingsUnusable):
        # Good for one process and until it ends; clients then begin their listing anew.
        log.warning("cursors.secret_not_kept")
        return secrets.token_bytes(32)
