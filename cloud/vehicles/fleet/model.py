"""What the cloud knows about a gateway."""

from dataclasses import dataclass, field
from enum import StrEnum


class GatewayAccess(StrEnum):
    """Whether the cloud takes what a gateway sends, and whether the broker lets it in."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    """Shut out until it is resumed. What it measures stays in its buffer and arrives afterwards."""
    REVOKED = "revoked"
    """Shut out for good: its certificates never count again. A new key admits the gateway again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayStatus:
    """What a gateway last said about itself. `at_us` is when the cloud heard it, by the cloud's clock."""

    online: bool
    at_us: int
    epoch: str | None = None
    software: str | None = None
    store_state: str | None = None
    boot_id: str | None = None


@dataclass(frozen=True, slots=True)
class FormerKey:
    """An Ed25519 key, 32 bytes, that a gateway signed with until `replaced_at_us`."""

    public_key: bytes
    replaced_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredGateway:
    """A gateway that may send. `public_key` is its Ed25519 key, 32 octets; `status` is None until it was heard."""

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
