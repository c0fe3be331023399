"""Receive batches and statuses from the queues of a RabbitMQ cluster, and publish acknowledgements.

Every process of a cloud consumes from every queue. RabbitMQ activates one consumer of a queue, so the batches of a lane
reach one process in order, and when that process ends, RabbitMQ gives its unaccepted messages, in order, to the next.

A message is accepted only after the commit, so RabbitMQ keeps it until then; the prefetch count limits how many it
sends before. No message is returned to the queue: one that cannot be stored is accepted too, after it was
quarantined or left to its gateway, because RabbitMQ would send it again at once, and forever.

Deliveries that queue in this process when a connection ends are discarded: RabbitMQ sends them again.
"""

import asyncio
import random
import secrets
from typing import NoReturn

import structlog
from aio_pika.abc import AbstractIncomingMessage

from cloud.foundation.clock import Clock
from cloud.vehicles.fleet import topic_of
from cloud.vehicles.ingest.amqp_connection import AmqpConnection
from cloud.vehicles.ingest.broker import BrokerUnavailable, ClusterAddress, SubscriptionRefused
from cloud.vehicles.ingest.fair_queue import FairQueue
from cloud.vehicles.ingest.limits import IngestSettings
from cloud.vehicles.ingest.source import Delivery, read_delivery
from protocols.errors import RemoteProtocolError
from protocols.uplink import topics
from protocols.uplink.acks import Ack, encode_ack
from protocols.uplink.reconnection import ReconnectWait

log = structlog.get_logger()


class AmqpSource:
    """A `BrokerLink` with connections to one node at a time. `run()` keeps it connected, to one node after another."""

    def __init__(self, address: ClusterAddress, *, clock: Clock, settings: IngestSettings | None = None) -> None:
        self._address = address
        self._clock = clock
        self._settings = settings or IngestSettings()
        self._process_id = secrets.token_hex(8)
        self._node = random.randrange(len(address.nodes.hosts))  # noqa: S311  spreads processes over the nodes
        self._arrived = FairQueue(
            sender_bytes_max=self._settings.sender_bytes_max, bytes_max=self._settings.queue_bytes_max
        )
        self._connection: AmqpConnection | None = None
        self.connected = False
        self.last_error = "not connected yet"
        self.left_out = 0

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
                confirmed = await connection.publish(topics.ack(tenant_id, gateway_id), encode_ack(ack))
        except (BrokerUnavailable, TimeoutError):
            return False
        if not confirmed:
            log.error("ingest.answer_refused", gateway=gateway_id)
        return confirmed

    async def run(self) -> NoReturn:
        """Connect, consume and receive; reconnect after every loss, to the next node, until cancelled."""
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
            self._node = (self._node + 1) % len(self._address.nodes.hosts)
            await asyncio.sleep(wait.next_s())

    async def _receive(self) -> NoReturn:
        """Open a connection, consume, and receive until the connection ends. Raises `BrokerUnavailable`."""
        node = self._address.nodes.hosts[self._node]
        connection = await AmqpConnection.open(self._address, node, settings=self._settings, heard=self._take)
        try:
            count = self._arrived.clear()
            if count:
                log.info("ingest.deliveries_let_go", count=count)
            self._connection = connection
            try:
                async with asyncio.timeout(self._settings.connect_s):
                    await connection.consume(self._address, self._process_id)
            except TimeoutError:
                raise BrokerUnavailable(f"{node[0]} did not respond in time") from None
            self.connected = True
            log.info("ingest.broker_connected", host=node[0], port=node[1])
            await asyncio.wait((connection.ended,))
            raise BrokerUnavailable(str(connection.ended.exception()))
        finally:
            await connection.close()

    async def _take(self, connection: AmqpConnection, message: AbstractIncomingMessage) -> None:
        if connection is not self._connection:
            return  # arrived just before the end of the former connection: RabbitMQ delivers it again

        async def accept() -> None:
            self._arrived.release(delivery)
            await connection.accept(message)

        try:
            delivery = read_delivery(
                topic_of(message.routing_key or ""),
                message.body,
                received_at_us=self._clock.now_us(),
                accept=accept,
            )
        except RemoteProtocolError as error:
            log.warning("ingest.topic_unknown", why=error.reason)
            await connection.accept(message)
            return
        if not self._arrived.has_room or not self._arrived.put(delivery):
            self._leave_out()
            await connection.accept(message)

    def _leave_out(self) -> None:
        self.left_out += 1
        if self.left_out.bit_count() == 1:  # the first, second, fourth …: logged, but not for each message
            log.warning("ingest.messages_left_out", count=self.left_out)
