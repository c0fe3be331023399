"""Mission of a vehicle: an encounter that a dispatch system created, changed or ended, from the cloud to a gateway.

The cloud publishes it to `down/command` of each gateway of the vehicle, and not retained: the broker must keep no
address. The gateway's status lists the versions that the gateway has stored (`Status.missions`), and the cloud sends
again what a status does not list. So a vehicle without coverage gets its mission with its first status.

The cloud signs each mission with Ed25519 (RFC 8032), for one tenant and one gateway. So a broker, or a client that may
publish there, can neither invent a mission nor pass that of one vehicle to another. A version is stored once; an older
one is ignored, and a mission past its expiry is refused.
"""

import base64
import binascii
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from protocols.errors import RemoteProtocolError
from protocols.uplink.limits import SEQUENCE_MAX
from protocols.uplink.messages import Fields, write_message

VALUES_MAX = 32
"""Elements that a mission states: twice those that a dispatch system knows."""
VALUE_LENGTH_MAX = 255
"""Longest value, as of the longest element of an address."""
_BODY_LENGTH_MAX = 16_384
_KEY_LENGTH_MAX = 64
_SIGNATURE = b"argus/v1/mission\x00"
_CLAUSE = "uplink mission v1"


class MissionForged(RemoteProtocolError):
    """None of the given keys signed the mission, or it is for another gateway."""


class MissionStatus(StrEnum):
    """Status of a mission for one vehicle: that of the encounter, or `withdrawn` when another vehicle has it now."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    TRANSFERRED = "transferred"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mission:
    """One version of a mission. `values` has what the dispatch system states, by the element of the care record; its
    repr is hidden, since an address is personal data. Times are wall times of the cloud in µs."""

    tenant: str
    gateway: str
    vehicle: str
    encounter: str
    version: int
    status: MissionStatus
    issued_at_us: int
    expires_at_us: int
    values: Mapping[str, str] = field(default_factory=dict, repr=False)


def encode_mission(mission: Mission, sign: Callable[[bytes], bytes]) -> bytes:
    """Encode and sign a mission. `sign` makes an Ed25519 signature. Raises `LocalProtocolError` if it is too large."""
    body = write_message(
        {
            "tenant": mission.tenant,
            "gateway": mission.gateway,
            "vehicle": mission.vehicle,
            "encounter": mission.encounter,
            "version": mission.version,
            "status": mission.status.value,
            "issued_at_us": mission.issued_at_us,
            "expires_at_us": mission.expires_at_us,
            "values": dict(mission.values),
        }
    )
    signature = base64.b64encode(sign(_SIGNATURE + body)).decode()
    return write_message({"command": "mission", "body": body.decode(), "signature": signature})


def decode_mission(data: bytes, *, tenant: str, gateway: str, keys: Collection[bytes]) -> Mission:
    """Decode a mission after one of the raw public `keys` (32 bytes each) verified its signature. Raises
    `MissionForged`, and `RemoteProtocolError` for all other invalid bytes. Expiry is left to the caller."""
    fields = Fields.of(data, _CLAUSE)
    if fields.text("command", limit_length=32) != "mission":
        raise fields.wrong("no such command")
    body = fields.text("body", limit_length=_BODY_LENGTH_MAX).encode()
    _verify(fields, _SIGNATURE + body, keys)
    inner = Fields.of(body, _CLAUSE)
    if (inner.identifier("tenant"), inner.identifier("gateway")) != (tenant, gateway):
        raise MissionForged("the mission is for another gateway", clause=_CLAUSE)
    try:
        status = MissionStatus(inner.text("status", limit_length=32))
    except ValueError:
        raise inner.wrong("no such status of a mission") from None
    return Mission(
        tenant=tenant,
        gateway=gateway,
        vehicle=inner.identifier("vehicle"),
        encounter=inner.identifier("encounter"),
        version=inner.integer("version", least=1, most=SEQUENCE_MAX),
        status=status,
        issued_at_us=inner.integer("issued_at_us"),
        expires_at_us=inner.integer("expires_at_us"),
        values=_values(inner),
    )


def _verify(fields: Fields, signed: bytes, keys: Collection[bytes]) -> None:
    try:
        signature = base64.b64decode(fields.text("signature", limit_length=128), validate=True)
    except (binascii.Error, ValueError):
        raise fields.wrong("the signature is not base64") from None
    for key in keys:
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
        except (InvalidSignature, ValueError):
            continue
        return
    raise MissionForged("no known key signed the mission", clause=_CLAUSE)


def _values(fields: Fields) -> dict[str, str]:
    found = fields.mapping("values", limit_count=VALUES_MAX)
    values = Fields(found, _CLAUSE)
    if any(len(key) > _KEY_LENGTH_MAX for key in found):
        raise fields.wrong("an element has too long a name")
    return {key: values.text(key, limit_length=VALUE_LENGTH_MAX) for key in found}
