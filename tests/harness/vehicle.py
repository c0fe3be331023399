"""A gateway's MQTT side, simple enough to be trusted: it sends envelopes and statuses and keeps the acknowledgements.

It is a real MQTT client, with another MQTT library than the product's gateway. It is for tests of the cloud; the
product's own uplink has its own tests.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import aiomqtt

from protocols.uplink import topics
from protocols.uplink.acks import Ack, decode_ack
from protocols.uplink.envelope import Envelope, encode_envelope
from protocols.uplink.lanes import Lane
from protocols.uplink.status import Status, encode_status
from tests.builders.ingest_cloud import TENANT
from tests.builders.ingest_gateway import NOW_US
from tests.harness.broker import GATEWAY, Broker, password_of
from tests.harness.eventually import WITHIN_S

WINDOW_BATCHES = 40
REPEAT_S = 1.0


class Vehicle:
    """A gateway's MQTT side: it publishes envelopes and statuses; `acks` are the acknowledgements so far."""

    def __init__(self, client: aiomqtt.Client, *, tenant: str = TENANT) -> None:
        self._client = client
        self._tenant = tenant
        self.acks: list[Ack] = []
        self._heard = asyncio.Event()

    async def publish(self, *envelopes: Envelope) -> None:
        for envelope in envelopes:
            topic = topics.up(self._tenant, envelope.batch.gateway, envelope.batch.lane)
            await self._client.publish(topic, encode_envelope(envelope), qos=1)

    async def publish_bytes(self, octets: bytes, lane: str = "numeric") -> None:
        await self._client.publish(f"argus/v1/{TENANT}/{GATEWAY}/up/{lane}", octets, qos=1)

    async def publish_status(self) -> None:
        status = Status(
            gateway=GATEWAY, epoch="epoch-a", online=True, at_us=NOW_US, boot_id="b", software="1.0", marks={}
        )
        await self._client.publish(topics.status(TENANT, GATEWAY), encode_status(status), qos=1, retain=True)

    def through(self, lane: Lane = Lane.NUMERIC) -> int:
        """Return the highest sequence up to which the cloud has acknowledged a lane (one of the gateway's queues); 0 if
        nothing was acknowledged."""
        return max((ack.through_sequence for ack in self.acks if ack.lane is lane), default=0)

    async def listen(self) -> None:
        async for message in self._client.messages:
            self.acks.append(decode_ack(bytes(message.payload)))
            self._heard.set()

    async def deliver(self, envelopes: Sequence[Envelope]) -> None:
        """Send the envelopes of one lane, a window at a time, and resend them until all are acknowledged, as a gateway
        does."""
        while self.through(envelopes[0].batch.lane) < len(envelopes):
            through = self.through(envelopes[0].batch.lane)
            await self.publish(*envelopes[through : through + WINDOW_BATCHES])
            self._heard.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(REPEAT_S):
                    while self.through(envelopes[0].batch.lane) < min(through + WINDOW_BATCHES, len(envelopes)):
                        await self._heard.wait()
                        self._heard.clear()


@asynccontextmanager
async def vehicle_at(broker: Broker) -> AsyncIterator[Vehicle]:
    client = aiomqtt.Client(
        "127.0.0.1",
        broker.port,
        username=GATEWAY,
        password=password_of(GATEWAY),
        protocol=aiomqtt.ProtocolVersion.V5,
        timeout=WITHIN_S,
    )
    async with client:
        await client.subscribe(topics.ack(TENANT, GATEWAY), qos=1)
        vehicle = Vehicle(client)
        listening = asyncio.ensure_future(vehicle.listen())
        try:
            yield vehicle
        finally:
            listening.cancel()
