"""The vehicles of `ingest.fleet`, in a process of their own: `python -m tests.bench.fleet_vehicles PORT`.

After it has connected all vehicles to the broker at PORT, and the cloud has responded to their statuses, it prints a
line. For each line that it reads it signs the next batches, publishes them, waits until the cloud has acknowledged all
of them, and prints the seconds from the first publish to the last acknowledgement. The MQTT packets are written and
read without a client library, since it would take more processor time than the cloud.
"""

import asyncio
import sys
import time

from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Channel
from protocols.uplink import topics
from protocols.uplink.acks import decode_ack
from protocols.uplink.envelope import encode_envelope
from protocols.uplink.lanes import Lane
from protocols.uplink.mqtt_packets import (
    PUBLISH,
    Packet,
    PacketDivider,
    encode_packet,
    encode_publish,
    read_publish,
)
from protocols.uplink.observations import DeviceObservations, DeviceRef
from protocols.uplink.status import Status, encode_status
from tests.builders.ingest_cloud import TENANT
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle, readings, section
from tests.harness.broker import password_of

VEHICLES = 100
DEVICES = 2
CHANNELS = 10
BATCHES = 10
"""Batches of one vehicle in a run."""
READINGS = DEVICES * CHANNELS

_CHANNELS = [Channel(handle=handle, type=Code(2, 19_380 + handle), unit=Code(4, 544)) for handle in range(CHANNELS)]
_CONNECT, _SUBSCRIBE, _SUBACK = 0x10, 0x82, 0x90


def sections_of(gateway: str, at_s: float) -> list[DeviceObservations]:
    """Return the content of one batch: one reading of each channel of each device."""
    return [
        section(
            [one for channel in _CHANNELS for one in readings(60.0 + at_s % 50, channel=channel, at_s=at_s)],
            device=DeviceRef(f"{gateway}-{number}", "Synthetic device"),
        )
        for number in range(DEVICES)
    ]


def vehicles() -> list[GatewayInVehicle]:
    """Return the gateways of the vehicles, with different keys."""
    return [GatewayInVehicle(gateway=f"gw_{number}", key_seed=number) for number in range(VEHICLES)]


class VehicleOnSocket(asyncio.Protocol):
    """A vehicle's connection to the broker."""

    def __init__(self, gateway: GatewayInVehicle) -> None:
        self._gateway = gateway
        self._signed: list[bytes] = []
        self._sent = self._through = 0
        self._divider = PacketDivider()
        self._subscribed = asyncio.Event()
        self._answered = asyncio.Event()
        self._acknowledged = asyncio.Event()
        self._transport: asyncio.Transport

    async def connect(self, port: int) -> None:
        """Connect to the broker, subscribe to the acknowledgements, and publish the status; return when the cloud has
        responded to it, since several ingest processes subscribe to a gateway's batches only then."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_connection(lambda: self, "127.0.0.1", port)
        name = self._gateway.gateway
        # MQTT 5 with a clean start, a user name and a password; a keep-alive of 0 means none.
        login = b"".join(map(_text, (name, name, password_of(name))))
        self._transport.write(encode_packet(Packet(_CONNECT, _text("MQTT") + b"\x05\xc2\x00\x00\x00" + login)))
        topic = _text(topics.ack(TENANT, name))
        self._transport.write(encode_packet(Packet(_SUBSCRIBE, b"\x00\x01\x00" + topic + b"\x00")))
        await self._subscribed.wait()
        self._transport.write(encode_publish(topics.status(TENANT, name), encode_status(_status(name)), 1, retain=True))
        await self._answered.wait()

    def sign(self) -> None:
        """Prepare the packets of the next run."""
        name = self._gateway.gateway
        topic = topics.up(TENANT, name, Lane.NUMERIC)
        for _ in range(BATCHES):
            self._sent += 1
            envelope = self._gateway.send_sections(sections_of(name, float(self._sent)))
            packet_id = self._sent % 65_535 + 1
            self._signed.append(encode_publish(topic, encode_envelope(envelope), packet_id, retain=False))

    def publish(self) -> None:
        """Send the prepared packets."""
        self._acknowledged.clear()
        self._transport.write(b"".join(self._signed))
        self._signed.clear()

    async def acknowledged(self) -> None:
        """Wait until the cloud has acknowledged every batch."""
        await self._acknowledged.wait()

    def data_received(self, data: bytes) -> None:
        for packet in self._divider.packets(data):
            if packet.kind == PUBLISH:
                ack = decode_ack(read_publish(packet).payload)
                self._answered.set()
                self._through = max(self._through, ack.through_sequence)
                if self._through == self._sent:
                    self._acknowledged.set()
            elif packet.kind == _SUBACK:
                self._subscribed.set()


def _status(gateway: str) -> Status:
    return Status(
        gateway=gateway, epoch="epoch-a", online=True, at_us=NOW_US, boot_id="boot-1", software="bench", marks={}
    )


def _text(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()


async def main(port: int) -> None:
    """Connect the vehicles, and run once for each line of the standard input."""
    fleet = [VehicleOnSocket(gateway) for gateway in vehicles()]
    for one in fleet:
        await one.connect(port)
    print("connected", flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        for one in fleet:
            one.sign()
        begun_s = time.perf_counter()
        for one in fleet:
            one.publish()
        for one in fleet:
            await one.acknowledged()
        print(time.perf_counter() - begun_s, flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
