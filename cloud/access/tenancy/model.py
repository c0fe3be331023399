"""Data classes of tenants, organisations and vehicles."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tenant:
    """A customer of the platform; nothing is shared between two tenants."""

    id: str
    name: str
    created_at_us: int


@dataclass(frozen=True, slots=True)
class Organization:
    """An ambulance service within a tenant. Each device and each encounter belongs to one organisation."""

    tenant_id: str
    id: str
    name: str
    created_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Vehicle:
    """An ambulance. `name` is its call sign."""

    tenant_id: str
    id: str
    organization_id: str
    name: str
    created_at_us: int
