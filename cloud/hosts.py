"""The host table (D8): auth, api, sandbox and docs, each with its own routes, on one address or on four.

A host that has an address for itself (development) answers to any loopback name and to its own; hosts that share an
address (production) are chosen by the request's Host. Any other name gets 421: it was meant for somebody else, and
answering would let a stranger's DNS name speak for us. A route exists on its own host only; the others answer 404 as
for any unknown path.
"""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

import orjson
import structlog
from aiohttp import web

from cloud.errors import DomainError
from cloud.settings import Address

log = structlog.get_logger()

# Requests in flight have this long to end when the process stops.
SHUTDOWN_S = 10.0

_DEFAULT_PORTS = {"http": 80, "https": 443}


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MEDIA_TYPE = "application/problem+json"


def problem(status: int, code: str, detail: str | None = None) -> web.Response:
    """A problem document. `code` is stable and public; `detail` is a sentence for people."""
    document = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "code": code}
    if detail:
        document["detail"] = detail
    return web.Response(status=status, body=orjson.dumps(document), content_type=MEDIA_TYPE)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error of what is inside with a problem document, and let none of its text out."""
    try:
        return await handler(request)
    except DomainError as error:
        return problem(error.status, error.code, error.sentence)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        refusal = problem(error.status, HTTPStatus(error.status).phrase.lower().replace(" ", "_"))
        if isinstance(error, web.HTTPMethodNotAllowed):
            refusal.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
        return refusal
    except Exception:
        log.exception("request.crashed", method=request.method)
        return problem(500, "internal_error", "Something went wrong on our side; it has been recorded.")


class AddressTaken(DomainError):
    """An address to listen on cannot be used; another program has it, or it is not one of this machine."""

    code = "address_taken"


@dataclass(frozen=True, slots=True)
class Host:
    """One host of the contract. `name` is our word for it; `public_url` is what clients call it."""

    name: str
    listen: Address
    public_url: str
    routes: Sequence[web.AbstractRouteDef]

    @property
    def authorities(self) -> tuple[str, ...]:
        """The Host headers that mean this host: as in its public address, and with the port spelt out."""
        parts = urlsplit(self.public_url)
        name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        default = _DEFAULT_PORTS[parts.scheme]
        port = parts.port or default
        return (f"{name}:{port}", name) if port == default else (f"{name}:{port}",)

    def application(self) -> web.Application:
        """The host's own routes and nothing else."""
        application = web.Application()
        application.add_routes(self.routes)
        return application


def is_loopback(authority: str) -> bool:
    """Whether a Host header names this very machine: localhost, 127.0.0.0/8 or ::1, with any port or none."""
    try:
        name = urlsplit(f"//{authority}").hostname if authority.isascii() else None
    except ValueError:  # a bracket without its other
        return False
    if name is None:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class _Gate:
    """Turns away what is meant for nobody here. `alone`: the address has one host, so loopback names mean it."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        self._known = {authority for host in hosts for authority in host.authorities}
        self._alone = len(hosts) == 1

    def admits(self, authority: str) -> bool:
        """Whether a request with this Host header is for one of the hosts behind this gate."""
        return authority.lower() in self._known or (self._alone and is_loopback(authority))

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self.admits(request.headers.get("Host", "")):
            return await handler(request)
        return problem(421, "misdirected_request", "This server has no host of that name.")


def gate_application(hosts: Sequence[Host]) -> web.Application:
    """The application of one listening address."""
    gate = web.Application(middlewares=[problems, _Gate(hosts).middleware])
    if len(hosts) == 1:
        gate.add_domain("*", hosts[0].application())
        return gate
    for host in hosts:
        for authority in host.authorities:
            gate.add_domain(authority, host.application())
    return gate


class HostServer:
    """Listens for all hosts."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        self._hosts = hosts
        self._runners: list[web.AppRunner] = []
        self.addresses: dict[str, Address] = {}

    async def start(self) -> Mapping[str, Address]:
        """Listen; where each host now is (a port of 0 has become a real one). Raises `AddressTaken`."""
        by_address: dict[Address, list[Host]] = {}
        for host in self._hosts:
            # A port of 0 is a different one for each host.
            key = host.listen if host.listen.port else Address(f"{host.listen.host}#{host.name}", 0)
            by_address.setdefault(key, []).append(host)
        for hosts in by_address.values():
            await self._listen(hosts)
        return self.addresses

    async def _listen(self, hosts: Sequence[Host]) -> None:
        listen = hosts[0].listen
        runner = web.AppRunner(
            gate_application(hosts), access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_S
        )
        await runner.setup()
        self._runners.append(runner)
        try:
            await web.TCPSite(runner, listen.host, listen.port).start()
        except OSError as error:
            await self.stop()
            raise AddressTaken(f"({listen}: {error.strerror})") from None
        port = int(runner.addresses[0][1])
        for host in hosts:
            self.addresses[host.name] = Address(listen.host, port)
            log.info("host.listening", host=host.name, address=str(self.addresses[host.name]))

    async def stop(self) -> None:
        """Accept nothing new; let requests in flight end."""
        runners, self._runners = self._runners, []
        await asyncio.gather(*(runner.cleanup() for runner in runners))
