"""The ingest while its broker is killed, frozen, absent or refuses the connection: the ingest waits no longer than
necessary, and leaks no connection.
"""

import asyncio
import gc
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cloud.foundation.clock import SystemClock
from cloud.vehicles.ingest import BrokerAddress, BrokerConnection, BrokerUnavailable, IngestSettings, MqttSource
from cloud.vehicles.ingest.fair_queue import DELIVERY_BYTES
from cloud.vehicles.ingest.source import DueAck
from protocols.uplink import topics
from protocols.uplink.acks import Ack
from protocols.uplink.lanes import Lane
from tests.harness.broker import CLOUD_USER, GATEWAY, TENANT, Broker, broker_running, password_of, running
from tests.harness.certificates import Authority
from tests.harness.eventually import WITHIN_S, eventually

pytestmark = pytest.mark.broker

ACK = Ack(epoch="epoch-a", lane=Lane.NUMERIC, through_sequence=1, missing=(), conflict=False)
HOUR_S = 3600
SETTINGS = IngestSettings(connect_s=HOUR_S, answer_s=HOUR_S, keepalive_s=HOUR_S, stop_s=HOUR_S)
"""No time limit of ingest ends within `WITHIN_S`, so an end that comes from one of them is too late for these tests."""


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with broker_running(tmp_path / "broker") as started:
        yield started


def address_of(broker: Broker, user: str = CLOUD_USER) -> BrokerAddress:
    return BrokerAddress(url=broker.url, username=user, password=password_of(user))


@asynccontextmanager
async def receiving(address: BrokerAddress, settings: IngestSettings = SETTINGS) -> AsyncIterator[MqttSource]:
    """Run an MQTT source during the block; then cancel it, and check that it ends soon whatever the broker does."""
    source = MqttSource(address, clock=SystemClock(), settings=settings)
    task = asyncio.ensure_future(source.run())
    try:
        yield source
    finally:
        task.cancel()
        began_s = time.monotonic()
        await asyncio.wait([task])
        assert time.monotonic() - began_s < WITHIN_S


def sockets() -> int:
    """Return the number of open sockets of this process."""
    links = (os.readlink(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd") if _is_open(number))
    return sum(link.startswith("socket:") for link in links)


def _is_open(number: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{number}")


async def test_acknowledgement_in_flight_fails_when_the_connection_to_the_broker_ends(
    broker: Broker,
) -> None:
    async with receiving(address_of(broker)) as source:
        await eventually(lambda: source.connected)
        broker.freeze()
        under_way = asyncio.ensure_future(source.acknowledge([DueAck(TENANT, GATEWAY, ACK)] * 2))
        await asyncio.sleep(0)
        await broker.kill()
        async with asyncio.timeout(WITHIN_S):
            assert await under_way == [False, False]
        await eventually(lambda: not source.connected)
        await broker.start()
        await eventually(lambda: source.connected)
        assert await source.acknowledge([DueAck(TENANT, GATEWAY, ACK)]) == [True]


async def test_connection_attempts_to_a_frozen_broker_leak_no_sockets(
    broker: Broker,
) -> None:
    broker.freeze()
    settings = replace(SETTINGS, connect_s=0.1)
    gc.collect()  # closes what earlier tests have left open, which would be counted only before
    before = sockets()
    async with receiving(address_of(broker), settings) as source:
        for _ in range(3):
            source.last_error = ""
            await eventually(lambda: "did not answer in time" in source.last_error)
        assert sockets() <= before + 1
        # On a busy machine a connection takes longer than a tenth of a second.
        source._settings = SETTINGS
        broker.thaw()
        await eventually(lambda: source.connected)
    await eventually(lambda: sockets() == before)


async def test_mqtt_source_of_the_ingest_stops_without_waiting_for_a_frozen_broker(broker: Broker) -> None:
    async with receiving(address_of(broker)) as source:
        await eventually(lambda: source.connected)
        broker.freeze()
    async with receiving(address_of(broker)) as source:
        await asyncio.sleep(0)
        assert not source.connected


async def test_keep_alive_ends_the_connection_to_a_broker_that_stopped_responding(broker: Broker) -> None:
    async with receiving(address_of(broker), replace(SETTINGS, keepalive_s=1)) as source:
        await eventually(lambda: source.connected)
        broker.freeze()
        await eventually(lambda: not source.connected)


async def test_acknowledgement_refused_by_the_access_rules_of_the_broker_is_reported_as_not_sent(
    tmp_path: Path,
) -> None:
    denied = Broker(tmp_path / "broker", cloud_denied="argus/v1/+/gw_walled/down/#")
    async with running(denied) as broker, receiving(address_of(broker)) as source:
        await eventually(lambda: source.connected)
        due = [DueAck(TENANT, GATEWAY, ACK), DueAck(TENANT, "gw_walled", ACK), DueAck(TENANT, GATEWAY, ACK)]
        assert await source.acknowledge(due) == [True, False, True]


async def test_messages_received_on_a_lost_broker_connection_are_removed_from_the_queue(broker: Broker) -> None:
    """While the database is unavailable nothing is accepted, and each new connection may deliver as much again."""
    settings = replace(SETTINGS, receive_max=5, queue_bytes_max=1)  # of which one place is for events
    async with receiving(address_of(broker), settings) as source:
        for _ in range(3):
            await eventually(lambda: source.connected)
            gateway = await BrokerConnection.open(
                address_of(broker, GATEWAY), client_id="vehicle", settings=settings, heard=lambda *_: None
            )
            for number in range(6):
                assert await gateway.publish(topics.up(TENANT, GATEWAY, Lane.NUMERIC), b"%d" % number)
            await gateway.close()
            await eventually(lambda: source.bytes_in_hand >= 4 * DELIVERY_BYTES)
            assert source.bytes_in_hand < 5 * DELIVERY_BYTES
            await broker.kill()
            await eventually(lambda: not source.connected)
            await broker.start()
        await eventually(lambda: source.connected)
        assert source.next_now(live=True) is None


async def test_connection_to_a_broker_with_an_untrusted_certificate_fails(tmp_path: Path) -> None:
    Authority(tmp_path / "certificates").issue("localhost", "broker")
    stranger = Authority(tmp_path / "stranger")
    async with running(Broker(tmp_path / "broker", certificates=tmp_path / "certificates")) as broker:
        url = f"mqtts://127.0.0.1:{broker.port}"
        for ca_file, why in ((stranger.folder / "ca.crt", "certificate"), (tmp_path / "none.crt", "TLS cannot be")):
            with pytest.raises(BrokerUnavailable, match=why):
                await opened(BrokerAddress(url=url, ca_file=str(ca_file)))


async def test_connecting_to_an_address_that_does_not_respond_can_be_cancelled_at_once() -> None:
    # A full accept queue: the kernel leaves further connections without a response.
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        crowd = [socket.socket() for _ in range(4)]
        for one in crowd:
            one.setblocking(False)
            one.connect_ex(silent.getsockname())
        async with receiving(BrokerAddress(url=f"mqtt://127.0.0.1:{silent.getsockname()[1]}")) as source:
            await asyncio.sleep(0)
            assert not source.connected
        for one in crowd:
            one.close()


async def opened(address: BrokerAddress) -> BrokerConnection:
    return await BrokerConnection.open(address, client_id="test", settings=IngestSettings(), heard=lambda *_: None)
