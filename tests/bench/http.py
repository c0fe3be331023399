"""`http.*`: the rate of requests over sockets, against a bare aiohttp handler that returns the same body.

Our side is the real `argus-cloud serve`, all roles in one process, with real tokens, tenancy, limits, audit, trace and,
for a POST, a durable commit before the response. The reference is an aiohttp application with one route in its own
process. Both get the same load: 32 kept-alive connections, each of which sends its next request after each response.
"""

import asyncio
import atexit
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from simulators.demo.free_ports import free_port
from tests.harness.postgresql import postgresql_running
from tests.harness.running_cloud import cloud_running

Run = Callable[[], int]

CONNECTIONS = 32
REQUESTS = 1_600
"""Requests of one run, over all connections."""

OBSERVATIONS = 1_000
"""Observations of the encounter whose summary is read."""

_UNLIMITED = "requests_per_minute = 100000000\nwrites_per_minute = 100000000\n"

_BARE = """
import sys
from aiohttp import web
body, status, port = sys.argv[1].encode(), int(sys.argv[2]), int(sys.argv[3])
async def bare(request):
    await request.read()
    return web.Response(body=body, status=status, content_type="application/json")
app = web.Application()
app.router.add_route(sys.argv[4], sys.argv[5], bare)
web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)
"""


def measure_observation_post() -> tuple[Run, Run]:
    """Return two runs: POSTs of an observation to the cloud on SQLite, and to the bare handler."""
    return ServedCloud().observation_post()


def measure_observation_post_postgresql() -> tuple[Run, Run]:
    """Return two runs: POSTs of an observation to the cloud on PostgreSQL, and to the bare handler."""
    return ServedCloud(postgresql=True).observation_post()


def measure_authenticated_get() -> tuple[Run, Run]:
    """Return two runs: GETs of a list of devices from the cloud on SQLite, and from the bare handler."""
    return ServedCloud().authenticated_get()


def measure_authenticated_get_postgresql() -> tuple[Run, Run]:
    """Return two runs: GETs of a list of devices from the cloud on PostgreSQL, and from the bare handler."""
    return ServedCloud(postgresql=True).authenticated_get()


class ServedCloud:
    """A running cloud with one enrolled device, and clients of it; it is stopped when the interpreter ends."""

    def __init__(self, *, postgresql: bool = False) -> None:
        self._open = ExitStack()
        atexit.register(self._open.close)
        folder = Path(self._open.enter_context(tempfile.TemporaryDirectory()))
        url = None
        if postgresql:
            cluster = self._open.enter_context(postgresql_running())
            cluster.administer("CREATE DATABASE ours TEMPLATE template0")
            url = cluster.url("ours")
        self._cloud = self._open.enter_context(cloud_running(folder, url, more_limits=_UNLIMITED))
        self._token = self._cloud.token("north")
        with self._cloud.client("north") as client:
            body = {"serial_number": "SN-BENCH", "device_class": "oximeter", "manufacturer": "Synthetic"}
            self._device = client.post("/api/v1/devices/enrol", json=body).json()["id"]

    def observation_post(self) -> tuple[Run, Run]:
        body = json.dumps({"mdc_code": "MDC_PULS_OXIM_SAT_O2", "value": 97.0, "unit_code": "%"}).encode()
        return self.pair("POST", f"/api/v1/devices/{self._device}/observations", body)

    def encounter_with_observations(self) -> str:
        """Begin an encounter, assign the device to it and post `OBSERVATIONS` values; return the encounter's id."""
        with self._cloud.client("north") as client:
            encounter = client.post("/api/v1/epcr/encounters", json={"care_model": "event_medical"}).json()["id"]
            named = ("--device", self._device, "--encounter", encounter)
            self._cloud.console("assignments", "add", "--tenant", "tnt_one", *named)
            body = {"mdc_code": "MDC_PULS_OXIM_SAT_O2", "value": 97.0, "unit_code": "%"}
            for _ in range(OBSERVATIONS):
                client.post(f"/api/v1/devices/{self._device}/observations", json=body).raise_for_status()
        return str(encounter)

    def authenticated_get(self) -> tuple[Run, Run]:
        return self.pair("GET", "/api/v1/devices?limit=1", b"")

    def pair(self, method: str, target: str, body: bytes) -> tuple[Run, Run]:
        with self._cloud.client("north") as client:
            sample = client.request(method, target, content=body, headers={"Content-Type": "application/json"})
        assert sample.status_code in (200, 201), sample.text
        head = (
            f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self._token}\r\n"
            "Accept: application/json\r\n"
        )
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        request = f"{head}\r\n".encode() + body
        port = free_port()
        path = target.partition("?")[0]
        words = [sys.executable, "-c", _BARE, sample.text, str(sample.status_code), str(port), method, path]
        bare = subprocess.Popen(words)
        self._open.callback(bare.kill)
        ours = Load(self._cloud.ports["api"], request, sample.status_code)
        reference = Load(port, request, sample.status_code)
        self._open.callback(ours.close)
        self._open.callback(reference.close)
        return ours.run, reference.run


class _Client(asyncio.Protocol):
    """A connection that sends the same request again after each complete response."""

    def __init__(self, request: bytes, status: bytes) -> None:
        self._request = request
        self._status = status
        self._received = b""
        self._left = 0
        self._done: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self, times: int) -> "asyncio.Future[None]":
        assert self._transport is not None
        self._left = times
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(self._request)
        return self._done

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        assert self._done is not None
        received = self._received + data if self._received else data
        end = received.find(b"\r\n\r\n")
        if end < 0:
            self._received = received
            return
        at = received.lower().find(b"content-length: ", 0, end)
        length = int(received[at + 16 : received.find(b"\r", at + 16)])
        if len(received) < end + 4 + length:
            self._received = received
            return
        self._received = b""
        if received[9:12] != self._status:
            self._done.set_exception(AssertionError(received[:400]))
            return
        self._left -= 1
        if self._left:
            self._transport.write(self._request)
        else:
            self._done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(exc or ConnectionResetError("the server ended the connection"))


class Load:
    """Connections to one server, which stay open over all runs."""

    def __init__(self, port: int, request: bytes, status: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._port = port
        self._request = request
        self._status = str(status).encode()
        self._clients = self._loop.run_until_complete(self._connect())

    async def _connect(self) -> list[_Client]:
        loop = asyncio.get_running_loop()
        clients = []
        for _ in range(CONNECTIONS):
            async with asyncio.timeout(20):
                while True:
                    try:
                        _, client = await loop.create_connection(
                            lambda: _Client(self._request, self._status), "127.0.0.1", self._port
                        )
                        break
                    except ConnectionRefusedError:
                        await asyncio.sleep(0.05)  # the reference is still starting
            clients.append(client)
        return clients

    def run(self) -> int:
        """Send `REQUESTS` requests and read their responses; return the number of requests. A response without the
        expected status raises AssertionError."""
        self._loop.run_until_complete(self._asked())
        return REQUESTS

    async def _asked(self) -> None:
        await asyncio.gather(*(client.ask(REQUESTS // CONNECTIONS) for client in self._clients))

    def close(self) -> None:
        for client in self._clients:
            if client._transport is not None:
                client._transport.abort()
        self._loop.close()
