"""Links over TCP: several at once, and no received byte is lost when a peer ends its connection."""

import asyncio
import random
import socket
import struct

import pytest

from gateway.transports.link import RECEIVE_BYTES_MAX, Link
from gateway.transports.tcp import TcpLink, TcpListener, connect_tcp
from tests.harness.eventually import eventually
from tests.harness.link_pair import link_pair


async def receive_all(link: Link) -> bytes:
    data = b""
    while part := await link.receive():
        assert len(part) <= RECEIVE_BYTES_MAX
        data += part
    return data


@pytest.fixture
async def listener():
    listener = TcpListener("127.0.0.1", 0)
    await listener.start()
    yield listener
    await listener.close()


async def test_bytes_are_sent_in_both_directions_over_a_tcp_link(listener):
    device = await connect_tcp(*listener.address)
    gateway = await listener.accept()
    await device.send(b"AARQ")
    assert await gateway.receive() == b"AARQ"
    await gateway.send(b"AARE")
    assert await device.receive() == b"AARE"
    await device.close()
    assert await gateway.receive() == b""
    assert await gateway.receive() == b"", "the end stays the end"
    await gateway.close()


async def test_slow_reader_receives_every_byte_and_the_link_buffers_a_bounded_amount(listener):
    sent = random.Random(7).randbytes(4_000_000)
    device = await connect_tcp(*listener.address)
    gateway = await listener.accept()
    assert isinstance(gateway, TcpLink)

    async def send() -> None:
        await device.send(sent)
        await device.close()

    async with asyncio.TaskGroup() as group:
        group.create_task(send())
        received = b""
        while part := await gateway.receive():
            received += part
            assert gateway.queued_bytes <= 2 * RECEIVE_BYTES_MAX + 262_144, "the kernel holds the rest"
            await asyncio.sleep(0)
        assert received == sent
    await gateway.close()


async def test_bytes_received_before_a_reset_can_still_be_read(listener):
    device = socket.create_connection(listener.address)
    gateway = await listener.accept()
    assert isinstance(gateway, TcpLink)
    device.sendall(b"last words")
    await eventually(lambda: gateway.queued_bytes, what="they have arrived")
    device.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    device.close()
    await eventually(lambda: gateway.ended, what="so has the reset")
    assert await receive_all(gateway) == b"last words"
    with pytest.raises(ConnectionError):
        await gateway.send(b"anyone there")
    await gateway.close()


async def test_client_that_half_closed_its_connection_still_receives_the_response(listener):
    reader, writer = await asyncio.open_connection(*listener.address)
    gateway = await listener.accept()
    writer.write(b"report")
    writer.write_eof()
    assert await receive_all(gateway) == b"report"
    await gateway.send(b"answer")
    await gateway.close()
    assert await reader.read() == b"answer"
    writer.close()


async def test_no_byte_is_lost_when_a_receive_is_cancelled():
    sent = random.Random(11).randbytes(20_000)
    received = b""
    async with link_pair() as (left, right):

        async def send_in_bits() -> None:
            for start in range(0, len(sent), 50):
                await left.send(sent[start : start + 50])
                await asyncio.sleep(0)
            await left.close()

        async with asyncio.TaskGroup() as group:
            group.create_task(send_in_bits())
            chance = random.Random(13)
            while True:
                receiving = asyncio.ensure_future(right.receive())
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
                receiving.cancel()
                try:
                    part = await receiving
                except asyncio.CancelledError:
                    continue
                if not part:
                    break
                received += part
    assert received == sent


async def test_connections_above_the_accept_limit_are_closed_immediately():
    listener = TcpListener("127.0.0.1", 0, waiting_max=2)
    await listener.start()
    devices = [await connect_tcp(*listener.address) for _ in range(3)]
    await eventually(lambda: listener.refused == 1)
    assert await devices[2].receive() == b""
    gateway = await listener.accept()
    await gateway.send(b"welcome")
    assert await devices[0].receive() == b"welcome"
    await listener.close()
    for link in (*devices, gateway):
        await link.close()


async def test_closing_the_listener_ends_its_pending_accept_and_frees_the_address(listener):
    accepting = asyncio.ensure_future(listener.accept())
    await asyncio.sleep(0)
    await listener.close()
    with pytest.raises(ConnectionAbortedError):
        await accepting
    with pytest.raises(ConnectionAbortedError):
        await listener.accept()
    again = TcpListener(*listener.address)
    await again.start()
    await again.close()


async def test_opening_a_listener_on_an_address_in_use_raises_an_error(listener):
    with pytest.raises(OSError, match="in use"):
        await TcpListener(*listener.address).accept()


async def test_connection_to_a_closed_listener_raises_an_error(listener):
    address = listener.address
    await listener.close()
    with pytest.raises(ConnectionError):
        await connect_tcp(*address)


async def test_tcp_connections_enable_keep_alive_and_disable_the_nagle_algorithm(listener):
    device = await connect_tcp(*listener.address)
    gateway = await listener.accept()
    for link in (device, gateway):
        assert isinstance(link, TcpLink)
        assert link._transport is not None
        connection = link._transport.get_extra_info("socket")
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10
        await link.close()
