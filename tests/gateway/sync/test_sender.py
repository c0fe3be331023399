"""The sender of a connection publishes each batch when it is due, and acts on the broker's response to it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.buffer import Buffer
from gateway.buffer.archive import Archive
from gateway.sync.flows import Flows
from gateway.sync.mqtt import MqttSession
from gateway.sync.mqtt_errors import MqttRefused, MqttUnavailable
from gateway.sync.recovered_flow import RecoveredBatches
from gateway.sync.sender import EpochChanged, Sender, SentSums
from gateway.sync.settings import UplinkSettings
from protocols.uplink import topics
from protocols.uplink.acks import Ack
from protocols.uplink.envelope import Envelope, decode_envelope, verify_batch
from protocols.uplink.events import GatewayEvent
from protocols.uplink.lanes import Lane
from tests.builders.uplink_gateway import IMPATIENT, TestGateway, gateway_store
from tests.harness.broker import GATEWAY, TENANT
from tests.harness.eventually import eventually
from tests.harness.moved_clock import MovedClock

SETTINGS = UplinkSettings(mqtt_url="mqtt://broker.example.org", window=IMPATIENT)
UP = {lane: topics.up(TENANT, GATEWAY, lane) for lane in Lane}
EVENT = GatewayEvent(name="device.connected", at_us=0, boot_id="b", device=None, fields={})


@dataclass(frozen=True)
class Published:
    """A message that the sender has published. The test sets its `puback` in place of a broker."""

    topic: str
    payload: bytes
    puback: "asyncio.Future[None]"

    @property
    def envelope(self) -> Envelope:
        return decode_envelope(self.payload)


class OpenSession:
    """A session whose broker has `places` for messages without a PUBACK, and responds as the test wants."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._has_room = asyncio.Event()
        self.published: list[Published] = []
        self.end_reasons: list[str] = []

    def add_place(self) -> None:
        self._places += 1
        self._has_room.set()

    async def slot(self) -> None:
        while len(self.published) >= self._places:
            self._has_room.clear()
            await self._has_room.wait()

    def publish(
        self, topic: str, payload: bytes, *, user_properties: Sequence[tuple[str, str]] = ()
    ) -> "asyncio.Future[None]":
        puback: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.published.append(Published(topic, payload, puback))
        return puback

    def end(self, reason: str) -> None:
        self.end_reasons.append(reason)


class EarlierStore:
    """The store of an earlier epoch, as a source of recovered batches."""

    all_acknowledged = False

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._buffer, name)


class OneEarlierStore:
    """An archive with one store whose batches were recovered."""

    def __init__(self, buffer: Buffer) -> None:
        self._source = EarlierStore(buffer)

    async def recovered(self) -> EarlierStore:
        return self._source


@dataclass
class Connection:
    """The sender of a gateway's connection, running."""

    gateway: TestGateway
    flows: Flows
    sender: Sender
    session: OpenSession
    clock: MovedClock
    sums: SentSums
    sending: "asyncio.Task[None]" = field(init=False)

    def acknowledge(self, through: int, lane: Lane = Lane.NUMERIC) -> None:
        """Apply an acknowledgement of a lane; its first one on a connection lets the lane send."""
        self.flows.apply(Ack(epoch=self.flows.epoch, lane=lane, through_sequence=through), self.clock.monotonic_s())
        self.sender.note_ack()

    async def published(self, count: int) -> list[Published]:
        """Wait until `count` messages are published, and nothing further is due; return them all."""
        await eventually(lambda: self.sending.done() or len(self.session.published) >= count)
        await self.clock.settle()
        assert len(self.session.published) == count
        return self.session.published


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[TestGateway]:
    async with gateway_store(tmp_path / "gateway") as made:
        yield made


@asynccontextmanager
async def connected(
    gateway: TestGateway, *, places: int = 100, archive: OneEarlierStore | None = None
) -> AsyncIterator[Connection]:
    """Run a sender on a connection that has just begun, until the block ends."""
    clock, session, sums = MovedClock(), OpenSession(places), SentSums()
    flows = Flows(gateway.buffer, SETTINGS)
    flows.begin()
    sender = Sender(
        cast(MqttSession, session),
        gateway.buffer,
        flows,
        RecoveredBatches(cast(Archive | None, archive), SETTINGS),
        gateway.identity,
        clock,
        up=UP,
        sums=sums,
        ack_timeout_s=SETTINGS.window.ack_timeout_s,
    )
    connection = Connection(gateway, flows, sender, session, clock, sums)
    connection.sending = asyncio.create_task(sender.send())
    tasks = [connection.sending, asyncio.create_task(sender.resend_overdue())]
    try:
        yield connection
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_batches_of_acknowledged_lanes_are_published_signed_on_the_topic_of_their_lane(gateway):
    await gateway.measure(2)
    async with connected(gateway) as connection:
        connection.acknowledge(0)
        await connection.published(2)
        await gateway.buffer.append_event(EVENT)  # its lane has no acknowledgement on this connection
        await gateway.measure(1, first=2)
        await connection.published(3)
        connection.acknowledge(0, Lane.EVENT)
        sent = await connection.published(4)
    assert [message.topic for message in sent] == [UP[Lane.NUMERIC]] * 3 + [UP[Lane.EVENT]]
    for message in sent:
        envelope = message.envelope
        assert verify_batch(envelope.batch, envelope.signature, gateway.identity.public_key)
        assert not envelope.historical
        assert envelope.traceparent
    assert connection.sums == SentSums(4, sum(len(message.payload) for message in sent))


async def test_batch_waits_for_a_free_place_among_the_messages_without_a_puback(gateway):
    await gateway.measure(3)
    async with connected(gateway, places=2) as connection:
        connection.acknowledge(0)
        await connection.published(2)
        connection.session.add_place()
        assert [message.envelope.batch.sequence for message in await connection.published(3)] == [1, 2, 3]


async def test_batch_without_an_acknowledgement_is_published_again_unchanged_after_the_timeout(gateway):
    await gateway.measure(2)
    async with connected(gateway) as connection:
        connection.acknowledge(0)
        await connection.published(2)
        connection.acknowledge(1)
        await connection.clock.advance(0.9 * IMPATIENT.ack_timeout_s)
        await connection.published(2)
        await connection.clock.advance(0.2 * IMPATIENT.ack_timeout_s)
        first, second, again = await connection.published(3)
    assert again.payload == second.payload != first.payload
    assert connection.sums.batches == 3


async def test_puback_is_recorded_in_the_status_and_a_refusal_ends_the_connection(gateway):
    await gateway.measure(4)
    async with connected(gateway) as connection:
        connection.acknowledge(0)
        confirmed, lost, cancelled, refused = await connection.published(4)
        confirmed.puback.set_result(None)
        lost.puback.set_exception(MqttUnavailable("the connection ended"))
        cancelled.puback.cancel()
        await connection.clock.settle()
        assert connection.flows.windows[Lane.NUMERIC].published.ranges == ((1, 1),)
        assert connection.session.end_reasons == []
        refused.puback.set_exception(MqttRefused("quota exceeded"))
        await connection.clock.settle()
        assert connection.flows.windows[Lane.NUMERIC].published.ranges == ((1, 1),)
        assert connection.session.end_reasons == ["quota exceeded"]


async def test_acknowledgement_wakes_the_sender_only_if_a_batch_is_due(gateway):
    await gateway.measure(1)
    async with connected(gateway) as connection:
        connection.acknowledge(0)
        await connection.published(1)
        connection.acknowledge(1)
        assert not gateway.buffer.wait_for_commit().is_set()


async def test_sender_ends_when_the_buffer_uses_another_store(gateway):
    async with connected(gateway) as connection:
        connection.flows.epoch = "epoch-of-the-store-before"
        with pytest.raises(EpochChanged):
            await connection.sending


async def test_recovered_batches_are_published_as_historical_after_those_of_the_present_store(tmp_path, gateway):
    await gateway.measure(1)
    async with gateway_store(tmp_path / "earlier", identity=gateway.identity) as earlier:
        await earlier.measure(1)
        async with connected(gateway, archive=OneEarlierStore(earlier.buffer)) as connection:
            connection.acknowledge(0)
            await connection.published(1)
            connection.acknowledge(1)
            present, recovered = await connection.published(2)
        epochs = [message.envelope.batch.epoch for message in (present, recovered)]
        assert epochs == [gateway.buffer.epoch, earlier.buffer.epoch]
        assert [message.envelope.historical for message in (present, recovered)] == [False, True]
