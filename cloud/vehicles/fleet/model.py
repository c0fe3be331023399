"""The data classes of gateways."""

from dataclasses import dataclass, field
from enum import StrEnum

CLOCKS_US = 3_600_000_000
"""Difference between the clocks of two machines with which times of both are compared: more than a machine without time
synchronisation drifts in a year, and short against the life of a key."""


class GatewayAccess(StrEnum):
    """The access of a gateway: whether the cloud accepts its batches and the broker accepts its connection."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    """The gateway is refused until it is resumed. Its buffer keeps the measurements, and they arrive after that."""
    REVOKED = "revoked"
    """The gateway is refused, and its certificates stay revoked. Only a new key admits the gateway again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayStatus:
    """The latest status that a gateway sent. `at_us` is when the cloud received it, by the cloud's clock."""

    online: bool
    at_us: int
    epoch: str | None = None
    software: str | None = None
    store_state: str | None = None
    boot_id: str | None = None


@dataclass(frozen=True, slots=True)
class FormerKey:
    """An Ed25519 public key (32 bytes) that was the gateway's signing key until `replaced_at_us`."""

    public_key: bytes
    replaced_at_us: int

    def may_sign(self, at_us: int) -> bool:
        """Return whether a batch of this time may have this key's signature. The time is by the clock of another
        machine than the one on which the key was replaced, so `CLOCKS_US` later is not too late."""
        return at_us <= self.replaced_at_us + CLOCKS_US


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredGateway:
    """A registered gateway with its Ed25519 key (32 bytes). `status` is None before the first status arrived."""

    tenant_id: str
    id: str
    organization_id: str
    vehicle_id: str
    public_key: bytes = field(repr=False)
    registered_at_us: int
    status: GatewayStatus | None = None
    access: GatewayAccess = GatewayAccess.ACTIVE
    access_reason: str | None = None
    access_at_us: int | None = None
