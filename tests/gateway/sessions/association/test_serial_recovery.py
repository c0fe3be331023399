"""Serial lines that fail in every known way: the device is connected again under its own system id, without a restart
of the gateway.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.transports.link import Link
from gateway.transports.serial_port import SerialPort
from protocols.ieee11073.association.settings import ManagerSettings
from tests.builders.gateway_device import Device, device_id, device_on
from tests.builders.gateway_sessions import Sessions, sessions
from tests.builders.ieee11073_apdus import abrt
from tests.builders.serial_far_end import heard_until, request
from tests.builders.serial_shared_line import SharedLine
from tests.builders.serial_streaming_device import INTERVAL_S, streaming_device
from tests.harness.eventually import eventually
from tests.harness.pty_pair import pty_pair
from tests.harness.serial_socket import SerialSocket

IMPATIENT = ManagerSettings(
    to_apdu_s=0.2, to_get_s=0.2, scanner_silent_intervals=3, scanner_silent_s_min=3 * INTERVAL_S
)


@asynccontextmanager
async def plugged_in(socket: SerialSocket, number: int = 1) -> AsyncIterator[Device]:
    """Plug a device into the socket with a new cable; after the block, pull the cable without a message from the
    device."""
    line = await socket.plug_in()
    try:
        async with device_on(line, number) as made:
            yield made
    finally:
        socket.pull_out()


async def values(gateway: Sessions) -> dict[str, list[float]]:
    """Map the system id of each device to the device's stored values, in order."""
    found: dict[str, list[float]] = {}
    for record in await gateway.stored():
        assert isinstance(record.value, float)
        found.setdefault(record.device.system_id, []).append(record.value)
    return found


async def test_replugged_device_reconnects_under_another_device_node(tmp_path: Path):
    socket = SerialSocket(tmp_path / "monitor")
    nodes: dict[str, int] = {}
    async with sessions(tmp_path, serial=socket.path) as gateway:
        (port,) = gateway.supervisor.ports
        for turn in range(3):
            async with plugged_in(socket) as thermometer:
                # An open descriptor keeps the node's name from being reused, as with a real adapter.
                nodes[socket.node] = os.open(socket.node, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
                assert await thermometer.measure(36.0 + turn) == "answered"
        assert await values(gateway) == {device_id(1).hex(): [36.0, 37.0, 38.0]}
        assert port.openings == len(nodes) == 3
    for descriptor in nodes.values():
        os.close(descriptor)


@pytest.mark.parametrize("name_stays", [True, False])
async def test_pulling_the_cable_in_the_middle_of_a_report_loses_only_that_report(tmp_path: Path, name_stays: bool):
    socket = SerialSocket(tmp_path / "monitor")
    async with sessions(tmp_path, serial=socket.path) as gateway:
        line = await socket.plug_in()
        await line.send(request())
        await heard_until(line, b"\xe3\x00\x00\x2c")
        await line.send(b"\xe7\x00\x00\x40\x00\x3e half a report")
        socket.pull_out(name_stays=name_stays)
        await eventually(lambda: gateway.supervisor.ports[0].link is None)
        async with plugged_in(socket) as thermometer:
            assert await thermometer.measure(36.6) == "answered"
        assert await values(gateway) == {device_id(1).hex(): [36.6]}


async def test_devices_replugged_into_each_others_ports_are_identified_by_their_system_ids(tmp_path: Path):
    left, right = SerialSocket(tmp_path / "left"), SerialSocket(tmp_path / "right")
    async with sessions(tmp_path, serial=(left.path, right.path)) as gateway:
        async with plugged_in(left, 1) as one, plugged_in(right, 2) as two:
            await one.measure(31.0)
            await two.measure(32.0)
        await eventually(lambda: all(port.link is None for port in gateway.supervisor.ports))
        async with plugged_in(left, 2) as two, plugged_in(right, 1) as one:
            await one.measure(31.5)
            await two.measure(32.5)
            held = {session.link.name: session.device for session in gateway.supervisor.sessions}
            for socket, number in ((right, 1), (left, 2)):
                device = held[f"serial:{socket.path}"]
                assert device is not None
                assert device.ref.system_id == device_id(number).hex()
        assert await values(gateway) == {device_id(1).hex(): [31.0, 31.5], device_id(2).hex(): [32.0, 32.5]}


async def test_devices_swapped_between_adapters_are_identified_by_their_system_ids(tmp_path: Path):
    async with (
        pty_pair() as first,
        pty_pair() as second,
        sessions(tmp_path, serial=(first.left, second.left)) as gateway,
    ):
        lines: list[Link] = [await SerialPort(pair.right, 115_200, "raw").accept() for pair in (first, second)]
        await eventually(lambda: len(gateway.supervisor.sessions) == 2)
        served = list(gateway.supervisor.sessions)
        for number, line in enumerate(lines, start=1):
            async with device_on(SharedLine(line), number) as made:
                await made.measure(30.0 + number)
        # No line hangs up: for the gateway both devices are still on their previous lines.
        assert all(session.device is not None for session in served)
        for number, line in enumerate(reversed(lines), start=1):
            await line.send(request(number))  # a request inside an association ends the other device's first
            await heard_until(line, abrt())
        for number, line in enumerate(reversed(lines), start=1):
            async with device_on(SharedLine(line), number) as made:
                await made.measure(30.5 + number)
                await made.leave()
        assert await values(gateway) == {device_id(1).hex(): [31.0, 31.5], device_id(2).hex(): [32.0, 32.5]}
        assert gateway.supervisor.sessions == served, "and the lines were never closed"
        for line in lines:
            await line.close()


@pytest.mark.parametrize(
    ("left_off", "why"),
    [
        (request() + b"\xe7\x00\x00\x40\x00\x3e", "aborted by us: an APDU began and did not go on"),
        (request(), "aborted by us: no answer in time in state OPERATING"),
    ],
    ids=["in the middle of an APDU", "after its association"],
)
async def test_device_that_stops_in_the_middle_of_a_message_exchange_is_aborted(
    tmp_path: Path, left_off: bytes, why: str
):
    async with pty_pair() as pair, sessions(tmp_path, serial=pair.left, manager=IMPATIENT) as gateway:
        line = await SerialPort(pair.right, 115_200, "raw").accept()
        await eventually(lambda: gateway.supervisor.sessions)
        (session,) = gateway.supervisor.sessions
        await line.send(left_off)
        await heard_until(line, b"\xe6\x00")

        async def ended() -> list[object]:
            return [each.fields["why"] for each in await gateway.events() if each.name == "device.disconnected"]

        assert await eventually(ended) == [why]
        async with device_on(SharedLine(line), 1) as thermometer:
            assert await thermometer.measure(36.6) == "answered"
            await thermometer.leave()
        assert gateway.supervisor.sessions == [session]
        await line.close()


async def test_device_with_a_silent_scanner_is_disconnected_only_if_it_does_not_respond_to_a_get(tmp_path: Path):
    async with pty_pair() as pair, sessions(tmp_path, serial=pair.left, manager=IMPATIENT) as gateway:
        line = await SerialPort(pair.right, 115_200, "raw").accept()
        await eventually(lambda: gateway.supervisor.sessions)
        (session,) = gateway.supervisor.sessions
        async with streaming_device(SharedLine(line)) as monitor:
            await eventually(lambda: session.counts.reports > 3, what="the stream has begun")
            monitor.streams = False
            last_report_s = gateway.context.clock.monotonic_s() + INTERVAL_S

            async def times_told(name: str) -> int:
                return (await gateway.event_names()).count(name)

            await eventually(lambda: times_told("scanner.fell_silent"))
            await eventually(lambda: session.last_byte_s > last_report_s or session.device is None, what="an answer")
            assert session.device is not None, "it answers, so it is there, whatever its scanner does"
            monitor.streams = True
            await eventually(lambda: times_told("scanner.resumed"))
            await monitor.go_dead()
            await eventually(lambda: times_told("device.disconnected"), what="the dead line is given up")
        whys = [each.fields["why"] for each in await gateway.events() if each.name == "device.disconnected"]
        assert whys == ["aborted by us: no answer in time in state OPERATING"]
        assert gateway.supervisor.sessions == [session], "and the line is kept for who comes next"
        await line.close()
