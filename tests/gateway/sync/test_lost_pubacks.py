"""A broker that omits PUBACKs does not block the uplink: the uplink reconnects and resends unacknowledged messages."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.sync.lane_window import WindowSettings
from gateway.sync.mqtt import BrokerAddress, MqttSession
from gateway.sync.published import PublishedBatches
from gateway.sync.unconfirmed import Lost, PubackSettings, UnconfirmedPackets
from gateway.sync.uplink import Uplink
from protocols.uplink.broker import PUBLISH_WINDOW_MAX
from protocols.uplink.lanes import Lane
from protocols.uplink.status import PUBLISHED_RANGES_MAX
from tests.builders.uplink_gateway import TestGateway, gateway_store, sending
from tests.harness.eventually import eventually
from tests.harness.scripted_mqtt import ScriptedBroker, scripted_broker


@pytest.fixture
async def broker() -> AsyncIterator[ScriptedBroker]:
    async with scripted_broker() as broker:
        yield broker


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[TestGateway]:
    async with gateway_store(tmp_path / "gateway") as gateway:
        yield gateway


def uplink_to(gateway: TestGateway, broker: ScriptedBroker, *, puback_s: float = 0.2, ack_s: float = 60.0) -> Uplink:
    """Return an uplink that waits `puback_s` for a PUBACK and `ack_s` for an acknowledgement of the cloud."""
    uplink = gateway.uplink(broker, window=WindowSettings(ack_timeout_s=ack_s))  # type: ignore[arg-type]
    uplink._settings = replace(uplink._settings, pubacks=PubackSettings(puback_s=puback_s))
    return uplink


@pytest.fixture(autouse=True)
def _without_password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ScriptedBroker, "password_file", lambda *_: _empty(tmp_path / "password"), raising=False)


def _empty(path: Path) -> Path:
    path.write_text("\n")
    return path


@pytest.mark.finding("reliability-J")
async def test_all_batches_arrive_on_the_next_connection_when_pubacks_are_lost(
    broker: ScriptedBroker, gateway: TestGateway
) -> None:
    broker.loses_pubacks = True
    await gateway.measure(PUBLISH_WINDOW_MAX + 5)
    with capture_logs() as logs:
        async with sending(uplink_to(gateway, broker)):
            await eventually(lambda: broker.connections >= 2, what="the uplink tries another connection")
            broker.loses_pubacks = False
            await eventually(gateway.all_acked)
    lost = [line for line in logs if line["event"] == "uplink.puback_lost"]
    assert lost
    assert lost[0]["log_level"] == "warning"
    assert 1 <= lost[0]["packets"] <= PUBLISH_WINDOW_MAX
    assert broker.held[Lane.NUMERIC] == set(range(1, gateway.last() + 1))


async def test_all_batches_arrive_on_the_next_connection_when_a_suback_is_lost(
    broker: ScriptedBroker, gateway: TestGateway
) -> None:
    broker.loses_subacks = True
    await gateway.measure(1)
    async with sending(uplink_to(gateway, broker)):
        await eventually(lambda: broker.connections >= 2)
        broker.loses_subacks = False
        await eventually(gateway.all_acked)


async def test_batches_lost_by_the_broker_after_their_puback_are_resent(
    broker: ScriptedBroker, gateway: TestGateway
) -> None:
    broker.drops_batches = True
    await gateway.measure(3)
    async with sending(uplink_to(gateway, broker)) as uplink:
        await eventually(lambda: broker.published == gateway.last())
        uplink._status_due.set()
        await eventually(lambda: broker.statuses[-1].marks[Lane.NUMERIC].published == ((1, gateway.last()),))
        assert broker.statuses[0].marks[Lane.NUMERIC].published == ()
    broker.drops_batches = False
    async with sending(uplink):
        await eventually(gateway.all_acked)
        uplink._status_due.set()
        await eventually(lambda: broker.statuses[-1].marks[Lane.NUMERIC].published == ())


@pytest.mark.finding("reliability-I")
async def test_short_connections_that_deliver_a_batch_do_not_increase_the_reconnect_wait(
    broker: ScriptedBroker, gateway: TestGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[MqttSession] = []
    open_session = MqttSession.open

    async def remembered(*given: object, **named: object) -> MqttSession:
        opened.append(await open_session(*given, **named))  # type: ignore[arg-type]
        return opened[-1]

    monkeypatch.setattr(MqttSession, "open", remembered)
    uplink = gateway.uplink(broker)  # type: ignore[arg-type]
    uplink._reconnect._settings = replace(uplink._reconnect._settings, settled_after_s=1e9)
    async with sending(uplink):
        for number in range(6):
            await gateway.measure(1, first=number)
            await eventually(gateway.all_acked)
            assert uplink.state.attempts <= 1
            cut = len(opened)
            opened[-1].end("the vehicle drove into a tunnel")
            await eventually(lambda cut=cut: len(opened) > cut)


# ---- unacknowledged messages, as numbers

PATIENT = PubackSettings(puback_s=30.0, bytes_per_s_least=1000)


def test_puback_deadline_includes_the_transmission_time_of_all_bytes_in_flight() -> None:
    waiting = UnconfirmedPackets(PATIENT)
    waiting.add(1, 60_000, now_s=0.0)
    waiting.add(2, 10_000, now_s=10.0)
    assert waiting.find_lost(89.9) is None
    assert waiting.find_lost(90.0) == Lost(1, 90.0)
    assert waiting.find_lost(110.0) == Lost(2, 110.0)


def test_packet_with_a_received_puback_is_never_reported_as_lost() -> None:
    waiting = UnconfirmedPackets(PATIENT)
    for packet_id in range(20):
        waiting.add(packet_id, 100, now_s=0.0)
    for packet_id in (*range(20), 99):
        waiting.confirm(packet_id)
    assert waiting.find_lost(1e9) is None
    waiting.add(1, 1000, now_s=0.0)
    assert waiting.find_lost(31.0) == Lost(1, 31.0)  # confirmed ones need no transmission time any more


def test_published_batches_are_remembered_as_ranges_until_they_are_acknowledged() -> None:
    published = PublishedBatches()
    for sequence in (5, 3, 4, 9, 10, 1):
        published.add(sequence, sequence)
    published.add(4, 6)  # a gap record, or a repeated sending
    assert published.ranges == ((1, 1), (3, 6), (9, 10))
    published.acknowledge(3, held=[(5, 5), (10, 12)])
    assert published.ranges == ((4, 4), (6, 6), (9, 9))
    published.acknowledge(20, held=[])
    assert published.ranges == ()


def test_published_ranges_with_the_highest_sequences_are_dropped_above_the_limit() -> None:
    published = PublishedBatches()
    for sequence in range(1, 4 * PUBLISHED_RANGES_MAX, 2):
        published.add(sequence, sequence)
    assert len(published.ranges) == PUBLISHED_RANGES_MAX
    assert published.ranges[0] == (1, 1)


# ---- a name lookup without end


@pytest.mark.finding("edge-C4")
def test_stopping_the_uplink_does_not_wait_for_a_pending_dns_lookup(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up, may_end = threading.Event(), threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        looked_up.set()
        may_end.wait(30.0)
        raise OSError("no network")

    async def connect_and_stop() -> None:
        address = BrokerAddress(host="broker.example", port=1883, username=None, password=None, tls=None)
        opening = asyncio.ensure_future(MqttSession.open(address, client_id="gw"))
        await eventually(looked_up.is_set)
        opening.cancel()
        await asyncio.wait([opening])

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    asyncio.run(connect_and_stop())  # joins the threads of the loop's pool
    assert not may_end.is_set()
    try:
        assert "uplink-connect" in {thread.name for thread in threading.enumerate() if thread.daemon}
    finally:
        may_end.set()
