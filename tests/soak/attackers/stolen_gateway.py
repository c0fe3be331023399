"""Attacks with a stolen gateway's broker login and signing key. `tests.tidy.findings` explains the findings in
brackets.
"""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress

import aiomqtt

from protocols.uplink import topics
from protocols.uplink.envelope import BatchKind, Envelope, encode_envelope
from protocols.uplink.lanes import Lane
from protocols.uplink.limits import BLOCK_DEVICES_MAX, BLOCK_OBSERVATIONS_MAX
from protocols.uplink.observations import DeviceRef
from tests.builders.ingest_gateway import readings, section
from tests.builders.uplink_bombs import block_of_devices
from tests.soak.attackers.target import Attack, Target

GROUPS = ("ingest", "argus", "cloud", "argus-ingest", "group")
MEMBERS = 20
DEVICES_IN_A_BLOCK = 6_000
FILTERS_IN_A_PACKET = 2_000


def client(target: Target, identifier: str | None = None, **options: object) -> aiomqtt.Client:
    return aiomqtt.Client(
        *target.broker,
        username=target.gateway.gateway,
        password=target.broker_password,
        identifier=identifier,
        protocol=aiomqtt.ProtocolVersion.V5,
        **options,  # type: ignore[arg-type]  # aiomqtt's own options, passed through
    )


async def join_the_ingest_group(target: Target) -> None:
    """Open twenty MQTT sessions that try to join the cloud's shared subscription by guessing its name (finding
    security-3)."""

    async def member(number: int) -> None:
        while True:
            with suppress(aiomqtt.MqttError):
                async with client(target, f"{target.gateway.gateway}-{number}") as mqtt:
                    for group in GROUPS:
                        with suppress(aiomqtt.MqttError):
                            await mqtt.subscribe(f"$share/{group}/argus/v1/+/+/up/+", qos=1)
                    async for _ in mqtt.messages:
                        pass
            await asyncio.sleep(1.0)

    async with asyncio.TaskGroup() as tasks:
        for number in range(MEMBERS):
            tasks.create_task(member(number))


async def fill_with_subscriptions(target: Target) -> None:
    """Subscribe to thousands of deep topic filters and of shared subscriptions, and unsubscribe (finding
    security-3)."""
    own = topics.ack(target.tenant_id, target.gateway.gateway)
    while True:
        for filters in (
            [f"{number}{'/a' * 189}" for number in range(FILTERS_IN_A_PACKET)],
            [f"$share/{number}/{own}" for number in range(FILTERS_IN_A_PACKET)],
            [own] * FILTERS_IN_A_PACKET,
        ):
            with suppress(aiomqtt.MqttError):
                async with client(target) as mqtt:
                    await mqtt.subscribe([(each, 1) for each in filters])
                    await mqtt.unsubscribe(filters)
        await asyncio.sleep(1.0)


async def take_over_sessions(target: Target) -> None:
    """Connect under the client ids of another gateway (the victim) and of the cloud (finding security-7)."""
    while True:
        for identifier in (target.victim_gateway, f"argus-gateway-{target.victim_gateway}", "argus-cloud"):
            with suppress(aiomqtt.MqttError, TimeoutError):
                async with asyncio.timeout(3), client(target, identifier):
                    pass
        await asyncio.sleep(0.5)


async def speak_for_others(target: Target) -> None:
    """Publish to the batch, status and acknowledgement topics of another gateway, in its own tenant and in another."""
    while True:
        with suppress(aiomqtt.MqttError):
            async with client(target) as mqtt:
                for tenant in (target.tenant_id, "tnt_other"):
                    for topic in (
                        topics.up(tenant, target.victim_gateway, Lane.NUMERIC),
                        topics.status(tenant, target.victim_gateway),
                        topics.ack(tenant, target.victim_gateway),
                    ):
                        await mqtt.publish(topic, b"{}", qos=1)
        await asyncio.sleep(0.5)


def bombs(target: Target, dice: random.Random) -> Sequence[Envelope]:
    """Return signed batches that are expensive to store: one with more devices than a block may have, one with the
    highest permitted number of new devices, and one with the highest permitted number of observations."""
    gateway = target.gateway
    new_devices = [
        section(readings(97.0), device=DeviceRef(dice.randbytes(8).hex(), "x")) for _ in range(BLOCK_DEVICES_MAX)
    ]
    return (
        gateway.send_raw(BatchKind.OBSERVATIONS, block_of_devices(DEVICES_IN_A_BLOCK), count=DEVICES_IN_A_BLOCK),
        gateway.send_sections(new_devices),
        gateway.send_sections([section(readings(*([97.0] * BLOCK_OBSERVATIONS_MAX)))], lane=Lane.WAVEFORM),
    )


async def signed_bombs(target: Target) -> None:
    """Publish batches with thousands of devices and rows, signed with the stolen key (finding security-2)."""
    dice = random.Random(62_000)
    while True:
        with suppress(aiomqtt.MqttError):
            async with client(target) as mqtt:
                while True:
                    for envelope in await asyncio.to_thread(bombs, target, dice):
                        topic = topics.up(target.tenant_id, target.gateway.gateway, envelope.batch.lane)
                        await mqtt.publish(topic, encode_envelope(envelope), qos=1)
                    await asyncio.sleep(1.0)
        await asyncio.sleep(1.0)


STOLEN_GATEWAY_ATTACKS: dict[str, Attack] = {
    "join_the_ingest_group": join_the_ingest_group,
    "fill_with_subscriptions": fill_with_subscriptions,
    "take_over_sessions": take_over_sessions,
    "speak_for_others": speak_for_others,
    "signed_bombs": signed_bombs,
}
