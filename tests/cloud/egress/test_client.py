"""The only client for outbound HTTP requests: it connects to the address that was checked and follows no redirect.

The time and size of a request are limited.
"""

import asyncio
import ssl
import tracemalloc
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from cloud.foundation.egress import AllowList, Egress, Failure, FailureReason, Response, client
from cloud.foundation.egress.client import RESPONSE_BYTES_MAX
from tests.builders.egress_names import PUBLIC, Names
from tests.harness.certificates import Authority
from tests.harness.eventually import eventually
from tests.harness.receiver import Receiver, endless, hanging, receiving, respond_with

BODY = b'{"type":"incident.updated"}'


def egress_to(*receivers: Receiver, names: Names | None = None, request_s_max: float = 15.0) -> Egress:
    """Return a client that may send requests to public addresses and to these receivers, whose addresses are not
    public."""
    return Egress(AllowList([one.pair for one in receivers]), names or Names(), request_s_max=request_s_max)


async def post(egress: Egress, url: str) -> Response | Failure:
    return await egress.request("POST", url, headers={"Content-Type": "application/json"}, body=BODY)


@pytest.mark.contract("A-063")
async def test_request_to_an_allowed_receiver_uses_no_proxy_and_sends_no_cookies(
    monkeypatch: pytest.MonkeyPatch,
):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    async with receiving() as receiver:
        receiver.answers = [respond_with(200, b"fine", Set_Cookie="session=1")]
        egress = egress_to(receiver)
        response = await post(egress, receiver.url("/hook?a=b"))
        await post(egress, receiver.url())
        await egress.close()
    assert isinstance(response, Response)
    assert (response.status, response.body, response.complete) == (200, b"fine", True)
    assert receiver.received[0].path == "/hook?a=b"
    assert receiver.received[0].body == BODY
    assert "cookie" not in receiver.received[1].headers
    assert receiver.connections == 1


@pytest.mark.contract("S-091", "S-092", "A-063")
async def test_request_to_a_loopback_address_in_any_notation_is_blocked_without_a_connection():
    names = Names(
        rebind_example=[[PUBLIC], ["127.0.0.1"]],
        inside_example=[["127.0.0.1"]],
        mapped_example=[["::ffff:127.0.0.1"]],
        mixed_example=[[PUBLIC, "127.0.0.1"]],
    )
    async with receiving() as inside, receiving() as allowed:
        egress = egress_to(allowed, names=names)
        await egress.judge(f"https://rebind.example:{inside.port}/")
        hosts = ["rebind.example", "inside.example", "mapped.example", "mixed.example", "127.0.0.1", "localhost"]
        hosts += ["127.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "[::1]", "127.0.0.1.nip.example."]
        for host in hosts:
            for port in (inside.port, allowed.port):
                response = await post(egress, f"https://{host}:{port}/hook")
                if (host, port) != allowed.pair:
                    assert response == Failure(FailureReason.BLOCKED_ADDRESS), host
            assert await post(egress, f"http://{host}:{inside.port}/") == Failure(FailureReason.BLOCKED_ADDRESS)
        await egress.close()
        assert inside.connections == 0
        assert allowed.received == []


@pytest.mark.contract("S-092")
async def test_resolved_address_is_checked_again_when_the_socket_connects():
    opened: list[str] = []

    def judge(address: IPv4Address | IPv6Address) -> bool:
        opened.append(str(address))
        return len(opened) == 1  # allowed when resolved, refused when connected

    async with receiving() as inside:
        egress = Egress(AllowList(), Names(rebind_example=[["127.0.0.1"]]), judge=judge)
        response = await post(egress, f"https://rebind.example:{inside.port}/")
        await egress.close()
        assert response == Failure(FailureReason.BLOCKED_ADDRESS)
        assert opened == ["127.0.0.1", "127.0.0.1"]
        assert inside.connections == 0


async def test_connection_to_the_checked_address_sends_the_host_name_in_sni_and_host_header(tmp_path: Path):
    authority = Authority(tmp_path)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(*authority.issue("receiver.example", "receiver", names=("receiver.example",)))
    asked: list[str | None] = []
    served.sni_callback = lambda connection, name, context: asked.append(name)
    trusting = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
    hosts: list[str] = []

    async def serve(request: web.Request) -> web.Response:
        hosts.append(request.host)
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=served)
    await site.start()
    port = runner.addresses[0][1]
    names = Names(receiver_example=[["127.0.0.1"]], impostor_example=[["127.0.0.1"]])
    egress = Egress(AllowList(), names, tls=trusting, judge=lambda address: True)
    response = await post(egress, f"https://receiver.example:{port}/")
    impostor = await post(egress, f"https://impostor.example:{port}/")
    await egress.close()
    await runner.cleanup()
    assert isinstance(response, Response)
    assert response.status == 204
    assert hosts == [f"receiver.example:{port}"]
    assert asked == ["receiver.example", "impostor.example"]
    assert impostor == Failure(FailureReason.TLS_FAILURE)


@pytest.mark.contract("S-093", "A-062")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_response_is_returned_and_not_followed(status: int):
    async with receiving() as inside, receiving() as receiver:
        receiver.always = respond_with(status, Location=inside.url())
        egress = egress_to(receiver, inside)
        response = await post(egress, receiver.url())
        await egress.close()
        assert isinstance(response, Response)
        assert response.status == status
        assert inside.connections == 0
        assert len(receiver.received) == 1


@pytest.mark.contract("S-094")
async def test_endless_response_body_is_truncated_and_uses_less_than_four_megabytes_of_memory():
    async with receiving(always=endless) as receiver:
        egress = egress_to(receiver)
        tracemalloc.start()
        responses = [await post(egress, receiver.url()) for _ in range(3)]
        peak_octets = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        await egress.close()
    for response in responses:
        assert isinstance(response, Response)
        assert (response.status, len(response.body), response.complete) == (200, RESPONSE_BYTES_MAX, False)
    assert peak_octets < 4_000_000


@pytest.mark.contract("S-094")
async def test_response_with_a_gigabyte_content_length_is_truncated():
    async def promise(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(10**9)})
        await response.prepare(request)
        with suppress(ConnectionError):
            for _ in range(20):
                await response.write(b"x" * 65_536)
        raise ConnectionResetError

    async with receiving(always=promise) as receiver:
        egress = egress_to(receiver)
        response = await post(egress, receiver.url())
        await egress.close()
    assert isinstance(response, Response)
    assert (len(response.body), response.complete) == (RESPONSE_BYTES_MAX, False)


@pytest.mark.contract("S-094")
async def test_compressed_response_body_is_not_decompressed():
    bomb = b"\x1f\x8b" + b"not really a bomb"
    async with receiving(always=respond_with(200, bomb, Content_Encoding="gzip")) as receiver:
        egress = egress_to(receiver)
        response = await post(egress, receiver.url())
        await egress.close()
    assert isinstance(response, Response)
    assert response.body == bomb


@pytest.mark.contract("S-094", "A-062")
async def test_request_to_a_receiver_that_does_not_respond_times_out():
    async with receiving(always=hanging) as receiver:
        egress = egress_to(receiver, request_s_max=0.05)
        response = await post(egress, receiver.url())
        await egress.close()
    assert response == Failure(FailureReason.TIMEOUT)


@pytest.mark.contract("S-094")
async def test_response_body_is_truncated_when_the_request_reaches_its_time_limit(monkeypatch: pytest.MonkeyPatch):
    loop = asyncio.get_running_loop()
    now_s, read, passed_s = loop.time, client._read, 0.0

    async def read_late(response: aiohttp.ClientResponse, deadline_s: float) -> tuple[bytes, bool]:
        nonlocal passed_s
        await eventually(lambda: response.content.total_bytes == len(b"drop"))
        passed_s = client.REQUEST_S_MAX
        return await read(response, deadline_s)

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=202)
        await response.prepare(request)
        await response.write(b"drop")
        await asyncio.Event().wait()
        return response

    async with receiving(always=drip) as receiver:
        egress = egress_to(receiver)
        with monkeypatch.context() as patched:
            patched.setattr(loop, "time", lambda: now_s() + passed_s)
            patched.setattr(client, "_read", read_late)
            response = await post(egress, receiver.url())
        await egress.close()
    assert isinstance(response, Response)
    assert (response.status, response.body, response.complete) == (202, b"drop", False)


@pytest.mark.contract("S-094")
@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"", FailureReason.CONNECTION_LOST),
        (b"nonsense\r\n\r\n", FailureReason.RESPONSE_MALFORMED),
        (b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 500 + b"\r\n", FailureReason.RESPONSE_MALFORMED),
        (b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 9000 + b"\r\n\r\n", FailureReason.RESPONSE_MALFORMED),
    ],
)
async def test_invalid_http_response_is_reported_with_its_failure_reason(sent: bytes, reason: FailureReason):
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    egress = Egress(AllowList([("127.0.0.1", port)]), Names())
    assert await post(egress, f"http://127.0.0.1:{port}/") == Failure(reason)
    await egress.close()
    server.close()


async def test_closed_port_is_reported_as_a_connect_failure():
    async with receiving() as receiver:
        pass
    egress = egress_to(receiver)
    assert await post(egress, receiver.url()) == Failure(FailureReason.CONNECT_FAILURE)
    await egress.close()
