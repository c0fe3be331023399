"""A stand-in for the cloud at the other end of a gateway's uplink, simple enough to be trusted.

It keeps the hashes of the received batches in a dictionary and sends the cloud's acknowledgements. It is a real MQTT
client, with another MQTT library than the gateway. It verifies signatures, acknowledges each batch after keeping its
hash, and can misbehave as a real cloud can: lose or repeat acknowledgements, be silent, lose its data. It is for tests
of the gateway; the product's ingest has its own tests.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import aiomqtt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from protocols.uplink import topics
from protocols.uplink.acks import Ack, encode_ack
from protocols.uplink.envelope import BatchKind, Envelope, decode_envelope, verify_batch
from protocols.uplink.gaps import decode_gap
from protocols.uplink.lanes import Lane
from protocols.uplink.status import Status, decode_status
from tests.harness.broker import CLOUD_USER, Broker, password_of


@dataclass(slots=True)
class HeldLane:
    """The received batches of one lane (one of the gateway's queues): `batches` maps each sequence to a chain hash.

    A gap record (a record of lost batches) is entered under every sequence that it covers, with the chain hash that the
    record states. `conflict` is True after two batches with one sequence and different hashes.
    """

    batches: dict[int, bytes] = field(default_factory=dict)
    conflict: bool = False

    def ranges(self) -> list[tuple[int, int]]:
        ranges: list[tuple[int, int]] = []
        for sequence in sorted(self.batches):
            if ranges and ranges[-1][1] == sequence - 1:
                ranges[-1] = (ranges[-1][0], sequence)
            else:
                ranges.append((sequence, sequence))
        return ranges


class AckingCloud:
    """A cloud that acknowledges batches. `received` and `statuses` hold every message, including repeated ones."""

    def __init__(self, broker: Broker, public_key: bytes | Ed25519PublicKey) -> None:
        self._broker = broker
        self._public_key = public_key
        self._client: aiomqtt.Client | None = None
        self.lanes: dict[tuple[str, str, Lane], HeldLane] = {}
        self.received: list[Envelope] = []
        self.statuses: list[Status] = []
        self.forged = 0
        self.acks_sent = 0
        self.silent = False
        self.tells_hash = True
        self.acks_to_lose = 0
        """Number of the next batches that are not acknowledged; a status is, since it may come at any time."""
        self.acks_each = 1

    def held(self, lane: Lane, gateway: str = "gw_test", epoch: str | None = None) -> dict[int, bytes]:
        """Map the sequence of each stored batch of a lane to the hash of the batch. Without `epoch`, use the batches of
        the epoch (one life of the gateway's store) that was received last."""
        epochs = [key for key in self.lanes if key[0] == gateway and key[2] is lane and epoch in (None, key[1])]
        return self.lanes[epochs[-1]].batches if epochs else {}

    def forget(self, lane: Lane, above: int = 0) -> None:
        """Delete the batches of a lane with a sequence above `above`, as when the cloud is restored from an older
        backup."""
        for (_, _, each), held in self.lanes.items():
            if each is lane:
                held.batches = {sequence: held.batches[sequence] for sequence in held.batches if sequence <= above}

    async def serve(self) -> None:
        """Receive and acknowledge batches until cancelled. Raises aiomqtt.MqttError when the connection to the broker
        ends."""
        async with aiomqtt.Client(
            "127.0.0.1",
            self._broker.port,
            username=CLOUD_USER,
            password=password_of(CLOUD_USER),
            protocol=aiomqtt.ProtocolVersion.V5,
            identifier="test-cloud",
            # aiomqtt waits this long for a SUBACK or PUBACK, even when the connection has ended; on a loaded machine a
            # shorter limit would end a connection that is well.
            timeout=3.0,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        ) as client:
            self._client = client
            await client.subscribe(topics.UP_FILTER, qos=1)
            await client.subscribe(topics.STATUS_FILTER, qos=1)
            async for message in client.messages:
                assert isinstance(message.payload, bytes)
                if message.topic.matches(topics.STATUS_FILTER):
                    await self._status(str(message.topic), message.payload)
                else:
                    await self._batch(str(message.topic), message.payload)

    async def _status(self, topic: str, payload: bytes) -> None:
        tenant, gateway = topics.parse_status(topic)
        status = decode_status(payload)
        self.statuses.append(status)
        if status.online:
            for lane in Lane:
                await self._acknowledge(tenant, gateway, status.epoch, lane, tell_hash=self.tells_hash)

    async def _batch(self, topic: str, payload: bytes) -> None:
        tenant, gateway, lane = topics.parse_up(topic)
        envelope = decode_envelope(payload)
        batch = envelope.batch
        self.received.append(envelope)
        if not verify_batch(batch, envelope.signature, self._public_key):
            self.forged += 1
            return
        held = self.lanes.setdefault((gateway, batch.epoch, lane), HeldLane())
        if batch.kind is BatchKind.GAP:
            gap = decode_gap(batch.payload)
            for sequence in range(gap.from_sequence, gap.through_sequence + 1):
                held.batches.setdefault(sequence, gap.chain_after)
        elif held.batches.setdefault(batch.sequence, batch.hash) != batch.hash:
            held.conflict = True
        if self.acks_to_lose:
            self.acks_to_lose -= 1
            return
        await self._acknowledge(tenant, gateway, batch.epoch, lane)

    async def _acknowledge(self, tenant: str, gateway: str, epoch: str, lane: Lane, *, tell_hash: bool = False) -> None:
        if self.silent:
            return
        held = self.lanes.get((gateway, epoch, lane), HeldLane())
        ack = Ack.of_ranges(epoch, lane, held.ranges(), conflict=held.conflict)
        if tell_hash:
            ack = replace(ack, through_hash=held.batches.get(ack.through_sequence))
        for _ in range(self.acks_each):
            await self.send(tenant, gateway, ack)

    async def send(self, tenant: str, gateway: str, ack: Ack) -> None:
        """Send this acknowledgement to the gateway, whether it is correct or not."""
        assert self._client is not None
        await self._client.publish(topics.ack(tenant, gateway), encode_ack(ack), qos=1)
        self.acks_sent += 1

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["AckingCloud"]:
        """Run `serve` in a task during the block; reconnect whenever the connection to the broker ends."""
        task = asyncio.create_task(self._keep_serving())
        try:
            yield self
        finally:
            # aiomqtt waits with `asyncio.wait_for`, which in Python 3.11 may swallow a cancellation: cancel until
            # it takes effect.
            while not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=0.2)

    async def _keep_serving(self) -> None:
        while True:
            try:
                await self.serve()
            except aiomqtt.MqttError:
                await asyncio.sleep(0.05)
