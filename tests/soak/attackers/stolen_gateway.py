"""Attacks with a stolen gateway: its broker login and its signing key."""

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
    """Open twenty sessions that guess the name of the cloud's shared subscription (security 3)."""

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
    """Subscribe to thousands of deep filters and of groups for the own topic, and unsubscribe (security 3)."""
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
    """Connect under the victim's client id and the cloud's (security 7)."""
    while True:
        for identifier in (target.victim_gateway, f"argus-gateway-{target.victim_gateway}", "argus-cloud"):
            with suppress(aiomqtt.MqttError, TimeoutError):
                async with asyncio.timeout(3), client(target, identifier):
                    pass
        await asyncio.sleep(0.5)


async def speak_for_others(target: Target) -> None:
    """Publish batches, statuses and acknowledgements under the victim's name and in another tenant."""
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
    """Return signed batches that are costly to store: above a block's limits, or at them with new devices."""
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
    """Send batches with thousands of devices and rows, signed with the stolen key (security 2)."""
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
