"""A serial line that delivers only noise, or does not open, is reported once; a silent device is not reported."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.sessions.association.line_watch import LOOK_EVERY_S, NOISE_BYTES, SILENT_S
from gateway.transports.link import Link
from gateway.transports.serial_port import Framing, SerialPort
from tests.builders.gateway_device import device_on
from tests.builders.gateway_sessions import Sessions, sessions
from tests.builders.ieee11073_apdus import abrt
from tests.builders.serial_far_end import heard_until, request
from tests.builders.serial_shared_line import SharedLine
from tests.builders.serial_watch import Watched
from tests.builders.serial_wrong_baud import heard_at
from tests.harness.eventually import eventually
from tests.harness.pty_pair import pty_pair


@asynccontextmanager
async def watched_cable(folder: Path, framing: Framing = "raw") -> AsyncIterator[tuple[Sessions, Link, Watched]]:
    """Run the gateway's sessions on one end of a cable.

    Yield the sessions, an unframed link at the other end, and the line watch (the check of serial lines for faults).
    The test itself triggers the watch.
    """
    async with pty_pair() as pair, sessions(folder, serial=pair.left, framing=framing) as gateway:
        await eventually(lambda: gateway.supervisor.sessions, what="the port is open")
        line = await SerialPort(pair.right, 115_200, "raw").accept()
        try:
            yield gateway, line, Watched(gateway)
        finally:
            await line.close()


async def bring(gateway: Sessions, line: Link, octets: bytes) -> None:
    """Send bytes on the line, and return when the gateway has received them."""
    link = gateway.supervisor.ports[0].link
    assert link is not None
    expected = link.received_bytes + len(octets)
    await line.send(octets)
    await eventually(lambda: link.received_bytes >= expected, what="the octets arrive")


@pytest.mark.parametrize(("framing", "other"), [("raw", "hdlc"), ("hdlc", "raw")])
@pytest.mark.parametrize("device_baud", [9_600, 57_600, 921_600])
async def test_noise_of_a_device_at_another_baud_rate_is_reported_once(tmp_path, framing, other, device_baud):
    async with watched_cable(tmp_path, framing) as (gateway, line, watch):
        garbage = heard_at(115_200, request() * 3, sent_baud=device_baud)
        for _ in range(6):
            await bring(gateway, line, garbage)
            await watch.look()
        assert watch.told == ["serial.not_understood"], "once, however long it goes on"
        (sentence,) = watch.sentences
        assert f"at 115200 baud with framing {framing}" in sentence
        assert f"framing to {other}" in sentence
        assert len(gateway.supervisor.sessions) == 1, "the line is kept and read"
        told_besides = await gateway.event_names()
        assert len(told_besides) <= 1, "and its session says no more than that the stream is lost"


async def test_line_noise_is_reported_again_after_an_accepted_association_request(tmp_path):
    async with watched_cable(tmp_path) as (gateway, line, watch):
        for _ in range(2):
            for _ in range(3):
                await bring(gateway, line, os.urandom(40).replace(b"\xe2", b"\xe1"))
                await watch.look()
            await heard_until(line, abrt())  # our response to the noise; an associating device would receive it
            async with device_on(SharedLine(line)) as thermometer:
                assert await thermometer.measure(36.6) == "answered"
                await watch.look()
                await thermometer.leave()
            await watch.look()
        assert watch.told == ["serial.not_understood"] * 2


async def test_noise_bytes_below_the_limit_are_not_reported(tmp_path):
    async with watched_cable(tmp_path) as (gateway, line, watch):
        await bring(gateway, line, b"\x00\xff\x00")
        await watch.look()
        await bring(gateway, line, bytes(NOISE_BYTES - 4))
        for _ in range(10):
            await watch.look()
        assert watch.told == []


async def test_associated_thermometer_without_reports_is_neither_reported_nor_disconnected(tmp_path):
    async with watched_cable(tmp_path) as (gateway, line, watch), device_on(SharedLine(line)) as thermometer:
        (session,) = gateway.supervisor.sessions
        for _ in range(round(600 / LOOK_EVERY_S)):
            await watch.look()
        assert watch.told == []
        assert gateway.supervisor.sessions == [session]
        assert thermometer.operating
        assert await thermometer.measure(36.6) == "answered"
        await thermometer.leave()


async def test_serial_port_that_does_not_open_is_reported_once_for_each_reason(tmp_path):
    path = tmp_path / "ttyMonitor"
    async with pty_pair() as pair, sessions(tmp_path, serial=str(path)) as gateway:
        watch, (port,) = Watched(gateway), gateway.supervisor.ports
        await eventually(lambda: port.trouble is not None)
        await watch.look()
        await watch.look()
        assert watch.told == ["serial.not_open"]
        path.symlink_to("ttyGone")
        await eventually(lambda: port.trouble is not None and "leads to" in port.trouble.sentence)
        await watch.look()
        assert watch.told == ["serial.not_open"] * 2
        path.unlink()
        path.symlink_to(pair.left)
        await eventually(lambda: port.link is not None)
        await watch.look()
        assert watch.told == ["serial.not_open"] * 2 + ["serial.opens_again"]


async def test_serial_port_symlink_moved_to_another_port_is_followed_after_the_old_port_is_silent(tmp_path):
    path = tmp_path / "ttyMonitor"
    async with pty_pair() as old, pty_pair() as new:
        path.symlink_to(old.left)
        async with sessions(tmp_path, serial=str(path)) as gateway:
            watch, (port,) = Watched(gateway), gateway.supervisor.ports
            await eventually(lambda: port.link is not None)
            line = await SerialPort(old.right, 115_200, "raw").accept()
            async with device_on(line) as thermometer:
                path.unlink()
                await watch.look()
                assert watch.told == [], "a name that leads to nothing changes nothing"
                path.symlink_to(new.left)
                assert await thermometer.measure(36.6) == "answered"
                await watch.look()
                assert watch.told == ["serial.name_moved"]
                assert new.left_node in watch.sentences[0]
                assert await thermometer.measure(36.7) == "answered"
                assert port.node == old.left_node
                await watch.clock.advance(SILENT_S + 60)
                await watch.look()
            await eventually(lambda: port.node == new.left_node)
            line = await SerialPort(new.right, 115_200, "raw").accept()
            async with device_on(line) as thermometer:
                assert await thermometer.measure(36.8) == "answered"
                await thermometer.leave()
            await watch.look()
            assert watch.told == ["serial.name_moved"]


@pytest.mark.finding("edge-check-6")
async def test_baud_rate_is_not_named_as_the_cause_of_noise_on_a_port_where_a_device_worked(tmp_path):
    async with watched_cable(tmp_path) as (gateway, line, watch):
        async with device_on(line, 1) as thermometer:
            await thermometer.measure(36.6)
            await watch.look()
            await bring(gateway, line, abrt())
        reopened = await SerialPort(str(line.name.removeprefix("serial:")), 115_200, "raw").accept()
        await eventually(lambda: gateway.supervisor.sessions[0].device is None)
        for _ in range(6):
            await bring(gateway, reopened, b"\x55" * 40)
            await watch.look()
        (sentence,) = watch.sentences
        assert "a device has worked there at 115200 baud" in sentence
        assert "set baud" not in sentence
        await reopened.close()
