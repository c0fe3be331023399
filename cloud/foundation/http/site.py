"""The hosts in the pipeline: their routes, the constant parts of their responses, and the choice of a request's host.

Where several hosts share a listening address (production), the Host header selects the host. A host with its own
listening address (development) also accepts any loopback name (contract matrix A-010).
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate
from urllib.parse import urlsplit

from cloud.foundation.http.host import Bases, Host
from cloud.foundation.http.route import Access, RefusalPage, Route
from cloud.foundation.http.table import RouteTable
from cloud.foundation.http.wire import constant_headers

_DEFAULT_PORTS = {"http": 80, "https": 443}
DEPRECATIONS_PATH = "/.well-known/deprecations.json"
"""The document of all deprecated routes, on the api host."""
_BROWSERS = (
    "Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: ETag, X-Argus-Trace-ID, X-Argus-Span-ID\r\n"
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route on one host. `constant` has the header lines of all its responses, `scope` the scope text of its
    WWW-Authenticate header. From `sunset_us` on (None: never), the route responds with 410."""

    route: Route
    site: "Site"
    constant: str
    scope: str
    sunset_us: int | None
    needs_token: bool
    takes_token: bool
    authenticates_client: bool

    @property
    def method(self) -> str:
        return self.route.method

    @property
    def path(self) -> str:
        return self.route.path


def allowed_methods(methods: Mapping[str, Endpoint]) -> str:
    """Return the `Allow` header of a path: its methods, and HEAD if it has GET."""
    return ", ".join(sorted({*methods, *(("HEAD",) if "GET" in methods else ())}))


class Site:
    """A host with its routes. `constant` has the header lines of responses that belong to no route. `absent_page` makes
    the page for an address without a route, None on a host for programs."""

    def __init__(self, host: Host, routes: Iterable[Route], bases: Bases) -> None:
        own = [route for route in routes if host in route.hosts]
        self.host = host
        self.base = bases[host]
        self.types_at = bases[Host.API]
        secure, sandbox = self.base.startswith("https:"), host is Host.SANDBOX
        self.constant = constant_headers(secure=secure, sandbox=sandbox)
        self.authorities = authorities_of(self.base)
        self.absent_page: RefusalPage | None = next((one.refusal_page for one in own if one.covers_absent), None)
        matrix = self.types_at + DEPRECATIONS_PATH

        def endpoint(route: Route) -> Endpoint:
            more = _row_headers(route, self.base, matrix)
            return self._endpoint(route, constant_headers(secure=secure, sandbox=sandbox, more=more))

        self.table: RouteTable[Endpoint] = RouteTable(endpoint(route) for route in own)

    def _endpoint(self, route: Route, constant: str) -> Endpoint:
        scopes = route.scopes
        return Endpoint(
            route=route,
            site=self,
            constant=constant,
            scope=" ".join(sorted(scopes.names)),
            sunset_us=None if route.sunset_on is None else _unix(route.sunset_on) * 1_000_000,
            needs_token=scopes.access is Access.TOKEN,
            takes_token=scopes.access is Access.OPTIONAL,
            authenticates_client=scopes.access is Access.CLIENT,
        )


def _unix(day: object) -> int:
    return int(datetime.fromisoformat(f"{day}T00:00:00").replace(tzinfo=UTC).timestamp())


def _row_headers(route: Route, base: str, matrix: str) -> str:
    """Return a route's constant header lines: CORS, deprecation, sunset (RFC 9745, RFC 8594, contract matrix A-143).
    `matrix` is the address of the document that explains them."""
    lines = _BROWSERS if route.open_to_browsers else ""
    if route.deprecated_on is not None:
        lines += f"Deprecation: @{_unix(route.deprecated_on)}\r\n"
        lines += f'Link: <{matrix}>; rel="deprecation"; type="application/json"\r\n'
        if route.sunset_on is not None:
            lines += f"Sunset: {formatdate(_unix(route.sunset_on), usegmt=True)}\r\n"
            lines += f'Link: <{matrix}>; rel="sunset"; type="application/json"\r\n'
        if route.successor is not None:
            lines += f'Link: <{base}{route.successor}>; rel="successor-version"\r\n'
    return lines


def authorities_of(public_url: str) -> tuple[str, ...]:
    """Return the Host header values that name a public address: with the port and, if it is the default port, also
    without the port."""
    parts = urlsplit(public_url)
    name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    default = _DEFAULT_PORTS[parts.scheme]
    port = parts.port or default
    return (f"{name}:{port}", name) if port == default else (f"{name}:{port}",)


def is_loopback(authority: str) -> bool:
    """Return whether a Host header names this machine: localhost, 127.0.0.0/8 or ::1, with any port or none."""
    try:
        name = urlsplit(f"//{authority}").hostname if authority.isascii() else None
    except ValueError:  # an unbalanced bracket
        return False
    if name is None:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class HostRouter:
    """Chooses the host of a request among the hosts that share one listening address."""

    def __init__(self, sites: Sequence[Site]) -> None:
        self._sites: Mapping[str, Site] = {name: site for site in sites for name in site.authorities}
        self.only_site = sites[0] if len(sites) == 1 else None
        """The only host of this address, None when there are several."""
        self._loopback: dict[str, bool] = {}

    def find_site(self, authority: str) -> Site | None:
        """Return the host that a Host header names; None when no host of this listening address has the name."""
        site = self._sites.get(authority)
        if site is not None:
            return site
        site = self._sites.get(authority.lower())
        if site is None and self.only_site is not None and self._is_loopback(authority):
            return self.only_site
        return site

    def _is_loopback(self, authority: str) -> bool:
        known = self._loopback.get(authority)
        if known is None:
            known = is_loopback(authority)
            if len(self._loopback) < 64:  # a client sends the same name each time; an attacker must not fill memory
                self._loopback[authority] = known
        return known
