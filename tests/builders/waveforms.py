"""Batches of waveforms, as a gateway sends them."""

from array import array
from collections.abc import Sequence
from dataclasses import replace
from sys import byteorder

from protocols.observation import Channel, Observation
from protocols.uplink.channels import DeviceRef
from protocols.uplink.envelope import Envelope
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import DeviceObservations
from tests.builders.ingest_gateway import NOW_US, OXIMETER, PLETH, GatewayInVehicle, section


def block(*samples: int, at_s: float = 1.0, channel: Channel = PLETH) -> Observation:
    """Return one observation of these samples (i16), received at `at_s` and without a device time."""
    values = array("h", samples)
    if byteorder == "little":
        values.byteswap()
    return Observation(
        channel=channel, value=None, samples=values.tobytes(), status=0, device_time=None, received_s=at_s
    )


def waves(
    gateway: GatewayInVehicle,
    *blocks: Observation,
    device: DeviceRef = OXIMETER,
    synchronised: bool = True,
    wall_offset_us: int = NOW_US,
) -> Envelope:
    """Return a waveform batch of one device. Without blocks it has one of three samples."""
    observed: Sequence[Observation] = blocks or (block(1, 2, 3),)
    own: DeviceObservations = section(observed, device=device, wall_offset_us=wall_offset_us)
    return gateway.send_sections([replace(own, wall_synchronised=synchronised)], lane=Lane.WAVEFORM)


def many_waves(gateway: GatewayInVehicle, count: int, *, first_s: float = 1.0) -> list[Envelope]:
    """Return batches of one block each, one a second."""
    return [waves(gateway, block(number, -number, at_s=first_s + number)) for number in range(count)]
