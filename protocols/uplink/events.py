"""Event at a gateway that belongs in the record: a device connected or disconnected, the store filled.

It is the payload of a batch of kind `event`, one event in each batch, in the lane that is sent first and never dropped.
Event names are dotted and in the past tense. They contain no patient data, since logs and operators show them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from protocols.errors import LocalProtocolError
from protocols.uplink.messages import Fields, Json, write_message

NAME_LENGTH_MAX = 64
DEVICE_LENGTH_MAX = 128
FIELDS_MAX = 32
FIELD_TEXT_LENGTH_MAX = 1024
_CLAUSE = "uplink event v1"

EventField = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayEvent:
    """Event with a `name` such as "device.connected". `at_us` is the gateway's wall clock in µs, and `boot_id`
    identifies the machine boot during which the clock was read. `device` is the system id of the affected device, if
    any."""

    name: str
    at_us: int
    boot_id: str
    device: str | None
    fields: Mapping[str, EventField]


def encode_event(event: GatewayEvent) -> bytes:
    """Encode `event` as a batch payload. Raises `LocalProtocolError` for an event above the limits of this module."""
    device_length = len(event.device) if event.device is not None else 0
    if len(event.name) > NAME_LENGTH_MAX or device_length > DEVICE_LENGTH_MAX or len(event.fields) > FIELDS_MAX:
        raise LocalProtocolError("an event's name, device or number of fields is above its limit")
    for name, value in event.fields.items():
        if len(name) > NAME_LENGTH_MAX or (isinstance(value, str) and len(value) > FIELD_TEXT_LENGTH_MAX):
            raise LocalProtocolError("a field of an event is above its limit")
        if isinstance(value, float) and not math.isfinite(value):
            raise LocalProtocolError("a field of an event is not finite")  # JSON would make it null without a warning
    return write_message(
        {
            "name": event.name,
            "at_us": event.at_us,
            "boot_id": event.boot_id,
            "device": event.device,
            "fields": dict(event.fields),
        }
    )


def decode_event(data: bytes) -> GatewayEvent:
    """Decode an event from the payload of a batch. Raises only `RemoteProtocolError`."""
    fields = Fields.of(data, _CLAUSE)
    return GatewayEvent(
        name=fields.text("name", limit_length=NAME_LENGTH_MAX),
        at_us=fields.integer("at_us"),
        boot_id=fields.identifier("boot_id"),
        device=fields.optional_text("device", limit_length=DEVICE_LENGTH_MAX),
        fields={
            name: _field(fields, name, value)
            for name, value in fields.mapping("fields", limit_count=FIELDS_MAX).items()
        },
    )


def _field(fields: Fields, name: str, value: Json) -> EventField:
    if isinstance(value, list | dict) or len(name) > NAME_LENGTH_MAX:
        raise fields.wrong("a field of an event is nested, or its name too long")
    if isinstance(value, str) and len(value) > FIELD_TEXT_LENGTH_MAX:
        raise fields.wrong("a text of an event is too long")
    return value
