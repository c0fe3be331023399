"""The AMQP 0.9.1 connections of ingest to one node of a RabbitMQ cluster, from opening to their end.

There are two, because RabbitMQ stops reading from a connection that publishes while a node lacks memory or disk. On one
connection the acknowledgements that empty the queues would then wait behind those for the vehicles.

aio-pika's robust connection is not used: it reconnects and consumes again by itself, to the same node, and hides when.
Here the first part that ends, ends the whole, and `amqp_source` opens another one to the next node.
"""

import asyncio
import hashlib
import logging
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Self

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, AbstractIncomingMessage
from aio_pika.exceptions import AMQPError, ChannelNotFoundEntity

from cloud.vehicles.fleet import MQTT_EXCHANGE, queue_names, routing_key
from cloud.vehicles.ingest.broker import BrokerUnavailable, ClusterAddress, SubscriptionRefused
from cloud.vehicles.ingest.limits import AMQP_HEARTBEAT_S, AMQP_PREFETCH, IngestSettings
from protocols.uplink.broker import CLOSE_S_MAX

# It logs each failed attempt as an error. `amqp_source` logs why, once for each.
logging.getLogger("aiormq").setLevel(logging.CRITICAL)

Heard = Callable[["AmqpConnection", AbstractIncomingMessage], Awaitable[None]]

_PRIORITY_BYTES = 3
"""Bytes of a consumer's priority, so that it is a positive 32-bit integer in every client and server."""


def consumer_priority(process_id: str, queue: str) -> int:
    """Return the priority of a process at a queue. Of the consumers of a queue RabbitMQ activates the one with the
    highest priority, so the processes divide the queues without knowing of each other (rendezvous hashing)."""
    return int.from_bytes(hashlib.sha256(f"{process_id}/{queue}".encode()).digest()[:_PRIORITY_BYTES])


class AmqpConnection:
    """The open connections to one node. The future `ended` gets a `BrokerUnavailable` when one of them ends."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._connections: list[AbstractConnection] = []
        self._exchange: AbstractExchange
        self._consuming: AbstractChannel
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Without this the loop logs an error when the connection ends and no task awaits it.
        self.ended.add_done_callback(lambda ended: ended.exception())

    @classmethod
    async def open(
        cls, address: ClusterAddress, node: tuple[str, int], *, settings: IngestSettings, heard: Heard
    ) -> Self:
        """Connect to one node within `settings.connect_s`. Raises `BrokerUnavailable`, also when it refuses."""
        connection = cls(heard)
        try:
            async with asyncio.timeout(settings.connect_s):
                await connection._open(address, node)
        except TimeoutError:
            await connection.close()
            raise BrokerUnavailable(f"{node[0]} did not respond in time") from None
        except (AMQPError, OSError, RuntimeError) as error:
            await connection.close()
            raise BrokerUnavailable(f"no connection to {node[0]}: {_text_of(error)}") from None
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _open(self, address: ClusterAddress, node: tuple[str, int]) -> None:
        tls = address.tls()
        consuming = await self._connect(address, node, tls, "argus ingest, receives")
        publishing = await self._connect(address, node, tls, "argus ingest, acknowledges")
        self._consuming = await self._channel(consuming, publisher_confirms=False)
        await self._consuming.set_qos(prefetch_count=AMQP_PREFETCH)
        channel = await self._channel(publishing, publisher_confirms=True)
        self._exchange = await channel.get_exchange(MQTT_EXCHANGE, ensure=False)

    async def _connect(
        self, address: ClusterAddress, node: tuple[str, int], tls: ssl.SSLContext | None, name: str
    ) -> AbstractConnection:
        host, port = node
        connection = await aio_pika.connect(
            host=host,
            port=port,
            login=address.username,
            password=address.password,
            ssl=tls is not None,
            ssl_context=tls,
            client_properties={"connection_name": name},
            heartbeat=AMQP_HEARTBEAT_S,
        )
        self._connections.append(connection)
        connection.close_callbacks.add(self._on_close)
        return connection

    async def _channel(self, connection: AbstractConnection, *, publisher_confirms: bool) -> AbstractChannel:
        channel = await connection.channel(publisher_confirms=publisher_confirms)
        channel.close_callbacks.add(self._on_close)
        return channel

    async def consume(self, address: ClusterAddress, process_id: str) -> None:
        """Become a consumer of each queue, and the active one of those where this process has the highest priority.
        Raises `SubscriptionRefused` when a queue is missing, and `BrokerUnavailable`."""
        underlay = await self._consuming.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(self._on_cancel)
        for name in queue_names(address.queues):
            try:
                queue = await self._consuming.get_queue(name, ensure=False)
                await queue.consume(self._on_message, arguments={"x-priority": consumer_priority(process_id, name)})
            except ChannelNotFoundEntity:
                raise SubscriptionRefused(
                    f"RabbitMQ has no queue {name}: run argus-cloud broker declare, or correct [rabbitmq] queues"
                ) from None
            except (AMQPError, OSError, RuntimeError) as error:
                raise BrokerUnavailable(f"the connection to the broker broke: {_text_of(error)}") from None

    async def publish(self, topic: str, payload: bytes) -> bool:
        """Publish to an MQTT topic and wait for the confirmation. Return False if RabbitMQ refuses. Raises
        `BrokerUnavailable`."""
        # Acknowledgements are cumulative, so one that is lost needs no copy on disk.
        message = aio_pika.Message(payload, delivery_mode=aio_pika.DeliveryMode.NOT_PERSISTENT)
        try:
            await self._exchange.publish(message, routing_key(topic), mandatory=False)
        except aio_pika.exceptions.DeliveryError:
            return False
        except (AMQPError, OSError, RuntimeError) as error:
            raise BrokerUnavailable(f"the connection to the broker broke: {_text_of(error)}") from None
        return True

    async def accept(self, message: AbstractIncomingMessage) -> None:
        """Let RabbitMQ delete a message. After the end of the connection this does nothing, and RabbitMQ delivers the
        message again."""
        tag = message.delivery_tag
        if not self.ended.done() and tag is not None:
            with suppress(AMQPError, OSError, RuntimeError):
                await message.channel.basic_ack(tag, wait=False)

    async def close(self) -> None:
        """Close the connections, within `CLOSE_S_MAX`. Raises nothing."""
        self._end("closed")
        with suppress(TimeoutError, AMQPError, OSError, RuntimeError):
            async with asyncio.timeout(CLOSE_S_MAX):
                await asyncio.gather(*(each.close() for each in self._connections), return_exceptions=True)

    def _end(self, reason: str) -> None:
        if not self.ended.done():
            self.ended.set_exception(BrokerUnavailable(reason))

    # ---- aio-pika's callbacks

    async def _on_message(self, message: AbstractIncomingMessage) -> None:
        await self._heard(self, message)

    def _on_close(self, _sender: Any, error: BaseException | None) -> None:
        self._end(f"the connection to the broker ended: {_text_of(error)}")

    def _on_cancel(self, _frame: Any) -> None:
        self._end("RabbitMQ has removed a queue")


def _text_of(error: BaseException | None) -> str:
    """Return the text of an error. aio-pika's errors hold RabbitMQ's reason, and never the password."""
    if error is None:
        return "closed"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
