"""The stream of MQTT packets on a socket of this machine."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloud.vehicles.ingest.mqtt_stream import PacketStream
from protocols.uplink.mqtt_packets import PUBLISH, Packet, encode_packet
from tests.harness.certificates import Authority
from tests.harness.eventually import eventually


class Pair:
    """A stream, the socket at its other end, and what the stream has reported."""

    def __init__(self) -> None:
        self.own, self.peer = socket.socketpair()
        self.own.setblocking(False)
        self.peer.setblocking(False)
        self.packets: list[Packet] = []
        self.failures: list[str] = []
        self.stream = PacketStream(self.own, note=lambda: None, receive=self.packets.append, fail=self.failures.append)

    def received(self) -> bytes:
        """Read what has arrived at the other end."""
        parts = []
        while True:
            try:
                parts.append(self.peer.recv(1 << 20))
            except BlockingIOError:
                return b"".join(parts)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    pair = Pair()
    yield pair
    pair.stream.close()
    pair.own.close()
    pair.peer.close()


async def test_packets_of_one_turn_of_the_event_loop_are_sent_together(pair: Pair):
    sizes = []
    send = pair.own.send

    class Watched:
        def __getattr__(self, name: str):
            return getattr(pair.own, name)

        def send(self, data: bytes) -> int:
            sizes.append(len(data))
            return send(data)

    pair.stream._socket = Watched()
    for number in range(5):
        pair.stream.write(bytes([number]) * 10)
    assert pair.received() == b""
    await asyncio.sleep(0)
    assert sizes == [50]
    assert len(pair.received()) == 50


async def test_packet_that_may_wait_is_sent_with_the_next_one_or_by_itself_in_time(pair: Pair):
    pair.stream.write(b"late", within_s=3_600.0)
    pair.stream.write(b", later", within_s=3_600.0)
    await asyncio.sleep(0)
    assert pair.received() == b""
    pair.stream.write(b", now")
    await asyncio.sleep(0)
    assert pair.received() == b"late, later, now"
    pair.stream.write(b"alone", within_s=0.001)
    await eventually(lambda: pair.received() == b"alone")


async def test_bytes_that_the_socket_does_not_take_follow_in_order_when_it_is_writable(pair: Pair):
    sent = [number.to_bytes(4, "big") * 16_384 for number in range(64)]
    for data in sent:
        pair.stream.write(data)
    await asyncio.sleep(0)
    pair.stream.write(b"the end")
    arrived = bytearray()

    def everything_has_arrived() -> bool:
        arrived.extend(pair.received())
        return arrived.endswith(b"the end")

    await eventually(everything_has_arrived)
    assert arrived == b"".join(sent) + b"the end"
    assert not pair.failures


async def test_packets_are_received_in_order(pair: Pair):
    expected = [Packet(PUBLISH, bytes([number]) * 3_000) for number in range(100)]

    async def send() -> None:
        for packet in expected:
            await asyncio.get_running_loop().sock_sendall(pair.peer, encode_packet(packet))

    sending = asyncio.ensure_future(send())
    await eventually(lambda: len(pair.packets) == 100)
    await sending
    assert pair.packets == expected


async def test_end_of_the_connection_is_reported(pair: Pair):
    pair.peer.close()
    await eventually(lambda: bool(pair.failures))
    assert pair.failures[0] == "the broker closed it"


async def test_bytes_that_are_no_packet_are_reported(pair: Pair):
    pair.peer.send(b"\x30\xff\xff\xff\xff\x01")
    await eventually(lambda: bool(pair.failures))
    assert "four bytes" in pair.failures[0]


async def test_closed_stream_neither_reads_nor_writes(pair: Pair):
    pair.stream.write(b"discarded")
    pair.stream.close()
    pair.peer.send(encode_packet(Packet(PUBLISH, b"")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    pair.stream.write(b"too late")
    assert pair.stream._unsent.join() == b"discarded", "nothing more is kept"
    assert pair.received() == b""
    assert not pair.packets


async def test_messages_that_arrive_soon_after_a_read_are_read_together(pair: Pair):
    reads = []
    receive = pair.own.recv

    class Watched:
        def __getattr__(self, name: str):
            return getattr(pair.own, name)

        def recv(self, size: int) -> bytes:
            data: bytes = receive(size)
            reads.append(len(data))
            return data

    pair.stream._socket = Watched()
    for number in range(3):
        pair.peer.send(encode_packet(Packet(PUBLISH, bytes([number]))))
        pair.stream._read() if not number else None
    await eventually(lambda: len(pair.packets) == 3)
    assert len(reads) == 2


async def test_packets_that_arrive_in_records_of_tls_of_their_own_are_read_together(tmp_path: Path):
    authority = Authority(tmp_path)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(*authority.issue("broker", "broker", names=("broker.example",)))
    trusting = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
    plain, plain_peer = socket.socketpair()
    accepting = asyncio.ensure_future(asyncio.to_thread(serving.wrap_socket, plain_peer, server_side=True))
    own = await asyncio.to_thread(trusting.wrap_socket, plain, server_hostname="broker.example")
    with own, await accepting as peer:
        own.setblocking(False)
        packets: list[Packet] = []
        failures: list[str] = []
        stream = PacketStream(own, note=lambda: None, receive=packets.append, fail=failures.append)
        for number in range(3):
            peer.sendall(encode_packet(Packet(PUBLISH, bytes([number]))))
        stream._read()
        stream.close()
        assert (len(packets), failures) == (3, [])
