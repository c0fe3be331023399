"""The keep-alive of a connection to the broker counts every packet, on a clock that the test moves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import paho.mqtt.client as paho
import pytest

from cloud.vehicles.ingest.broker import BrokerAddress
from cloud.vehicles.ingest.limits import IngestSettings
from cloud.vehicles.ingest.mqtt_connection import BrokerConnection
from protocols.uplink.mqtt_packets import Packet, PacketDivider, ReceivedMessage, encode_packet, encode_publish
from tests.harness.eventually import eventually

CONNECT, CONNACK, PINGREQ = 0x10, 0x20, 0xC0
KEEPALIVE_S = 60


class SlowBroker:
    """A broker that accepts a connection and never responds to a PINGREQ."""

    def __init__(self) -> None:
        self.pings = 0
        self.port = 0
        self._writer: asyncio.StreamWriter | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        divider = PacketDivider()
        with suppress(ConnectionError):
            while data := await reader.read(4_096):
                for packet in divider.packets(data):
                    self.pings += packet.kind == PINGREQ
                    if packet.kind == CONNECT:
                        writer.write(encode_packet(Packet(CONNACK, bytes(3))))
        writer.close()

    def publish(self) -> None:
        assert self._writer is not None
        self._writer.write(encode_publish("argus/test", b"batch", 1, retain=False))


@pytest.fixture
async def broker() -> AsyncIterator[SlowBroker]:
    broker = SlowBroker()
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    broker.port = server.sockets[0].getsockname()[1]
    async with server:
        yield broker


async def test_connection_with_steady_messages_stays_open_without_a_ping_response_and_ends_in_silence(
    broker: SlowBroker, monkeypatch: pytest.MonkeyPatch
):
    now_s = 1_000.0
    monkeypatch.setattr(paho, "time_func", lambda: now_s)
    messages: list[ReceivedMessage] = []
    connection = await BrokerConnection.open(
        BrokerAddress(url=f"mqtt://127.0.0.1:{broker.port}", username=None, password=None, group="0" * 32),
        client_id="cloud",
        settings=IngestSettings(keepalive_s=KEEPALIVE_S),
        heard=lambda _, message: messages.append(message),
    )

    def pass_s(time_s: float) -> None:
        nonlocal now_s
        now_s += time_s
        if connection._client.socket() is not None:
            connection._guarded(connection._client.loop_misc)

    try:
        for number in range(1, 4):
            pass_s(40)
            broker.publish()
            await eventually(lambda number=number: len(messages) == number)
            pass_s(20)
            assert not connection.ended.done(), "it has received a message 20 s ago"
            await eventually(lambda number=number: broker.pings == number)
        pass_s(KEEPALIVE_S)
        assert connection.ended.done()
    finally:
        await connection.close()
