"""Devices on one serial line, one after the other: no event on the line loses bytes that have already been sent."""

import fcntl
import os
import struct
import termios
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.transports.link import Link
from gateway.transports.serial_port import SerialPort
from tests.builders.gateway_device import device, device_id, device_on
from tests.builders.gateway_sessions import Sessions, sessions
from tests.builders.ieee11073_apdus import abrt
from tests.builders.serial_far_end import heard_until, request
from tests.harness.eventually import eventually
from tests.harness.pty_pair import pty_pair

PAUSES_S = (0.1, 0.2)
"""Pauses before the first associations that follow four others too quickly."""


@asynccontextmanager
async def cable(folder: Path) -> AsyncIterator[tuple[Sessions, Link]]:
    """Run the gateway's sessions on one end of a cable; yield the sessions and the link at the other end."""
    async with pty_pair() as pair, sessions(folder, serial=pair.left) as gateway:
        await eventually(lambda: gateway.supervisor.sessions, what="the port is open")
        other_end = await SerialPort(pair.right, 115_200, "raw").accept()
        try:
            yield gateway, other_end
        finally:
            await other_end.close()


async def test_association_request_that_arrives_together_with_line_noise_is_accepted(tmp_path):
    async with cable(tmp_path) as (gateway, line):
        (session,) = gateway.supervisor.sessions
        await line.send(request() + b"\xff\x00noise" + request())
        heard = await heard_until(line, b"\xe6\x00")
        if heard.count(b"\xe3\x00\x00\x2c") < 2:
            heard += await heard_until(line, b"\xe3\x00\x00\x2c")

        async def story() -> list[str]:
            return [name for name in await gateway.event_names() if name != "device.identified"]

        await eventually(lambda: _ends_with(story, "device.connected", 2))
        assert await story() == ["device.connected", "device.deviation", "device.disconnected", "device.connected"]
        assert gateway.supervisor.sessions == [session]
        await line.send(abrt())


async def _ends_with(story: Callable[[], Awaitable[list[str]]], name: str, count: int) -> bool:
    told = await story()
    return told[-1:] == [name] and told.count(name) == count


async def test_association_request_sent_before_the_opening_of_the_port_is_accepted(tmp_path):
    async with pty_pair() as pair:
        line = await SerialPort(pair.right, 115_200, "raw").accept()
        await line.send(b"the end of something" + request())
        await eventually(lambda: _waiting_bytes(pair.left) > len(request()))
        async with sessions(tmp_path, serial=pair.left) as gateway:
            await heard_until(line, b"\xe3\x00\x00\x2c")
            (session,) = gateway.supervisor.sessions
            await eventually(lambda: session.device is not None)
            await line.send(abrt())
        await line.close()


def _waiting_bytes(port: str) -> int:
    """Return the number of bytes that this terminal has received and no program has read."""
    descriptor = os.open(port, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        (count,) = struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)))
        return int(count)
    finally:
        os.close(descriptor)


async def test_two_successive_devices_on_one_cable_are_stored_under_their_own_system_ids(tmp_path):
    async with cable(tmp_path) as (gateway, line):
        (session,) = gateway.supervisor.sessions
        # The first device is unplugged in the middle of a report, so the manager still considers it associated.
        await line.send(request(1))
        await eventually(lambda: session.device is not None and session.device.ref.system_id == device_id(1).hex())
        await line.send(request(2))  # the manager then ends the first association, as the standard requires
        await heard_until(line, abrt())
        await eventually(lambda: session.device is None)
        async with device_on(line, 2) as second:
            assert await second.measure(37.5) == "answered"
            await second.leave()
            assert gateway.supervisor.sessions == [session]
        assert [(row.device.system_id, row.value) for row in await gateway.stored()] == [(device_id(2).hex(), 37.5)]
        shown = {each.device.ref.system_id: each.device.connected for each in gateway.context.live.snapshot()}
        assert shown == {device_id(1).hex(): False, device_id(2).hex(): False}
        known = [each.system_id for each in gateway.context.roster.devices()]
        assert set(known) == {device_id(1).hex(), device_id(2).hex()}


async def test_association_of_a_second_cabled_device_with_the_same_system_id_is_aborted(tmp_path):
    async with pty_pair() as one, pty_pair() as other, sessions(tmp_path, serial=(one.left, other.left)) as gateway:
        await eventually(lambda: len(gateway.supervisor.sessions) == 2, what="both ports are open")
        both = gateway.supervisor.sessions
        first_line = await SerialPort(one.right, 115_200, "raw").accept()
        line = await SerialPort(other.right, 115_200, "raw").accept()
        async with device_on(first_line, 1) as first:
            await first.measure(36.6)
            await line.send(request(1))
            await heard_until(line, abrt())
            assert await first.measure(36.7) == "answered"
            assert gateway.supervisor.sessions == both
            async with device_on(line, 2) as second:
                assert await second.measure(37.5) == "answered"
                await second.leave()
        await line.close()


async def test_next_association_is_delayed_when_a_device_associates_and_aborts_repeatedly(tmp_path):
    async with cable(tmp_path) as (gateway, line), device(gateway.address, 2) as thermometer:
        clock = gateway.context.clock
        began_s = clock.monotonic_s()
        rounds = 4 + len(PAUSES_S)
        for _ in range(rounds):
            await line.send(request(1) + abrt())
        assert await thermometer.measure(36.6) == "answered"

        async def all_over() -> bool:
            return [each.device for each in await gateway.events()].count(device_id(1).hex()) == 2 * rounds

        await eventually(all_over)
        assert clock.monotonic_s() - began_s > sum(PAUSES_S)
        assert {each.link.is_line for each in gateway.supervisor.sessions} == {True, False}
