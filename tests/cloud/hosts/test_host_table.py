"""Each route answers on its own host only, and a name that is not ours is turned away (D8, A-010)."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from cloud.health import HealthHandlers
from cloud.hosts import AddressTaken, Host, HostServer, is_loopback
from cloud.settings import Address


def says(text: str) -> Callable[[web.Request], object]:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(text=text)

    return handler


def host(name: str, listen: str = "127.0.0.1", port: int = 0, *, crash: bool = False) -> Host:
    """A host with `/{name}` and the health routes."""

    async def crashing(_request: web.Request) -> web.Response:
        raise RuntimeError("synthetic-secret")

    routes: Sequence[web.RouteDef] = (web.get(f"/{name}", says(name)), *HealthHandlers(()).routes())
    if crash:
        routes = (*routes, web.get("/crash", crashing))
    return Host(name, Address(listen, port), f"https://{name}.example.org", routes)


@asynccontextmanager
async def listening(hosts: Sequence[Host]) -> AsyncIterator[Callable[[str, str, str], object]]:
    """Asks: (host whose address to use, Host header, path) → (status, body)."""
    server = HostServer(hosts)
    await server.start()
    async with aiohttp.ClientSession() as client:

        async def ask(at: str, header: str, path: str, method: str = "GET") -> tuple[int, str, str]:
            url = f"http://{server.addresses[at]}{path}"
            async with client.request(method, url, headers={"Host": header}) as answer:
                return answer.status, await answer.text(), answer.headers.get("Content-Type", "")

        yield ask
    await server.stop()


async def test_in_development_each_host_has_a_port_and_any_loopback_name_reaches_it() -> None:
    async with listening([host("auth"), host("api")]) as ask:
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


async def test_in_production_hosts_share_a_port_and_are_chosen_by_name(unused_tcp_port: int) -> None:
    async with listening([host("auth", port=unused_tcp_port), host("api", port=unused_tcp_port)]) as ask:
        for name in ("api.example.org", "API.example.org", "api.example.org:443"):
            assert (await ask("auth", name, "/api"))[:2] == (200, "api")
        assert (await ask("auth", "api.example.org", "/auth"))[0] == 404
        assert (await ask("auth", "auth.example.org", "/auth"))[:2] == (200, "auth")
        for name in ("localhost", "127.0.0.1", "example.org", "docs.example.org", "api.example.org:8443"):
            assert (await ask("auth", name, "/api"))[0] == 421, name


async def test_refusals_are_problem_documents_and_never_tell_what_crashed() -> None:
    async with listening([host("api", crash=True)]) as ask:
        for path, method, status, code in (
            ("/nothing", "GET", 404, "not_found"),
            ("/api", "DELETE", 405, "method_not_allowed"),
            ("/crash", "GET", 500, "internal_error"),
        ):
            got, body, kind = await ask("api", "localhost", path, method)
            assert (got, kind) == (status, "application/problem+json")
            assert f'"code":"{code}"' in body
            assert "synthetic-secret" not in body


async def test_health_answers_on_every_host() -> None:
    async with listening([host("auth"), host("api"), host("sandbox"), host("docs")]) as ask:
        for name in ("auth", "api", "sandbox", "docs"):
            assert (await ask(name, "localhost", "/health/live"))[:2] == (200, '{"status":"alive"}')


async def test_an_address_that_is_taken_is_told_in_a_sentence(unused_tcp_port: int) -> None:
    async with listening([host("api", port=unused_tcp_port)]):
        with pytest.raises(AddressTaken, match=str(unused_tcp_port)):
            await HostServer([host("docs"), host("auth", port=unused_tcp_port)]).start()


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
def test_a_loopback_name_is_recognised(name: str, loopback: bool) -> None:
    assert is_loopback(name) is loopback
