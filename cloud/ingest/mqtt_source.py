"""Batches and statuses from an MQTT 5 broker, and acknowledgements back to it.

Workers of one cloud share the batches (`$share`); statuses go to each of them, because a broker gives retained
messages to ordinary subscriptions only, and they are what starts the exchange of marks. Where a broker refuses to
share, each worker gets everything and all but one find duplicates.

A delivery's PUBACK is held back until it is accepted. Nothing depends on it for safety (a gateway sends again
until it has our own acknowledgement, so a clean session and a lost message cost a repeat and no reading), but it
makes the Receive Maximum a real bound: while the database is slow, the broker stops sending instead of filling our
memory.

Uses aiomqtt; the one thing it does not offer, holding back a PUBACK, is reached through the paho client inside it.
"""

import asyncio
import random
import socket
import ssl
import uuid
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import urlsplit

import aiomqtt
import structlog
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from cloud.clock import Clock
from cloud.ingest.settings import IngestSettings
from cloud.ingest.source import BatchDelivery, Delivery, StatusDelivery
from protocols.errors import RemoteProtocolError
from protocols.uplink import topics
from protocols.uplink.acks import Ack, encode_ack
from protocols.uplink.limits import PACKET_BYTES_MAX

log = structlog.get_logger()

REFUSED = 0x80
"""Reason codes from here on are refusals (MQTT 5 §2.4)."""

RECONNECT_LEAST_S = 0.2
RECONNECT_MOST_S = 10.0
UNACKNOWLEDGEABLE_MAX = 64
"""QoS 0 has no flow control and no gateway uses it; so many such messages may wait, the rest is left out and
counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """Where the broker is, and as whom we go there. `url` is `mqtt://HOST[:PORT]` or `mqtts://HOST[:PORT]`."""

    url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None

    def parts(self) -> tuple[str, int, bool]:
        """Host, port, and whether TLS is spoken; ValueError for another kind of address."""
        parts = urlsplit(self.url)
        if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname:
            raise ValueError("a broker's address is mqtt://HOST:PORT or mqtts://HOST:PORT")
        secure = parts.scheme == "mqtts"
        return parts.hostname, parts.port or (8883 if secure else 1883), secure


class SubscriptionRefused(Exception):
    """The broker does not let ingest read the batches or statuses: look at its ACL."""


class _Client(aiomqtt.Client):
    """aiomqtt's client with PUBACKs that wait."""

    def hold_back(self) -> None:
        """From now on nothing is acknowledged by itself."""
        self._client.manual_ack_set(True)

    def puback(self, message: aiomqtt.Message) -> None:
        """The broker may forget it; harmless when the connection has ended."""
        if not self._disconnected.done():
            self._client.ack(message.mid, message.qos)


class MqttSource:
    """A `BatchSource` and `Answers` over one connection at a time. `run()` keeps it connected."""

    def __init__(self, address: BrokerAddress, *, clock: Clock, settings: IngestSettings | None = None) -> None:
        self._address = address
        self._host, self._port, self._secure = address.parts()
        self._clock = clock
        self._settings = settings or IngestSettings()
        self._arrived: asyncio.Queue[Delivery] = asyncio.Queue()
        self._client: _Client | None = None
        self.connected = False
        """Whether batches can arrive: connected and subscribed. What readiness asks."""
        self.last_error = "not connected yet"
        self.left_out = 0
        """Messages at QoS 0 that found no room."""

    async def next(self) -> Delivery:
        return await self._arrived.get()

    def next_now(self) -> Delivery | None:
        try:
            return self._arrived.get_nowait()
        except asyncio.QueueEmpty:
            return None

    async def acknowledge(self, tenant_id: str, gateway_id: str, ack: Ack) -> bool:
        client = self._client
        if client is None or not self.connected:
            return False
        try:
            await client.publish(topics.ack(tenant_id, gateway_id), encode_ack(ack), qos=1)
        except aiomqtt.MqttError:
            return False
        return True

    async def run(self) -> NoReturn:
        """Connect, subscribe, receive; again after every loss, until cancelled."""
        attempt = 0
        while True:
            try:
                await self._receive()
            except (aiomqtt.MqttError, SubscriptionRefused, OSError) as error:
                attempt = 0 if self.connected else attempt + 1
                self.last_error = str(error) or type(error).__name__
                log.warning("ingest.broker_lost", attempt=attempt, error=type(error).__name__)
            finally:
                self.connected = False
                self._client = None
            most_s = min(RECONNECT_MOST_S, RECONNECT_LEAST_S * 2 ** min(attempt, 16))
            await asyncio.sleep(random.uniform(most_s / 2, most_s))  # noqa: S311  spreads reconnects, protects nothing

    async def _receive(self) -> None:
        async with self._new_client() as client:
            await self._subscribe(client)
            self._client = client
            self.connected = True
            log.info("ingest.broker_connected", host=self._host, port=self._port)
            async for message in client.messages:
                self._take(client, message)

    def _new_client(self) -> _Client:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho annotates it not
        properties.ReceiveMaximum = self._settings.receive_max
        properties.MaximumPacketSize = PACKET_BYTES_MAX
        properties.SessionExpiryInterval = 0
        client = _Client(
            self._host,
            self._port,
            username=self._address.username,
            password=self._address.password,
            identifier=f"argus-ingest-{uuid.uuid4().hex[:12]}",
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=True,
            keepalive=self._settings.keepalive_s,
            timeout=self._settings.connect_s,
            tls_context=ssl.create_default_context(cafile=self._address.ca_file) if self._secure else None,
            # An acknowledgement is small and due now: waiting to fill a segment would add 40 ms to each.
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            max_queued_incoming_messages=self._settings.receive_max + UNACKNOWLEDGEABLE_MAX,
            properties=properties,
        )
        client.pending_calls_threshold = 10_000  # answers of one group go out together; aiomqtt warns above ten
        client.hold_back()
        return client

    async def _subscribe(self, client: _Client) -> None:
        shared = topics.shared(self._settings.shared_group, topics.UP_FILTER)
        if not await _granted(client, shared) and not await _granted(client, topics.UP_FILTER):
            raise SubscriptionRefused("the broker refuses the subscription to batches")
        if not await _granted(client, topics.STATUS_FILTER):
            raise SubscriptionRefused("the broker refuses the subscription to statuses")

    def _take(self, client: _Client, message: aiomqtt.Message) -> None:
        if message.qos == 0 and self._arrived.qsize() >= self._settings.receive_max + UNACKNOWLEDGEABLE_MAX:
            self.left_out += 1
            if self.left_out.bit_count() == 1:  # the first, second, fourth …: told, but not once a message
                log.warning("ingest.messages_left_out", count=self.left_out)
            return

        async def accept() -> None:
            client.puback(message)

        topic, now_us = str(message.topic), self._clock.now_us()
        try:
            tenant, gateway, lane = topics.parse_up(topic)
        except RemoteProtocolError:
            pass
        else:
            self._arrived.put_nowait(
                BatchDelivery(
                    tenant_id=tenant,
                    gateway_id=gateway,
                    lane=lane,
                    octets=message.payload,
                    received_at_us=now_us,
                    accept=accept,
                )
            )
            return
        try:
            tenant, gateway = topics.parse_status(topic)
        except RemoteProtocolError as error:
            # A name that is no identifier, or a lane that does not exist: nobody's batch.
            log.warning("ingest.topic_unknown", why=error.reason)
            client.puback(message)
            return
        self._arrived.put_nowait(
            StatusDelivery(
                tenant_id=tenant, gateway_id=gateway, octets=message.payload, received_at_us=now_us, accept=accept
            )
        )


async def _granted(client: _Client, topic_filter: str) -> bool:
    """Subscribe at QoS 1; False when the broker refuses."""
    codes = await client.subscribe(topic_filter, qos=1)
    return all((code if isinstance(code, int) else code.value) < REFUSED for code in codes)
