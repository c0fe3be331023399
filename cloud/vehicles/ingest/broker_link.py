"""The part of the link to a broker that is the same for mosquitto and RabbitMQ: queue, acknowledgements, retries."""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn

import structlog

from cloud.foundation.clock import Clock
from cloud.vehicles.ingest.broker import BrokerUnavailable, SubscriptionRefused
from cloud.vehicles.ingest.fair_queue import FairQueue
from cloud.vehicles.ingest.limits import IngestSettings
from cloud.vehicles.ingest.source import Delivery, DueAck
from protocols.uplink import topics
from protocols.uplink.acks import encode_ack
from protocols.uplink.reconnection import ReconnectWait

log = structlog.get_logger()


class BrokerLink(ABC):
    """A `BatchSource` and `AckSender` with one connection at a time. `run` keeps it connected."""

    def __init__(
        self, *, clock: Clock, settings: IngestSettings | None, moved: Callable[[], None] = lambda: None
    ) -> None:
        """`moved` is called when gateways may have moved to or from other processes."""
        self._clock = clock
        self._moved = moved
        self._settings = settings or IngestSettings()
        self._arrived = FairQueue(
            sender_bytes_max=self._settings.sender_bytes_max,
            bytes_max=self._settings.queue_bytes_max,
            other_bytes_max=self._settings.other_bytes_max,
        )
        self.connected = False
        """True when batches can arrive: connected and subscribed. Readiness reads it."""
        self.last_error = "not connected yet"
        self.left_out = 0
        """Number of messages that were discarded for lack of room; their gateways resend them."""

    @property
    def bytes_in_hand(self) -> int:
        """Return the bytes of deliveries that are queued or being written."""
        return self._arrived.bytes

    async def next(self, *, live: bool) -> Delivery:
        return await self._arrived.get(live=live)

    def next_now(self, *, live: bool) -> Delivery | None:
        return self._arrived.get_now(live=live)

    async def acknowledge(self, acks_due: Sequence[DueAck]) -> list[bool]:
        messages = [(topics.ack(due.tenant_id, due.gateway_id), encode_ack(due.ack)) for due in acks_due]
        accepted = await self._send(messages)
        for due, response in zip(acks_due, accepted, strict=True):
            if response is False:
                # The broker's rights are wrong: no gateway would get an acknowledgement.
                log.error("ingest.answer_refused", gateway=due.gateway_id)
        return [response is True for response in accepted]

    async def send(self, messages: Sequence[tuple[str, bytes]]) -> list[bool]:
        """Publish messages to topics at QoS 1; return for each whether the broker accepted it."""
        return [response is True for response in await self._send(messages)]

    async def _send(self, messages: Sequence[tuple[str, bytes]]) -> list[bool | None]:
        """Publish as `send` does. Return None for a message without a response in time."""
        accepted: list[bool | None] = [None] * len(messages)
        with suppress(BrokerUnavailable, TimeoutError):
            async with asyncio.timeout(self._settings.answer_s):
                await self._publish(messages, accepted)
        return accepted

    async def run(self) -> NoReturn:
        """Connect, subscribe and receive; reconnect after every loss, until cancelled."""
        wait = ReconnectWait(self._settings.reconnect, random.random)  # spreads reconnects; not a secret
        while True:
            self._moved()
            try:
                await self._receive()
            except (BrokerUnavailable, SubscriptionRefused) as error:
                wait.end_connection(held_s=0.0, delivered=self.connected)
                self.last_error = str(error)
                log.warning("ingest.broker_lost", attempt=wait.failures, why=self.last_error)
            finally:
                self.connected = False
                self._forget_connection()
            await asyncio.sleep(wait.next_s())

    @abstractmethod
    async def _receive(self) -> NoReturn:
        """Open a connection, subscribe, and receive until the connection ends. Raises `BrokerUnavailable` and
        `SubscriptionRefused`."""

    @abstractmethod
    async def _publish(self, messages: Sequence[tuple[str, bytes]], accepted: list[bool | None]) -> None:
        """Publish to MQTT topics at QoS 1. Store in `accepted` for each message, as soon as the broker responds,
        whether it accepts it. Raises `BrokerUnavailable`."""

    @abstractmethod
    def _forget_connection(self) -> None:
        """Forget the connection that has ended."""

    def _clear_arrived(self) -> None:
        """Drop the deliveries that were queued when the connection before this one ended. They arrive again."""
        count = self._arrived.clear()
        if count:
            log.info("ingest.deliveries_let_go", count=count)

    def _leave_out(self) -> None:
        self.left_out += 1
        if self.left_out.bit_count() == 1:  # the first, second, fourth …: logged, but not for each message
            log.warning("ingest.messages_left_out", count=self.left_out)
