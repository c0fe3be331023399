"""A running HTTP server for tests: the test's own routes on real listeners, and callers that are identified by fixed
tokens.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from cloud.foundation.clock import Clock, SystemClock
from cloud.foundation.http import PUBLIC, Caller, Host, InvalidToken, Json, Request, Response, Route, WrongEnvironment
from cloud.foundation.http.observer import Observer
from cloud.foundation.http.rates import RateLimiter
from cloud.foundation.http.settings import HttpSection
from cloud.foundation.http.site import Site
from cloud.foundation.settings import Address
from cloud.foundation.tracing import Spans
from cloud.foundation.viewer import SecrecyLevel, Viewer
from cloud.hosts import HostServer
from cloud.surface import PipelineFactory

BASES = {host: f"https://{host.value}.example.org" for host in Host}


def caller(
    *,
    tenant: str = "tnt_north",
    organization: str | None = "org_north",
    client: str = "app_north",
    subject: str | None = None,
    scopes: Sequence[str] = ("read",),
    use: str = "access",
    clearance: SecrecyLevel = SecrecyLevel.STANDARD,
) -> Caller:
    """Return an authenticated caller, as a verified token with these claims describes it."""
    return Caller(
        subject=subject or client,
        client_id=client,
        token_use=use,
        scopes=frozenset(scopes),
        viewer=Viewer(tenant, organization, clearance),
        jti=f"jti-{tenant}-{client}",
        expires_at_us=2_000_000_000_000_000,
    )


@dataclass
class KnownTokens:
    """A fake token verifier: `callers` maps each valid token to its caller, and `asked` counts the verifications."""

    callers: dict[str, Caller] = field(default_factory=lambda: {"good": caller()})
    asked: int = 0
    signatures: int = 0
    """Number of signature checks. Only tokens in `callers`, and tokens that begin with "forged", need one."""
    _seen: set[str] = field(default_factory=set)

    def needs_arithmetic(self, bearer: str) -> bool:
        return bearer not in self._seen and (bearer in self.callers or bearer.startswith("forged"))

    async def verify(self, bearer: str, host: Host) -> Caller:
        self.asked += 1
        if self.needs_arithmetic(bearer):
            self.signatures += 1
            if bearer in self.callers:
                self._seen.add(bearer)
        found = self.callers.get(bearer)
        if found is None:
            raise InvalidToken
        if (found.token_use == "sandbox") != (host is Host.SANDBOX):
            raise WrongEnvironment
        return found


def route(
    path: str = "/thing",
    handler: Callable[[Request], Awaitable[Response]] | None = None,
    *,
    method: str = "GET",
    host: Host | tuple[Host, ...] = Host.API,
    **more: Any,
) -> Route:
    """Return a route, public unless `scopes` are given; without a handler it responds with `{"ok": true}`."""

    async def ok(_request: Request) -> Response:
        return Json({"ok": True})

    more.setdefault("scopes", PUBLIC)
    return Route(method=method, path=path, handler=handler or ok, host=host, **more)


@dataclass(frozen=True)
class Surface:
    """A running HTTP server and its addresses, one for each host."""

    server: HostServer

    def at(self, host: Host = Host.API) -> tuple[str, int]:
        address = self.server.addresses[host.value]
        return address.host, address.port

    def url(self, path: str, host: Host = Host.API) -> str:
        return f"http://{self.server.addresses[host.value]}{path}"


@asynccontextmanager
async def surface(
    *routes: Route,
    tokens: KnownTokens | None = None,
    limits: HttpSection | None = None,
    clock: Clock | None = None,
    spans: Spans | None = None,
    observer: Observer | None = None,
    limiter: RateLimiter | None = None,
    hosts: Sequence[Host] = tuple(Host),
    bases: dict[Host, str] | None = None,
    port: int = 0,
) -> AsyncIterator[Surface]:
    """Run a server with these routes on real sockets, and yield it. With a `port`, all hosts listen on that port."""
    bases = {**BASES, **(bases or {})}
    make = PipelineFactory(
        limits or HttpSection(), bases, clock or SystemClock(), tokens or KnownTokens(), spans, observer, limiter
    )
    server = HostServer(
        [(Site(host, routes, bases), Address("127.0.0.1", port)) for host in hosts],
        make,
    )
    await server.start()
    try:
        yield Surface(server)
    finally:
        await server.stop()


__all__ = ["BASES", "KnownTokens", "Surface", "caller", "route", "surface"]
