"""Read the reports on devices in the events of gateways: how a device describes itself, and its power supply.

A device that is only described becomes known, as one that has sent values does.
"""

from collections.abc import Mapping

from cloud.clinical.devices import DeviceKey, DeviceReport, Sighting, device_key, read_fields
from cloud.vehicles.fleet import RegisteredGateway
from protocols.device_description import NO_DESCRIPTION, NO_POWER
from protocols.uplink.device_events import DEVICE_DESCRIBED, UNVERIFIED, described_device, read_description, read_power
from protocols.uplink.events import GatewayEvent
from protocols.uplink.observations import DeviceRef


def is_report(content: object) -> bool:
    """Return whether the content of a batch is an event that describes a device."""
    return isinstance(content, GatewayEvent) and described_device(content) is not None


def sighting_in(gateway: RegisteredGateway, event: GatewayEvent, received_at_us: int) -> Sighting | None:
    """Return a sighting of the device that an event describes; None for an event that describes no device."""
    system_id = described_device(event)
    if system_id is None:
        return None
    model = read_description(event.fields).model if event.name == DEVICE_DESCRIBED else ""
    ref = DeviceRef(system_id, model, unverified_link=event.fields.get(UNVERIFIED) is True)
    return Sighting(gateway, ref, _time_of(event, received_at_us))


def report_in(
    gateway: RegisteredGateway,
    event: GatewayEvent,
    lane_id: int,
    sequence: int,
    received_at_us: int,
    ids: Mapping[DeviceKey, str],
) -> DeviceReport | None:
    """Return the report on a device in an event; None for an event that reports nothing. `ids` maps the key of a device
    to its id."""
    seen = sighting_in(gateway, event, received_at_us)
    if seen is None:
        return None
    description = read_fields(event.fields) if event.name == DEVICE_DESCRIBED else None
    power = read_power(event.fields) if description is None else None
    if power == NO_POWER or (description is not None and description.values == NO_DESCRIPTION):
        return None
    return DeviceReport(
        tenant_id=gateway.tenant_id,
        device_id=ids[device_key(gateway, seen.ref)],
        gateway_id=gateway.id,
        vehicle_id=gateway.vehicle_id,
        lane_id=lane_id,
        sequence=sequence,
        at_us=seen.seen_us,
        received_at_us=received_at_us,
        unverified=seen.ref.unverified_link,
        description=description,
        power=power,
    )


def _time_of(event: GatewayEvent, received_at_us: int) -> int:
    """Return the time of an event in 0…`received_at_us`, because the vehicle's clock may be in the future, or, without
    a real-time clock, before 1970."""
    return max(0, min(event.at_us, received_at_us))
