"""Receive batches and statuses from an MQTT 5 broker, and publish acknowledgements.

The processes of one cloud divide the gateways among themselves (`shares`), so that each lane reaches one of them, in
order. A process that is alone subscribes to all.

A delivery gets its PUBACK as soon as it is in the queue of this process (`fair_queue`). Otherwise one gateway's
messages would fill the broker's window and the broker's queue for us. Safety does not depend on a PUBACK: a gateway
resends until it gets the cloud's own acknowledgement.

While the queue is full, PUBACKs are held back, so that the broker stops sending instead of filling our memory. For the
same reason the queued deliveries of a lost connection are dropped when the next connection is open: the broker may send
a full window again on each connection.
"""

import asyncio
import random
import uuid
from collections import deque
from contextlib import suppress
from typing import NoReturn

import structlog
from paho.mqtt.client import MQTTMessage

from cloud.foundation.clock import Clock
from cloud.vehicles.ingest.broker import BrokerAddress, BrokerUnavailable, SubscriptionRefused
from cloud.vehicles.ingest.fair_queue import FairQueue
from cloud.vehicles.ingest.limits import IngestSettings
from cloud.vehicles.ingest.mqtt_connection import BrokerConnection
from cloud.vehicles.ingest.shared_gateways import SharedGateways
from cloud.vehicles.ingest.shares import Share
from cloud.vehicles.ingest.source import Accept, Delivery, StatusDelivery, read_delivery
from protocols.errors import RemoteProtocolError
from protocols.uplink import topics
from protocols.uplink.acks import Ack, encode_ack
from protocols.uplink.broker import CLOSE_S_MAX
from protocols.uplink.reconnection import ReconnectWait

log = structlog.get_logger()


class MqttSource:
    """A `BatchSource` and `AckSender` with one MQTT connection at a time. `run()` keeps it connected."""

    def __init__(self, address: BrokerAddress, *, clock: Clock, settings: IngestSettings | None = None) -> None:
        self._address = address
        self._host, self._port, _ = address.parts()
        self._clock = clock
        self._settings = settings or IngestSettings()
        self._arrived = FairQueue(
            sender_bytes_max=self._settings.sender_bytes_max, bytes_max=self._settings.queue_bytes_max
        )
        self._held_back: deque[MQTTMessage] = deque()
        self._share = Share(address.group, f"ingest-{uuid.uuid4().hex[:12]}")
        self._gateways: SharedGateways | None = None
        self._connection: BrokerConnection | None = None
        self.connected = False
        self.last_error = "not connected yet"
        self.left_out = 0
        """Number of discarded messages: the sender was at its limit, or the queue was full at QoS 0 (no PUBACK)."""

    @property
    def bytes_in_hand(self) -> int:
        """Return the bytes of deliveries that are queued or being written."""
        return self._arrived.bytes

    async def next(self) -> Delivery:
        return await self._arrived.get()

    def next_now(self) -> Delivery | None:
        return self._arrived.get_now()

    async def acknowledge(self, tenant_id: str, gateway_id: str, ack: Ack) -> bool:
        connection = self._connection
        if connection is None:
            return False
        try:
            async with asyncio.timeout(self._settings.answer_s):
                taken = await connection.publish(topics.ack(tenant_id, gateway_id), encode_ack(ack))
        except (BrokerUnavailable, TimeoutError):
            return False
        if not taken:
            log.error(
                "ingest.answer_refused", gateway=gateway_id
            )  # the broker's ACL is wrong: no gateway would get an acknowledgement
        return taken

    async def run(self) -> NoReturn:
        """Connect, subscribe and receive; reconnect after every loss, until cancelled."""
        wait = ReconnectWait(self._settings.reconnect, random.random)  # spreads reconnects; not a secret
        while True:
            try:
                await self._receive()
            except (BrokerUnavailable, SubscriptionRefused) as error:
                wait.end_connection(held_s=0.0, delivered=self.connected)
                self.last_error = str(error)
                log.warning("ingest.broker_lost", attempt=wait.failures, why=self.last_error)
            finally:
                self.connected = False
                self._connection = None
            await asyncio.sleep(wait.next_s())

    async def _receive(self) -> NoReturn:
        """Open a connection, subscribe, and receive until the connection ends. Raises `BrokerUnavailable`."""
        announcement = topics.status(self._share.group, self._share.process)
        connection = await BrokerConnection.open(
            self._address,
            client_id=f"argus-{self._share.process}-{uuid.uuid4().hex[:4]}",
            settings=self._settings,
            heard=self._take,
            cleared_topic=announcement,
        )
        following: asyncio.Future[NoReturn] | None = None
        try:
            self._let_go_of_what_waits()
            self._share.forget()
            gateways = SharedGateways(
                self._share, connection, self._deliver_status, overlap_s=self._settings.share_overlap_s
            )
            self._connection, self._gateways = connection, gateways
            try:
                async with asyncio.timeout(self._settings.connect_s):
                    await gateways.begin()
            except TimeoutError:
                raise BrokerUnavailable("the broker did not answer a subscription in time") from None
            self.connected = True
            log.info("ingest.broker_connected", host=self._host, port=self._port)
            following = asyncio.ensure_future(gateways.run())
            await asyncio.wait((connection.ended, following), return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                following.result()
            raise BrokerUnavailable(str(connection.ended.exception()))
        finally:
            if following is not None:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
            await self._withdraw(connection, announcement)

    async def _withdraw(self, connection: BrokerConnection, announcement: str) -> None:
        """Delete the announcement, so that the other processes take over this share at once, and close the
        connection."""
        if not connection.ended.done():
            with suppress(TimeoutError, BrokerUnavailable):
                async with asyncio.timeout(CLOSE_S_MAX):
                    await connection.publish(announcement, b"", retain=True)
        await connection.close()

    def _let_go_of_what_waits(self) -> None:
        """Drop the queued deliveries and the held-back PUBACKs of the previous connection. The gateways resend the
        batches."""
        self._held_back.clear()
        count = self._arrived.clear()
        if count:
            log.info("ingest.deliveries_let_go", count=count)

    def _take(self, connection: BrokerConnection, message: MQTTMessage) -> None:
        if message.qos == 0 and not self._arrived.has_room:
            self._leave_out(message.qos)
            return

        async def accept() -> None:
            self._arrived.release(delivery)
            self._puback_held_back(connection)

        made = self._delivery(message, accept)
        if made is None:
            connection.puback(message)
            return
        delivery = made
        if isinstance(delivery, StatusDelivery):
            # Queued by `_deliver_status`, at once or when the gateway's batches are subscribed to.
            if self._gateways is not None:
                self._gateways.take(delivery)
            connection.puback(message)
        elif not self._arrived.put(delivery):
            self._leave_out(message.qos)
            connection.puback(message)
        elif self._arrived.has_room:
            connection.puback(message)
        else:
            self._held_back.append(message)

    def _deliver_status(self, status: StatusDelivery) -> None:
        if not self._arrived.put(status):
            self._leave_out(1)

    def _puback_held_back(self, connection: BrokerConnection) -> None:
        """Send the delayed PUBACKs, as far as the queue has room, if `connection` is still the present connection."""
        if connection is self._connection:
            while self._held_back and self._arrived.has_room:
                connection.puback(self._held_back.popleft())

    def _leave_out(self, qos: int) -> None:
        self.left_out += 1
        if self.left_out.bit_count() == 1:  # the first, second, fourth …: logged, but not for each message
            log.warning("ingest.messages_left_out", count=self.left_out, qos=qos)

    def _delivery(self, message: MQTTMessage, accept: Accept) -> Delivery | None:
        """Return the message of a batch or a status as a delivery; None if its topic is neither or
        has an invalid id."""
        try:
            return read_delivery(
                message.topic, bytes(message.payload), received_at_us=self._clock.now_us(), accept=accept
            )
        except UnicodeDecodeError:
            log.warning("ingest.topic_unknown", why="not UTF-8")
        except RemoteProtocolError as error:
            log.warning("ingest.topic_unknown", why=error.reason)
        return None
