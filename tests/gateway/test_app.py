"""The complete gateway in the test's process, mostly with a clock that the test moves."""

import asyncio
import socket
import threading
from contextlib import asynccontextmanager, contextmanager, suppress

import pytest

from gateway.app import Gateway
from gateway.cli.provision import provisioned
from gateway.composition import own_system_id
from gateway.health import STORE_SILENT_S, Notifier
from gateway.security.identity import IdentityUnusable
from gateway.sessions.clocks.trusted_clock import BUILD_US
from gateway.settings import load
from tests.harness.eventually import eventually
from tests.harness.gateway_process import Vehicle
from tests.harness.moved_clock import MovedClock


@asynccontextmanager
async def running(vehicle, clock, notifier=None):
    stop = asyncio.Event()
    gateway = Gateway(load(vehicle.config), clock=clock, notifier=notifier)
    task = asyncio.create_task(gateway.run(stop))
    await eventually(lambda: vehicle.control_path.exists() or task.done())
    try:
        yield gateway
    finally:
        stop.set()
        await task


def provisioned_vehicle(folder):
    vehicle = Vehicle(folder)
    provisioned(load(vehicle.config))
    return vehicle


async def test_gateway_without_a_clock_battery_continues_from_its_last_known_time(tmp_path):
    vehicle = provisioned_vehicle(tmp_path)
    clock = MovedClock(wall_us=0)
    async with running(vehicle, clock):
        first = await vehicle.status()
        assert first["clock"]["wall"] >= "2026-01-01"
        await clock.advance(3 * 3600.0)
    async with running(vehicle, MovedClock(wall_us=0, boot_id="boot-2")):
        later = await vehicle.status()
    assert later["clock"]["wall"] > "2026-01-01T02:59"
    assert BUILD_US > 0


async def test_gateway_reports_readiness_once_after_its_tcp_port_and_control_socket_are_open(tmp_path):
    vehicle, stop, said = provisioned_vehicle(tmp_path), asyncio.Event(), []
    gateway = Gateway(load(vehicle.config), clock=MovedClock())

    def serving() -> None:
        said.append((gateway.tcp.address[1], vehicle.control_path.exists()))
        stop.set()

    await gateway.run(stop, serving)
    assert said == [(vehicle.address[1], True)]


async def test_gateway_with_the_keys_of_another_gateway_does_not_start(tmp_path):
    vehicle = provisioned_vehicle(tmp_path)
    vehicle.config.write_text(vehicle.config.read_text().replace("gw_test", "gw_other"))
    with pytest.raises(IdentityUnusable, match="not of gw_other"):
        await Gateway(load(vehicle.config)).run(asyncio.Event())


async def test_gateway_runs_when_the_crew_page_cannot_start(tmp_path):
    vehicle = provisioned_vehicle(tmp_path)
    vehicle.config.write_text(vehicle.config.read_text() + '[crew]\nlisten = "127.0.0.1:0"\npin_file = "none"\n')
    async with running(vehicle, MovedClock()):
        assert (await vehicle.status())["running"]


async def test_gateway_runs_when_its_tcp_address_is_in_use(tmp_path):
    vehicle = provisioned_vehicle(tmp_path)
    taken = await asyncio.start_server(lambda reader, writer: None, *vehicle.address)
    async with taken, running(vehicle, MovedClock()):
        assert (await vehicle.status())["running"]


@contextmanager
def listening_systemd(path):
    """Receive systemd notifications at the socket `path`; yield a function that returns the number of watchdog
    messages."""
    fed = 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.setblocking(False)

        def feedings() -> int:
            nonlocal fed
            with suppress(BlockingIOError):
                while True:
                    fed += listener.recv(4096) == b"WATCHDOG=1"
            return fed

        yield feedings


@pytest.mark.finding("edge-C6")
async def test_watchdog_is_notified_while_the_store_does_not_respond(tmp_path):
    vehicle, clock = provisioned_vehicle(tmp_path), MovedClock()
    stalls, resumed = threading.Event(), threading.Event()
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "60000000"}

    def stall(_store: object) -> None:
        stalls.set()
        resumed.wait(300)

    with listening_systemd(tmp_path / "notify") as feedings:
        async with running(vehicle, clock, Notifier(environment)) as gateway:
            await eventually(feedings)
            stalled = asyncio.create_task(gateway.buffer._store.task(stall))
            # Work that was queued before the stall still responds: time moves only after it.
            await eventually(stalls.is_set)
            gateway._clock._disciplined = lambda: 1
            before = feedings()
            try:
                for _ in range(8):
                    await clock.advance(30.0)
                assert feedings() >= before + 8
                assert (await gateway.console.status())["store"]["silent_s"] > STORE_SILENT_S
                assert not gateway.console.crew_status().store_ok
            finally:
                resumed.set()
                await stalled


async def test_status_command_reports_the_longest_stall_of_the_event_loop(tmp_path):
    async with running(provisioned_vehicle(tmp_path), MovedClock()) as gateway:
        status = await gateway.console.status()
        assert status["event_loop"] == {"longest_stall_s": 0.0}
        assert status["store"]["silent_s"] == 0.0


def test_gateway_system_id_is_constant_and_locally_administered():
    assert own_system_id("gw_1") == own_system_id("gw_1")
    assert own_system_id("gw_1") != own_system_id("gw_2")
    assert own_system_id("gw_1")[0] & 0x03 == 0x02
