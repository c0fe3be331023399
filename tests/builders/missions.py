"""Missions of a vehicle as the cloud sends them, and the key of the tests that signs them."""

from collections.abc import Mapping
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.uplink.missions import Mission, MissionStatus, encode_mission

CLOUD_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
CLOUD_PUBLIC_KEY = CLOUD_KEY.public_key().public_bytes_raw()
STREET = "Marktgasse 12"
ISSUED_US = 1_770_000_000_000_000
DAY_US = 86_400_000_000

CALL = Mission(
    tenant="tnt_1",
    gateway="gw_1",
    vehicle="veh_1",
    encounter="enc_call",
    version=1,
    status=MissionStatus.IN_PROGRESS,
    issued_at_us=ISSUED_US,
    expires_at_us=ISSUED_US + DAY_US,
    values={"call.incident_number": "4711", "scene.street": STREET, "call.reason": "2301047"},
)


def changed(version: int, values: Mapping[str, str] | None = None, **fields: object) -> Mission:
    """Return a further version of `CALL`. `values` are those that differ."""
    return replace(CALL, version=version, values={**CALL.values, **(values or {})}, **fields)  # type: ignore[arg-type]


def signed(mission: Mission, key: Ed25519PrivateKey = CLOUD_KEY) -> bytes:
    return encode_mission(mission, key.sign)
