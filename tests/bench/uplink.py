"""`uplink.publish`: the rate of publishing committed batches to a broker, against a bare publish of the same bytes.

Our side is the uplink's path without the buffer (`buffer.drain` measures that): each batch of a thousand observations
is hashed, signed, put into its envelope and published with QoS 1 in order. No more batches are in flight than the
broker accepts, and the run ends with the last PUBACK. The reference is paho as its documentation shows it: a network
thread, all bytes passed at once, the same window, the same PUBACKs. Both use one real mosquitto without subscribers.
"""

import asyncio
import atexit
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from gateway.sync.mqtt import BrokerAddress, MqttSession
from protocols.observation import Observation
from protocols.provenance.hash_chain import genesis
from protocols.uplink import topics
from protocols.uplink.broker import PUBLISH_WINDOW_MAX
from protocols.uplink.envelope import Batch, Envelope, encode_envelope, sign_hash, traceparent_of
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import encode_block
from tests.builders.uplink_batches import EPOCH, KEY, batch
from tests.builders.uplink_blocks import numeric_section, section
from tests.harness.broker import GATEWAY, TENANT, Broker, password_of

Run = Callable[[], int]

OBSERVATIONS = 1000
BATCHES = 200
TOPIC = topics.up(TENANT, GATEWAY, Lane.NUMERIC)


def measure_publish() -> tuple[Run, Run]:
    """Return two runs: batches published by the uplink's path, and a bare publish of the same bytes."""
    folder = tempfile.TemporaryDirectory(prefix="argus-bench-")
    atexit.register(folder.cleanup)
    runner = asyncio.Runner()
    broker = Broker(Path(folder.name))
    runner.run(broker.start())
    atexit.register(lambda: runner.run(broker.kill()))
    batches = _batches()
    address = BrokerAddress(
        host="127.0.0.1", port=broker.port, username=GATEWAY, password=password_of(GATEWAY), tls=None
    )
    session = runner.run(MqttSession.open(address, client_id="bench-ours"))
    client = _bare_client(broker)
    octets = [_envelope(each) for each in batches]

    def ours() -> int:
        runner.run(_publish(session, batches))
        return OBSERVATIONS * BATCHES

    def reference() -> int:
        for sent in [client.publish(TOPIC, each, qos=1) for each in octets]:
            sent.wait_for_publish()
        return OBSERVATIONS * BATCHES

    return ours, reference


async def _publish(session: MqttSession, batches: list[Batch]) -> None:
    answers = []
    for each in batches:
        await session.slot()
        answers.append(session.publish(TOPIC, _envelope(each)))
    await asyncio.gather(*answers)


def _envelope(of: Batch) -> bytes:
    chain_hash = of.hash
    return encode_envelope(
        Envelope(batch=of, signature=sign_hash(chain_hash, KEY), traceparent=traceparent_of(chain_hash))
    )


def _batches() -> list[Batch]:
    chance = random.Random(1)
    batches = []
    previous_hash = genesis(GATEWAY, EPOCH, Lane.NUMERIC)
    for number in range(BATCHES):
        regular = numeric_section(OBSERVATIONS, first=number * OBSERVATIONS).observations
        noisy = [
            Observation(each.channel, 90 + chance.random() * 10, None, 0, None, each.received_s + chance.random() / 100)
            for each in regular
        ]
        payload = encode_block([section(*noisy)])
        batches.append(batch(number + 1, count=OBSERVATIONS, payload=payload, previous_hash=previous_hash))
        previous_hash = batches[-1].hash
    return batches


def _bare_client(broker: Broker) -> paho.Client:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="bench-bare", protocol=paho.MQTTv5)
    client.username_pw_set(GATEWAY, password_of(GATEWAY))
    client.max_inflight_messages_set(PUBLISH_WINDOW_MAX)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    return client
