"""A small MQTT broker for one gateway, which can omit PUBACKs.

It plays the cloud as well: it acknowledges each batch and each status with the sequences of the batches that it has
received in each lane. It supports only the part of MQTT 5 that one gateway needs. Tests with a real broker are
elsewhere.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from protocols.uplink import topics
from protocols.uplink.acks import Ack, encode_ack
from protocols.uplink.envelope import decode_envelope
from protocols.uplink.lanes import Lane
from protocols.uplink.status import Status, decode_status

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ, PINGRESP = 1, 2, 3, 4, 8, 9, 12, 13


class ScriptedBroker:
    """A broker whose faults a test switches on.

    With `loses_pubacks` it ignores batches: no PUBACK and no acknowledgement by the cloud. With `loses_subacks` it
    ignores subscriptions.
    """

    def __init__(self) -> None:
        self.loses_pubacks = False
        self.loses_subacks = False
        self.drops_batches = False
        """True if batches get a PUBACK but never reach the cloud, so that they get no acknowledgement."""
        self.connections = 0
        self.published = 0
        """Number of batches received on the open connection."""
        self.held: dict[Lane, set[int]] = {lane: set() for lane in Lane}
        self.statuses: list[Status] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Respond to the packets of one connection until the gateway closes it."""
        self.connections += 1
        self.published = 0
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readexactly(1))[0]
                body = await reader.readexactly(await _remaining_length(reader))
                await self._take(head, body, writer)
        writer.close()

    async def _take(self, head: int, body: bytes, writer: asyncio.StreamWriter) -> None:
        match head >> 4:
            case 1:
                _send(writer, CONNACK, b"\x00\x00\x00")
            case 8 if not self.loses_subacks:
                _send(writer, SUBACK, body[:2] + b"\x00\x01")
            case 12:
                _send(writer, PINGRESP, b"")
            case 3:
                self._publish(head, body, writer)
        await writer.drain()

    def _publish(self, head: int, body: bytes, writer: asyncio.StreamWriter) -> None:
        length = int.from_bytes(body[:2], "big")
        topic, rest = body[2 : 2 + length].decode(), body[2 + length :]
        packet_id, payload = rest[:2], rest[3:]  # no properties
        assert head & 0b110 == 0b010, "QoS 1"
        if topic.endswith("/status"):
            _send(writer, PUBACK, packet_id)
            self._status(topic, payload, writer)
            return
        self.published += 1
        batch = decode_envelope(payload).batch
        if self.loses_pubacks:
            return
        _send(writer, PUBACK, packet_id)
        if not self.drops_batches:
            self.held[batch.lane].add(batch.sequence)
            tenant, gateway, _ = topics.parse_up(topic)
            self._acknowledge(tenant, gateway, batch.epoch, batch.lane, writer)

    def _status(self, topic: str, payload: bytes, writer: asyncio.StreamWriter) -> None:
        tenant, gateway = topics.parse_status(topic)
        status = decode_status(payload)
        self.statuses.append(status)
        for lane in Lane:
            self._acknowledge(tenant, gateway, status.epoch, lane, writer)

    def _acknowledge(self, tenant: str, gateway: str, epoch: str, lane: Lane, writer: asyncio.StreamWriter) -> None:
        ack = Ack.of_ranges(epoch, lane, [(each, each) for each in sorted(self.held[lane])])
        topic = topics.ack(tenant, gateway).encode()
        _send(writer, PUBLISH, len(topic).to_bytes(2, "big") + topic + b"\x00" + encode_ack(ack))


def _send(writer: asyncio.StreamWriter, kind: int, body: bytes) -> None:
    length, header = len(body), bytearray([kind << 4])
    while True:
        header.append(length % 128 | (0x80 if length > 127 else 0))
        length //= 128
        if not length:
            break
    writer.write(bytes(header) + body)


async def _remaining_length(reader: asyncio.StreamReader) -> int:
    length = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return length


@asynccontextmanager
async def scripted_broker() -> AsyncIterator[ScriptedBroker]:
    """Run a broker on a free port; stop it after the block."""
    broker = ScriptedBroker()
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    broker.port = server.sockets[0].getsockname()[1]
    try:
        yield broker
    finally:
        server.close()
