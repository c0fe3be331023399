"""The cloud's hosts on real sockets, with the token endpoints and one probe endpoint that requires a token."""

import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from cloud.access.oauth import TokenSurface
from cloud.foundation.clock import Clock
from cloud.foundation.http import Host, Json, Request, Response, Route
from cloud.foundation.http.route import Scopes
from cloud.foundation.http.settings import HttpSection
from cloud.foundation.http.site import Site
from cloud.foundation.settings import Address
from cloud.hosts import HostServer
from cloud.surface import PipelineFactory
from tests.builders.auth_world import BASES, DEVICES, AuthWorld

TOKEN = "/v1/oauth/token"
REVOKE = "/v1/oauth/revoke"
PROBE = "/api/v1/probe"


@dataclass(frozen=True)
class ReadResponse:
    """An HTTP response whose body was read completely. `document` is the parsed JSON, or None for a body that is not
    JSON."""

    status: int
    headers: Any
    octets: bytes
    document: Any

    @property
    def error(self) -> tuple[int, str]:
        """Return the status and the OAuth error code."""
        return self.status, self.document["error"]


class AuthServer:
    """An HTTP client of the running hosts."""

    def __init__(self, server: HostServer, world: AuthWorld, session: aiohttp.ClientSession) -> None:
        self._server = server
        self._world = world
        self._session = session

    def url(self, host: Host, path: str) -> str:
        return f"http://{self._server.addresses[host.value]}{path}"

    async def ask(self, method: str, path: str, host: Host = Host.AUTH, **more: Any) -> ReadResponse:
        async with self._session.request(method, self.url(host, path), **more) as response:
            octets = await response.read()
            document = await response.json(content_type=None) if octets[:1] in (b"{", b"[") else None
            return ReadResponse(response.status, response.headers, octets, document)

    async def token(self, *, basic: tuple[str, str] | None = None, **form: str) -> ReadResponse:
        """Request a token with the client credentials grant.

        The client's credentials are sent as `basic` authentication when given, else in the form. A form without a
        `client_id` gets the credentials of the app in the test's `AuthWorld`.
        """
        more: dict[str, Any] = {}
        if basic is not None:
            encoded = base64.b64encode(":".join(basic).encode()).decode()
            more["headers"] = {"Authorization": f"Basic {encoded}"}
        elif "client_id" not in form:
            form = {"client_id": self._world.app.client_id, "client_secret": self._world.secret, **form}
        return await self.ask("POST", TOKEN, data={"grant_type": "client_credentials", **form}, **more)

    async def probe(self, token: str, host: Host = Host.API) -> ReadResponse:
        """Send a request with this token to the probe endpoint, which requires the scope `argus:devices:write`."""
        return await self.ask("GET", PROBE, host, headers={"Authorization": f"Bearer {token}"})


@asynccontextmanager
async def auth_server(
    world: AuthWorld,
    *,
    limits: HttpSection | None = None,
    clock: Clock | None = None,
    surface: TokenSurface | None = None,
    more_rows: Sequence[Route] = (),
) -> AsyncIterator[AuthServer]:
    """Run every host on a free port; yield a client.

    `surface` replaces the token service of `world`, as if another process of the installation served the requests.
    `more_rows` are additional routes.
    """
    process = surface or world.surface

    async def who(request: Request) -> Response:
        return Json({"client_id": request.verified.client_id, "jti": request.verified.jti})

    probe = Route(method="GET", path=PROBE, handler=who, host=(Host.API, Host.SANDBOX), scopes=Scopes.any_of(DEVICES))
    rows = (*process.routes, *more_rows, probe)
    make = PipelineFactory(limits or HttpSection(), BASES, clock or world.clock, process.verifier, None)
    server = HostServer([(Site(host, rows, BASES), Address("127.0.0.1", 0)) for host in Host], make)
    await server.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield AuthServer(server, world, session)
    finally:
        await server.stop()
