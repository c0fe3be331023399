"""Additional gateways for a running demo: registered in its cloud, with accounts at its broker, driven by the test."""

import asyncio
import base64
import os
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import aiomqtt

from protocols.uplink import topics
from simulators.demo.broker import mosquitto_program
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.harness.demo import RunningDemo, run
from tests.harness.eventually import eventually
from tests.harness.vehicle import Vehicle


async def add_gateway(demo: RunningDemo, *gateways: GatewayInVehicle) -> dict[str, str]:
    """Register the gateways for the demo's vehicle and create their broker accounts; map each gateway id to its
    password."""
    facts = demo.facts
    hasher = mosquitto_program("mosquitto_passwd")
    assert hasher is not None
    where = f"--tenant {facts['tenant_id']} --organization {facts['organization_id']} --vehicle {facts['vehicle_id']}"
    await demo.cloud_commands(
        *(
            f"gateways add {where} --id {each.gateway} --public-key {base64.b64encode(each.public_key).decode()}"
            for each in gateways
        )
    )
    passwords = {each.gateway: secrets.token_hex(16) for each in gateways}
    for gateway, password in passwords.items():
        await run(hasher, "-b", str(demo.state_dir / "broker" / "argus-passwords"), gateway, password)
    os.kill(demo.pid("broker"), signal.SIGHUP)  # reload of the passwords
    for gateway in gateways:
        await eventually(
            lambda gateway=gateway: _has_rights(demo, gateway.gateway, passwords[gateway.gateway]),
            what="mosquitto knows the gateway's rights",
        )
    return passwords


async def _has_rights(demo: RunningDemo, gateway: str, password: str) -> bool:
    """Return whether mosquitto lets the gateway subscribe to its acknowledgements.

    Mosquitto allows the subscription once the cloud has sent the gateway's rights to mosquitto.
    """
    topic = topics.ack(demo.facts["tenant_id"], gateway)
    with suppress(aiomqtt.MqttError):
        async with _client(demo, gateway, password) as client:
            (granted,) = await client.subscribe(topic, qos=1)
            return not granted.is_failure
    return False


def _client(demo: RunningDemo, gateway: str, password: str) -> aiomqtt.Client:
    address = urlsplit(demo.facts["mqtt_url"])
    return aiomqtt.Client(
        str(address.hostname),
        int(address.port or 0),
        username=gateway,
        password=password,
        identifier=gateway,
        protocol=aiomqtt.ProtocolVersion.V5,
    )


@asynccontextmanager
async def honest_vehicle(demo: RunningDemo, gateway: GatewayInVehicle, password: str) -> AsyncIterator[Vehicle]:
    """Connect to the demo's broker as this gateway; yield its MQTT side, which keeps the acknowledgements."""
    facts = demo.facts
    async with _client(demo, gateway.gateway, password) as client:
        await client.subscribe(topics.ack(facts["tenant_id"], gateway.gateway), qos=1)
        vehicle = Vehicle(client, tenant=facts["tenant_id"])
        listening = asyncio.ensure_future(vehicle.listen())
        try:
            yield vehicle
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
