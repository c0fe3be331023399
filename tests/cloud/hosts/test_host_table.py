"""A route responds only on its own host, and a request with an unknown host name is refused (DESIGN D8, contract
A-010).
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest

from cloud.foundation.health.routes import HealthHandlers, health_rows
from cloud.foundation.http import Host, Request, Response, Route
from cloud.foundation.http.site import is_loopback
from cloud.hosts import AddressTaken
from tests.builders.http_surface import route, surface

Ask = Callable[..., Awaitable[tuple[int, str, str]]]


def says(text: str) -> Callable[[Request], Awaitable[Response]]:
    async def handler(_request: Request) -> Response:
        return Response(200, text.encode(), "text/plain; charset=utf-8")

    return handler


async def crashing(_request: Request) -> Response:
    raise RuntimeError("synthetic-secret")


ROUTES: tuple[Route, ...] = (
    *(route(f"/{host.value}", says(host.value), host=host) for host in Host),
    route("/crash", crashing),
    *health_rows(HealthHandlers(())),
)


@asynccontextmanager
async def asking(*, port: int = 0) -> AsyncIterator[Ask]:
    """Run the hosts; yield a function that sends one request.

    The function takes the host to connect to, the Host header and the path; it returns status, body and media type.
    """
    async with surface(*ROUTES, port=port) as served, aiohttp.ClientSession() as client:

        async def ask(at: str, header: str, path: str, method: str = "GET") -> tuple[int, str, str]:
            url = served.url(path, Host(at))
            async with client.request(method, url, headers={"Host": header}) as answer:
                return answer.status, await answer.text(), answer.headers.get("Content-Type", "")

        yield ask


@pytest.mark.contract("A-010", "C-001", "C-004")
async def test_site_with_a_port_of_its_own_accepts_any_loopback_name_in_the_host_header() -> None:
    async with asking() as ask:
        for name in ("localhost", "localhost:9", "127.0.0.1", "127.8.8.8:1", "[::1]:8080", "api.example.org"):
            assert (await ask("api", name, "/api"))[:2] == (200, "api")
        assert (await ask("api", "localhost", "/auth"))[0] == 404
        for name in (
            "",
            "evil.example",
            "auth.example.org",
            "localhost.evil.example",
            "128.0.0.1",
            "api.example.org.evil",
        ):
            assert (await ask("api", name, "/api"))[0] == 421, name


@pytest.mark.contract("A-010", "S-073")
async def test_production_hosts_on_one_port_are_selected_by_host_header(unused_tcp_port: int) -> None:
    async with asking(port=unused_tcp_port) as ask:
        for name in ("api.example.org", "API.example.org", "api.example.org:443"):
            assert (await ask("auth", name, "/api"))[:2] == (200, "api")
        assert (await ask("auth", "api.example.org", "/auth"))[0] == 404
        assert (await ask("auth", "auth.example.org", "/auth"))[:2] == (200, "auth")
        for name in ("localhost", "127.0.0.1", "example.org", "www.example.org", "api.example.org:8443"):
            assert (await ask("auth", name, "/api"))[0] == 421, name


async def test_error_responses_are_problem_documents_without_exception_text() -> None:
    async with asking() as ask:
        for path, method, status, code in (
            ("/nothing", "GET", 404, "not_found"),
            ("/api", "DELETE", 405, "method_not_allowed"),
            ("/crash", "GET", 500, "internal_error"),
        ):
            got, body, kind = await ask("api", "localhost", path, method)
            assert (got, kind) == (status, "application/problem+json")
            assert f'"code":"{code}"' in body
            assert "synthetic-secret" not in body


async def test_liveness_is_served_on_every_host() -> None:
    async with asking() as ask:
        for name in ("auth", "api", "sandbox", "docs"):
            assert (await ask(name, "localhost", "/health/live"))[:2] == (200, '{"status":"alive"}')


async def test_listen_address_in_use_is_reported_with_its_port(unused_tcp_port: int) -> None:
    async with surface(port=unused_tcp_port, hosts=(Host.API,)):
        with pytest.raises(AddressTaken, match=str(unused_tcp_port)):
            async with surface(port=unused_tcp_port, hosts=(Host.DOCS,)):
                pass


@pytest.mark.parametrize(
    ("name", "loopback"),
    [
        ("localhost", True),
        ("argus.localhost:80", True),
        ("127.0.0.1", True),
        ("[::1]", True),
        ("192.0.2.1", False),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("", False),
        ("[::", False),
        ("ⓛocalhost", False),
    ],
)
def test_loopback_host_names_are_recognised(name: str, loopback: bool) -> None:
    assert is_loopback(name) is loopback
