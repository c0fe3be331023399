"""The events that tell of gateways. Keyed by gateway."""

from cloud.events import EventType
from cloud.events.event_type import moment, text

GATEWAY_CONNECTED = "gateway.connected"
GATEWAY_OFFLINE = "gateway.offline"

SCOPE = "argus:devices:read"

_FIELDS = {"gateway_id": text("The gateway, gw_…."), "vehicle_id": text("The vehicle that it stands for.")}
_SAMPLE = {"gateway_id": "gw_1", "vehicle_id": "AMB-42"}

EVENTS = (
    EventType(
        name=GATEWAY_CONNECTED,
        description="A vehicle's gateway is there for the first time, or again after it was told to be offline.",
        fields={**_FIELDS, "connected_at": moment("When the cloud heard of it.")},
        sample={**_SAMPLE, "connected_at": "2026-03-23T11:20:00.000000Z"},
        scope=SCOPE,
    ),
    EventType(
        name=GATEWAY_OFFLINE,
        description="Nothing was heard of a vehicle's gateway for a while; a tunnel is too short for that. It stores "
        "what it measures and sends it later.",
        fields={**_FIELDS, "last_heard_at": moment("When it said last how it is, or that it goes.")},
        sample={**_SAMPLE, "last_heard_at": "2026-03-23T11:45:00.000000Z"},
        scope=SCOPE,
    ),
)
