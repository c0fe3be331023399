"""Receive batches and statuses from the queues of a RabbitMQ cluster, and publish acknowledgements.

Every process of a cloud consumes from every queue. RabbitMQ activates one consumer of a queue, so the batches of a lane
reach one process in order, and when that process ends, RabbitMQ gives its unaccepted messages, in order, to the next.

A message of a batch is accepted when the batch is durable, so RabbitMQ keeps it until then; the prefetch count limits
how many it sends before. No message is returned to the queue, since RabbitMQ would send it again at once, and forever.
So these are accepted without being stored, and their gateways resend what they have no acknowledgement for: a batch
that this process has in its queue already, one for which the queue has no room, and one that cannot be stored and is
quarantined or left to its gateway. A message whose topic is unknown is accepted too.

Deliveries that were queued in this process when a connection ended are discarded when the next one is open: RabbitMQ
sends them again.
"""

import asyncio
import random
import secrets
from collections.abc import Callable, Sequence
from typing import NoReturn

import structlog
from aio_pika.abc import AbstractIncomingMessage

from cloud.foundation.clock import Clock
from cloud.vehicles.fleet import topic_of
from cloud.vehicles.ingest.amqp_connection import AmqpConnection
from cloud.vehicles.ingest.broker import BrokerUnavailable, ClusterAddress
from cloud.vehicles.ingest.broker_link import BrokerLink
from cloud.vehicles.ingest.limits import IngestSettings
from cloud.vehicles.ingest.source import is_live, read_delivery
from protocols.errors import RemoteProtocolError
from protocols.uplink.trace_properties import PUBLISHED_AT, read_published_at_us

log = structlog.get_logger()


class AmqpSource(BrokerLink):
    """The link to a RabbitMQ cluster: to one node after another."""

    def __init__(
        self,
        address: ClusterAddress,
        *,
        clock: Clock,
        settings: IngestSettings | None = None,
        moved: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(clock=clock, settings=settings, moved=moved)
        self._address = address
        self._process_id = secrets.token_hex(8)
        self._node = random.randrange(len(address.nodes.hosts))  # noqa: S311  spreads processes over the nodes
        self._connection: AmqpConnection | None = None

    async def _publish(self, messages: Sequence[tuple[str, bytes]], accepted: list[bool | None]) -> None:
        connection = self._connection
        if connection is None:
            raise BrokerUnavailable(self.last_error)

        async def publish(number: int, topic: str, payload: bytes) -> None:
            # RabbitMQ refuses a message while the node with the queue of its vehicle is lost. If our rights are
            # missing, it ends the connection instead.
            accepted[number] = await connection.publish(topic, payload) or None

        await asyncio.gather(*(publish(number, *message) for number, message in enumerate(messages)))

    def _forget_connection(self) -> None:
        self._connection = None
        self._node = (self._node + 1) % len(self._address.nodes.hosts)

    async def _receive(self) -> NoReturn:
        node = self._address.nodes.hosts[self._node]
        connection = await AmqpConnection.open(self._address, node, settings=self._settings, heard=self._take)
        try:
            self._clear_arrived()
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
                published_at_us=_published_at_us(message),
            )
        except RemoteProtocolError as error:
            log.warning("ingest.topic_unknown", why=error.reason)
            await connection.accept(message)
            return
        if self._arrived.has(delivery):
            await connection.accept(message)
        elif not self._arrived.has_room(live=is_live(delivery)) or not self._arrived.put(delivery):
            self._leave_out()
            await connection.accept(message)


def _published_at_us(message: AbstractIncomingMessage) -> int | None:
    """Return the vehicle's time of publishing. RabbitMQ makes headers of the user properties of MQTT."""
    value = message.headers.get(PUBLISHED_AT)
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    return read_published_at_us({PUBLISHED_AT: text}) if isinstance(text, str) else None
