"""The gateway's stream of MQTT packets on a socket of this machine, with paho's packets among the others."""

import asyncio
import socket
from collections.abc import AsyncIterator

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from gateway.sync.packet_stream import PacketStream, StreamClient
from protocols.uplink.mqtt_packets import PUBLISH, Packet, encode_packet
from tests.harness.eventually import eventually


class Pair:
    """A stream, the socket at its other end, and what the stream has reported."""

    def __init__(self) -> None:
        self.own, self.peer = socket.socketpair()
        self.own.setblocking(False)
        self.peer.setblocking(False)
        self.packets: list[Packet] = []
        self.failures: list[str] = []
        self.emptied = 0
        self.client = StreamClient(CallbackAPIVersion.VERSION2, client_id="gw", protocol=paho.MQTTv5)
        self.stream = PacketStream(
            self.client,
            self.own,
            receive=self.packets.append,
            fail=self.failures.append,
            emptied=self._count,
            late_s=3_600.0,
            late_max=3,
        )
        self.client.stream = self.stream

    def _count(self) -> None:
        self.emptied += 1

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


async def test_packets_of_one_turn_of_the_event_loop_are_sent_by_one_call(pair: Pair):
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
    await asyncio.sleep(0)
    assert sizes == [50]


async def test_late_packet_is_sent_with_the_next_packet_or_with_other_late_ones_or_by_itself_in_time(pair: Pair):
    for _ in range(2):
        pair.stream.write_late(b"late")
        await asyncio.sleep(0)
        assert pair.received() == b""
        pair.stream.write(b", now")
        await asyncio.sleep(0)
        assert pair.received() == b"late, now"
    for _ in range(3):
        assert pair.received() == b""
        pair.stream.write_late(b"late")
    await asyncio.sleep(0)
    assert pair.received() == b"late" * 3
    pair.stream._late_s = 0.001
    pair.stream.write_late(b"alone")
    await eventually(lambda: pair.received() == b"alone")


async def test_packet_of_paho_waits_until_the_socket_has_taken_the_packets_before_it(pair: Pair):
    pair.stream.write(bytes(4 << 20))
    await asyncio.sleep(0)
    assert pair.stream.is_blocked
    with pytest.raises(BlockingIOError):
        pair.client._sock_send(b"DISCONNECT")
    arrived = 0

    def everything_has_arrived() -> bool:
        nonlocal arrived
        arrived += len(pair.received())
        return arrived == 4 << 20

    await eventually(everything_has_arrived)
    assert (pair.stream.is_blocked, pair.emptied) == (False, 1)
    assert pair.client._sock_send(b"DISCONNECT") == 10
    assert pair.received() == b"DISCONNECT"


async def test_packets_are_received_in_order_and_count_for_the_keep_alive(pair: Pair):
    expected = [Packet(PUBLISH, bytes([number]) * 300) for number in range(50)]
    pair.client._last_bytes_received = pair.client._last_msg_out = 0.0
    pair.peer.send(b"".join(map(encode_packet, expected)))
    await eventually(lambda: pair.packets == expected)
    assert pair.client._last_bytes_received > 0.0
    pair.stream.write(b"batch")
    pair.stream.flush()
    assert pair.client._last_msg_out > 0.0


async def test_end_of_the_connection_and_bytes_that_are_no_packet_are_reported(pair: Pair):
    pair.peer.send(b"\x30\xff\xff\xff\xff\x01")
    await eventually(lambda: bool(pair.failures))
    assert "four bytes" in pair.failures[0]
    pair.peer.close()
    await eventually(lambda: pair.failures[-1] == "the broker closed it")
