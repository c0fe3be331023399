"""The events that tell of gateways. Keyed by gateway."""

from cloud.foundation.events import EventType
from cloud.foundation.events.event_type import moment, text

GATEWAY_CONNECTED = "gateway.connected"
GATEWAY_OFFLINE = "gateway.offline"

GATEWAY_SUSPENDED = "gateway.suspended"
GATEWAY_RESUMED = "gateway.resumed"
GATEWAY_REVOKED = "gateway.revoked"
GATEWAY_KEY_REPLACED = "gateway.key_replaced"

SCOPE = "argus:devices:read"

_FIELDS = {"gateway_id": text("The gateway, gw_…."), "vehicle_id": text("The vehicle that it stands for.")}
_REASON = text("Why, as the operator wrote it.")
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
    EventType(
        name=GATEWAY_SUSPENDED,
        description="A gateway was shut out until it is resumed; its measurements of that time arrive afterwards.",
        fields={**_FIELDS, "reason": _REASON},
        sample={**_SAMPLE, "reason": "in the workshop"},
    ),
    EventType(
        name=GATEWAY_RESUMED,
        description="A suspended gateway is accepted again.",
        fields=_FIELDS,
        sample=_SAMPLE,
    ),
    EventType(
        name=GATEWAY_REVOKED,
        description="A gateway was shut out for good, with every certificate that it has.",
        fields={**_FIELDS, "reason": _REASON},
        sample={**_SAMPLE, "reason": "stolen"},
    ),
    EventType(
        name=GATEWAY_KEY_REPLACED,
        description="A gateway signs with another key from now on. Batches signed before stay verifiable with the old.",
        fields={**_FIELDS, "reason": _REASON},
        sample={**_SAMPLE, "reason": "new box"},
    ),
)
