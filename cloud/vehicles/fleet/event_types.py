"""Events of gateways. Keyed by gateway."""

from cloud.foundation.events import EventType, moment, text

GATEWAY_CONNECTED = "gateway.connected"
GATEWAY_OFFLINE = "gateway.offline"

GATEWAY_SUSPENDED = "gateway.suspended"
GATEWAY_RESUMED = "gateway.resumed"
GATEWAY_REVOKED = "gateway.revoked"
GATEWAY_KEY_REPLACED = "gateway.key_replaced"

SCOPE = "argus:devices:read"

_FIELDS = {"gateway_id": text("The gateway, gw_…."), "vehicle_id": text("The vehicle of the gateway.")}
_REASON = text("Reason given by the operator.")
_SAMPLE = {"gateway_id": "gw_1", "vehicle_id": "AMB-42"}

EVENTS = (
    EventType(
        name=GATEWAY_CONNECTED,
        description="A vehicle's gateway connected for the first time, or again after `gateway.offline`.",
        fields={**_FIELDS, "connected_at": moment("Time of the connection.")},
        sample={**_SAMPLE, "connected_at": "2026-03-23T11:20:00.000000Z"},
        scope=SCOPE,
    ),
    EventType(
        name=GATEWAY_OFFLINE,
        description="No contact with a vehicle's gateway for five minutes. It stores its data and sends it later.",
        fields={**_FIELDS, "last_heard_at": moment("Time of its last status message.")},
        sample={**_SAMPLE, "last_heard_at": "2026-03-23T11:45:00.000000Z"},
        scope=SCOPE,
    ),
    EventType(
        name=GATEWAY_SUSPENDED,
        description="A gateway was suspended until it is resumed. Its measurements of that time arrive afterwards.",
        fields={**_FIELDS, "reason": _REASON},
    ),
    EventType(
        name=GATEWAY_RESUMED,
        description="A suspended gateway is accepted again.",
        fields=_FIELDS,
    ),
    EventType(
        name=GATEWAY_REVOKED,
        description="A gateway and all its certificates were revoked.",
        fields={**_FIELDS, "reason": _REASON},
    ),
    EventType(
        name=GATEWAY_KEY_REPLACED,
        description="A gateway has a new signing key. Batches signed with the previous key remain verifiable.",
        fields={**_FIELDS, "reason": _REASON},
    ),
)
