"""Receive batches and statuses from an MQTT 5 broker, and publish acknowledgements.

The processes of one cloud divide the gateways among themselves (`shares`), so that each lane reaches one of them, in
order. A process that is alone subscribes to all.

A delivery gets its PUBACK as soon as it is in the queue of this process (`fair_queue`). Otherwise one gateway's
messages would fill the broker's window and the broker's queue for us. Safety does not depend on a PUBACK: a gateway
resends until it gets the cloud's own acknowledgement.

While the queue is full, PUBACKs are held back, up to a part of the broker's window (`held_pubacks`), and further live
batches are left to their gateways, so that events still arrive and our memory does not fill. For the latter reason the
queued deliveries of a lost connection are dropped when the next connection is open: the broker may send a full window
again on each connection.
"""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn

import structlog

from cloud.foundation.clock import Clock
from cloud.vehicles.ingest.broker import BrokerAddress, BrokerUnavailable
from cloud.vehicles.ingest.broker_link import BrokerLink
from cloud.vehicles.ingest.held_pubacks import HeldPubacks
from cloud.vehicles.ingest.limits import IngestSettings
from cloud.vehicles.ingest.mqtt_connection import BrokerConnection
from cloud.vehicles.ingest.shared_gateways import SharedGateways
from cloud.vehicles.ingest.shares import Share
from cloud.vehicles.ingest.source import Accept, Delivery, StatusDelivery, is_live, read_delivery
from protocols.errors import RemoteProtocolError
from protocols.uplink import topics
from protocols.uplink.broker import CLOSE_S_MAX
from protocols.uplink.mqtt_packets import ReceivedMessage, user_properties
from protocols.uplink.trace_properties import read_published_at_us

log = structlog.get_logger()


class MqttSource(BrokerLink):
    """The link to an MQTT broker."""

    def __init__(
        self,
        address: BrokerAddress,
        *,
        clock: Clock,
        settings: IngestSettings | None = None,
        moved: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(clock=clock, settings=settings, moved=moved)
        self._address = address
        self._host, self._port, _ = address.parts()
        self._held = HeldPubacks(messages_max=self._settings.receive_max, bytes_max=self._settings.receive_bytes_max)
        self._share = Share(address.group, f"ingest-{uuid.uuid4().hex[:12]}")
        self._gateways: SharedGateways | None = None
        self._connection: BrokerConnection | None = None

    async def _publish(self, messages: Sequence[tuple[str, bytes]], accepted: list[bool | None]) -> None:
        if self._connection is None:
            raise BrokerUnavailable(self.last_error)
        await self._connection.publish_all(messages, accepted)

    def _forget_connection(self) -> None:
        self._connection = self._gateways = None

    async def _receive(self) -> NoReturn:
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
            self._held.clear()
            self._clear_arrived()
            self._share.forget()
            gateways = SharedGateways(
                self._share, connection, self._queue, self._moved, overlap_s=self._settings.share_overlap_s
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

    def _take(self, connection: BrokerConnection, message: ReceivedMessage) -> None:
        if message.qos == 0 and not self._arrived.has_room(live=True):
            self._leave_out()
            return

        async def accept() -> None:
            self._arrived.release(delivery)
            self._puback_held(connection)

        made = self._delivery(message, accept)
        if made is None:
            connection.puback(message)
            return
        delivery = made
        if isinstance(delivery, StatusDelivery):
            # It is queued by `_queue`, at once or when the gateway's batches are subscribed to.
            if self._gateways is not None:
                self._gateways.take(delivery)
        elif not self._arrived.has(delivery):
            self._queue(delivery)
        self._held.add(message)
        self._puback_held(connection)

    def _queue(self, delivery: Delivery) -> None:
        live = is_live(delivery)
        has_room = self._arrived.has_room(live=live) or (live and not self._held.is_full)
        if not has_room or not self._arrived.put(delivery):
            self._leave_out()

    def _puback_held(self, connection: BrokerConnection) -> None:
        """Send the PUBACKs for which the queue has room, and those that take the free part of the window, if
        `connection` is still the present connection."""
        if connection is self._connection:
            while self._held and (self._arrived.has_room(live=True) or self._held.is_over):
                connection.puback(self._held.pop())

    def _delivery(self, message: ReceivedMessage, accept: Accept) -> Delivery | None:
        """Return the message of a batch or a status as a delivery; None if its topic is neither or
        has an invalid id."""
        try:
            published_at_us = None
            if message.properties:
                published_at_us = read_published_at_us(user_properties(message.properties))
            return read_delivery(
                message.topic,
                message.payload,
                received_at_us=self._clock.now_us(),
                accept=accept,
                published_at_us=published_at_us,
            )
        except UnicodeDecodeError:
            log.warning("ingest.topic_unknown", why="not UTF-8")
        except RemoteProtocolError as error:
            log.warning("ingest.topic_unknown", why=error.reason)
        return None
