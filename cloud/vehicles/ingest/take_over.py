"""End the open connection of a suspended or revoked gateway, by a connection with its client id (a session take-over).

mosquitto checks certificates and revocation lists only when a client connects. But when a second client connects with
the same client id, mosquitto disconnects the first at once. The cloud stays connected with that id for a moment, so
that a gateway that reconnects before mosquitto has read its lists again is disconnected again.
"""

import asyncio
from typing import NoReturn

import structlog

from cloud.foundation.settings import Settings
from cloud.vehicles.fleet import (
    BrokerSection,
    DoorOpen,
    MqttSection,
    RabbitmqSection,
    RabbitmqUnusable,
    manage_rabbitmq,
)
from cloud.vehicles.ingest.broker import BrokerAddress, BrokerUnavailable, broker_address
from cloud.vehicles.ingest.broker_control import broker_rights
from cloud.vehicles.ingest.limits import IngestSettings
from cloud.vehicles.ingest.mqtt_connection import BrokerConnection

log = structlog.get_logger()

HELD_S = 2.0
"""Time for which the cloud must stay connected with the gateway's client id. systemd makes mosquitto read its lists
well within it."""
ATTEMPTS_MAX = 5
"""Take-overs of one call. With `HELD_S` each, the call ends within 10 s."""
REQUESTS_MAX = 256
"""Gateways queued for a take-over. Only a few are ever refused at once; a further gateway is queued when its next batch
arrives."""
PAUSE_S = 1.0
"""Pause between two take-overs, so that a client that always reconnects costs one connection a second."""


async def take_over(address: BrokerAddress, gateway_id: str, *, held_s: float = HELD_S) -> bool:
    """End the gateway's connection by a session take-over. Return True if the gateway stayed disconnected for `held_s`,
    False if it reconnected after each of `ATTEMPTS_MAX` attempts. Raises `BrokerUnavailable`."""
    for _ in range(ATTEMPTS_MAX):
        connection = await BrokerConnection.open(
            address, client_id=gateway_id, settings=IngestSettings(), heard=lambda *_: None
        )
        try:
            await asyncio.wait((connection.ended,), timeout=held_s)
            if not connection.ended.done():
                return True
        finally:
            await connection.close()
    return False


async def end_connection(settings: Settings, gateway_id: str) -> bool | None:
    """Revoke the gateway's rights at the broker and end its connection; return True, or None when no broker is
    configured. Raises `DoorOpen` when the broker is not available, or still accepts the gateway."""
    mqtt, rabbitmq = settings.find(MqttSection), settings.find(RabbitmqSection)
    if mqtt is None:
        return None
    if rabbitmq is not None:
        await _end_at_rabbitmq(mqtt, rabbitmq, gateway_id)
        return True
    address = broker_address(mqtt)
    try:
        if settings.find(BrokerSection) is not None:
            async with broker_rights(address) as rights:
                await rights.withdraw(gateway_id)
        kept_out = await take_over(address, gateway_id)
    except BrokerUnavailable as error:
        raise DoorOpen(f"({error})") from None
    if not kept_out:
        raise DoorOpen(
            "(The gateway reconnected each time: mosquitto has not reloaded its lists. Check argus-broker-reload.path.)"
        )
    return True


async def _end_at_rabbitmq(mqtt: MqttSection, rabbitmq: RabbitmqSection, gateway_id: str) -> None:
    """Delete the gateway's user in RabbitMQ, so that it cannot connect again, and end its connection. Raises
    `DoorOpen`."""
    try:
        async with manage_rabbitmq(mqtt, rabbitmq) as management:
            await management.withdraw(gateway_id)
    except RabbitmqUnusable as error:
        raise DoorOpen(f"({error.sentence})") from None


class TakeOvers:
    """A loop that ends the connections of suspended or revoked gateways that still send batches."""

    def __init__(self, address: BrokerAddress) -> None:
        self._address = address
        self._requested: dict[str, None] = {}
        self._due = asyncio.Event()

    def request(self, gateway_id: str) -> None:
        """Queue a take-over of the gateway's session. No effect if it is already queued, or if `REQUESTS_MAX` are
        queued."""
        if len(self._requested) < REQUESTS_MAX:
            self._requested.setdefault(gateway_id)
            self._due.set()

    async def run(self) -> NoReturn:
        while True:
            self._due.clear()
            while self._requested:
                gateway_id = next(iter(self._requested))
                try:
                    await take_over(self._address, gateway_id, held_s=0.0)
                    log.warning("ingest.gateway_ended", gateway=gateway_id)
                except BrokerUnavailable as error:
                    log.warning("ingest.gateway_not_ended", gateway=gateway_id, why=str(error))
                # Removed afterwards: messages sent before the connection ended must request no second take-over.
                del self._requested[gateway_id]
                await asyncio.sleep(PAUSE_S)
            await self._due.wait()
