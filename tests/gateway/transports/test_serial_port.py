"""Serial ports: opening, loss, reopening, and noise on the line."""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.transports.descriptor_link import DescriptorLink
from gateway.transports.hdlc_link import HdlcLink, apdus
from gateway.transports.link import RECEIVE_BYTES_MAX, Link
from gateway.transports.port_trouble import TroubleKind
from gateway.transports.serial_port import LAST_PAUSE_S, STEADY_S, Framing, SerialPort
from protocols.framing.hdlc import FLAG, frame
from tests.harness.eventually import WITHIN_S, eventually
from tests.harness.moved_clock import MovedClock
from tests.harness.pty_pair import PtyPair, pty_pair


def apdu(number: int, size: int = 40) -> bytes:
    """Return a data APDU that contains `number`, with `size` bytes after its header."""
    return b"\xe7\x00" + size.to_bytes(2, "big") + number.to_bytes(4, "big") + bytes(size - 4)


async def open_both(pair: PtyPair, framing: Framing) -> tuple[Link, Link]:
    gateway = await SerialPort(pair.left, 115_200, framing).accept()
    device = await SerialPort(pair.right, 115_200, framing).accept()
    return gateway, device


async def read_exactly(link: Link, size: int) -> bytes:
    data = b""
    async with asyncio.timeout(WITHIN_S):
        while len(data) < size:
            part = await link.receive()
            assert 0 < len(part) <= RECEIVE_BYTES_MAX
            data += part
    return data


@pytest.fixture
async def cable() -> AsyncIterator[PtyPair]:
    async with pty_pair() as pair:
        yield pair


@pytest.mark.parametrize("framing", ["raw", "hdlc"])
async def test_bytes_of_every_value_are_sent_unchanged_in_both_directions(cable, framing):
    gateway, device = await open_both(cable, framing)
    everything = b"".join(apdu(number) for number in range(20)) + b"\xe7\x00\x01\x00" + bytes(range(256))
    await device.send(everything)
    assert await read_exactly(gateway, len(everything)) == everything
    await gateway.send(everything)
    assert await read_exactly(device, len(everything)) == everything
    await gateway.close()
    await device.close()


@pytest.mark.parametrize("framing", ["raw", "hdlc"])
async def test_send_of_more_bytes_than_the_line_buffer_waits_for_the_reader(cable, framing):
    gateway, device = await open_both(cable, framing)
    sent = b"".join(b"\xe7\x00\xf0\x00" + random.Random(seed).randbytes(0xF000) for seed in range(8))
    async with asyncio.TaskGroup() as group:
        group.create_task(device.send(sent))
        assert await read_exactly(gateway, len(sent)) == sent
    await gateway.close()
    await device.close()


async def test_bytes_received_before_the_cable_is_pulled_can_still_be_read():
    async with pty_pair() as pair:
        gateway, device = await open_both(pair, "raw")
        await device.send(b"last words")
        assert await read_exactly(gateway, 10) == b"last words"
        pair.cut()
        assert await gateway.receive() == b""
        assert await gateway.receive() == b""
        with pytest.raises(ConnectionError):
            await gateway.send(b"anyone there")
        await gateway.close()
        await gateway.close()
        await device.close()


async def test_blocked_send_raises_an_error_when_the_cable_is_pulled():
    async with pty_pair() as pair:
        gateway = await SerialPort(pair.left, 9600, "raw").accept()
        sending = asyncio.ensure_future(gateway.send(bytes(10_000_000)))
        await asyncio.sleep(0)
        pair.cut()
        with pytest.raises(ConnectionError):
            await sending
        await gateway.close()


async def test_serial_port_opened_by_one_reader_is_busy_for_a_second_reader(cable):
    gateway = await SerialPort(cable.left, 9600, "raw").accept()
    clock = MovedClock()
    second = SerialPort(cable.left, 9600, "raw", clock=clock)
    accepting = asyncio.ensure_future(second.accept())
    await eventually(lambda: clock.sleepers)
    assert second.trouble is not None
    assert second.trouble.kind is TroubleKind.BUSY
    await gateway.close()
    await clock.advance(LAST_PAUSE_S)
    await (await accepting).close()
    assert second.trouble is None


async def pauses_s(clock: MovedClock, count: int) -> list[float]:
    """Move the clock past the port's next `count` waits between attempts; return the waits in seconds."""
    pauses = []
    for _ in range(count):
        await eventually(lambda: clock.next_wake_s)
        assert clock.next_wake_s is not None
        pauses.append(clock.next_wake_s - clock.monotonic_s())
        await clock.advance(pauses[-1])
    return pauses


async def test_absent_serial_port_is_retried_every_second(tmp_path: Path, cable):
    clock, path = MovedClock(), tmp_path / "ttyMonitor"
    port = SerialPort(str(path), 9600, "raw", clock=clock)
    accepting = asyncio.ensure_future(port.accept())
    assert await pauses_s(clock, 6) == [0.25, 0.5, 1, 1, 1, 1]
    path.symlink_to(cable.left)
    await eventually(lambda: clock.sleepers)
    await clock.advance(1.0)
    await (await accepting).close()


async def test_serial_port_used_by_another_process_is_retried_with_growing_delays(cable):
    held = await SerialPort(cable.left, 9600, "raw").accept()
    clock = MovedClock()
    accepting = asyncio.ensure_future(SerialPort(cable.left, 9600, "raw", clock=clock).accept())
    assert await pauses_s(clock, 8) == [0.25, 0.5, 1, 2, 4, 8, 8, 8]
    await held.close()
    await clock.advance(LAST_PAUSE_S)
    await (await accepting).close()


@pytest.mark.parametrize(
    ("brings", "then_s"), [(b"something", [0.25, 0.5, 1, 1, 1, 1]), (b"", [0.25, 0.5, 1, 2, 4, 8])]
)
async def test_serial_port_that_hung_up_is_reopened_within_a_second_if_it_delivered_data(
    tmp_path: Path, brings: bytes, then_s: list[float]
):
    clock, path = MovedClock(), tmp_path / "ttyMonitor"
    port = SerialPort(str(path), 9600, "raw", clock=clock)
    paused_s = []
    for _ in range(len(then_s) + 1):
        async with pty_pair() as pair:
            path.unlink(missing_ok=True)
            path.symlink_to(pair.left)
            accepting = asyncio.ensure_future(port.accept())
            if port.openings:
                paused_s += await pauses_s(clock, 1)
            link = await accepting
            if brings:
                device = await SerialPort(pair.right, 9600, "raw").accept()
                await device.send(brings)
                assert await read_exactly(link, len(brings)) == brings
                await device.close()
            pair.cut()
            assert await link.receive() == b""
            await link.close()
    assert paused_s == then_s


async def test_serial_port_that_hung_up_is_reopened_when_the_device_returns(tmp_path: Path):
    clock, path = MovedClock(), tmp_path / "ttyMonitor"
    async with pty_pair() as first, pty_pair() as second:
        path.symlink_to(first.left)
        port = SerialPort(str(path), 9600, "raw", clock=clock)
        link = await port.accept()
        await clock.advance(STEADY_S)
        first.cut()
        assert await link.receive() == b""
        again = asyncio.ensure_future(port.accept())
        await clock.settle()
        assert not again.done(), "one link at a time: the first one is still to be closed"
        path.unlink()
        path.symlink_to(second.left)
        await link.close()
        await eventually(lambda: clock.sleepers)
        await clock.advance(0.25)
        link = await again
        device = await SerialPort(second.right, 9600, "raw").accept()
        await device.send(b"back")
        assert await read_exactly(link, 4) == b"back"
        await link.close()
        await device.close()


async def test_serial_port_closed_by_the_gateway_is_reopened_without_a_delay(cable):
    clock = MovedClock()
    port = SerialPort(cable.left, 9600, "raw", clock=clock)
    link = await port.accept()
    await clock.advance(STEADY_S)
    await link.close()
    async with asyncio.timeout(30):
        await (await port.accept()).close()


async def test_closing_a_serial_port_ends_its_pending_accept(tmp_path: Path, cable):
    absent = SerialPort(str(tmp_path / "none"), 9600, "raw", clock=MovedClock())
    busy = SerialPort(cable.left, 9600, "raw", clock=MovedClock())
    link = await busy.accept()
    waiting = [asyncio.ensure_future(source.accept()) for source in (absent, busy)]
    await asyncio.sleep(0)
    for source, accepting in zip((absent, busy), waiting, strict=True):
        await source.close()
        with pytest.raises(ConnectionAbortedError):
            await accepting
    await link.close()


async def test_noise_on_a_line_with_hdlc_frames_drops_only_the_damaged_apdus():
    chance = random.Random(5)

    def damage(data: bytes) -> bytes:
        return bytes(octet ^ (1 << chance.randrange(8)) if chance.random() < 0.001 else octet for octet in data)

    async with pty_pair(damage) as pair:
        gateway, device = await open_both(pair, "hdlc")
        assert isinstance(gateway, HdlcLink)
        sent = [apdu(number) for number in range(1000)]
        async with asyncio.TaskGroup() as group:
            group.create_task(device.send(b"".join(sent)))
            received: list[bytes] = []
            async with asyncio.timeout(WITHIN_S):
                while len(received) + gateway.errors.total < 990 or received[-1] < sent[-4]:
                    received += apdus(await gateway.receive())
        assert gateway.errors.total > 10
        assert len(received) > 900
        assert sorted(set(received)) == received, "in order, none twice"
        assert set(received) <= set(sent), "and none that nobody sent"
        await gateway.close()
        await device.close()


async def test_hdlc_frame_with_a_valid_check_sequence_but_without_an_apdu_is_dropped(cable):
    gateway = await SerialPort(cable.left, 9600, "hdlc").accept()
    device = await SerialPort(cable.right, 9600, "raw").accept()
    assert isinstance(gateway, HdlcLink)
    await device.send(FLAG + b"\xff\xff\xff\xff" + frame(b"\xe7\x00\x00\x09short") + frame(apdu(1) + apdu(2)))
    assert await gateway.receive() == apdu(1) + apdu(2)
    assert (gateway.frames_dropped, gateway.errors.total) == (2, 0)
    await gateway.close()
    await device.close()


async def test_master_and_slave_of_a_pseudo_terminal_can_be_used_as_links():
    master, slave = os.openpty()
    device = DescriptorLink("pty", master)
    gateway = await SerialPort(os.ttyname(slave), 9600, "raw").accept()
    await device.send(b"\x00\x0a\x0d\x03\x11hello")
    assert await read_exactly(gateway, 10) == b"\x00\x0a\x0d\x03\x11hello"
    await device.close()
    os.close(slave)
    assert await gateway.receive() == b""
    await gateway.close()


def test_bytes_without_an_apdu_header_are_sent_in_one_hdlc_frame():
    assert apdus(apdu(1) + apdu(2) + b"\xff\xff\xff\xffrest") == [apdu(1), apdu(2), b"\xff\xff\xff\xffrest"]
    assert apdus(b"") == []
    assert apdus(b"\xe7") == [b"\xe7"]
