"""Synthetic tenants for tests of the cloud, each with an organisation, a vehicle, a gateway and an encounter."""

import base64
from dataclasses import dataclass

from cloud.access.tenancy import Organization, Tenancy, Tenant, Vehicle
from cloud.clinical.devices import Devices, Sighting
from cloud.clinical.epcr import Encounter, Epcr
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.ids import UlidIds
from cloud.foundation.viewer import Actor
from cloud.vehicles.fleet import Fleet, RegisteredGateway
from protocols.uplink.observations import DeviceRef

MINUTE_US = 60_000_000
NOON_US = 1_774_353_600_000_000
"""2026-03-24T12:00:00Z, the time at the beginning of most tests."""


class HandClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now_us: int = NOON_US) -> None:
        self._now_us = now_us

    def now_us(self) -> int:
        return self._now_us

    def monotonic_s(self) -> float:
        return self._now_us / 1e6

    def advance(self, *, us: int) -> None:
        self._now_us += us


@dataclass(frozen=True)
class Household:
    """One tenant, with one organisation, vehicle, gateway and encounter. `viewer` is an actor who sees the
    organisation, `operator` an actor who sees the whole tenant."""

    tenant: Tenant
    organization: Organization
    vehicle: Vehicle
    gateway: RegisteredGateway
    encounter: Encounter

    @property
    def viewer(self) -> Actor:
        return self.user("usr_1")

    @property
    def operator(self) -> Actor:
        return Actor.operator(self.tenant.id)

    def user(self, subject: str) -> Actor:
        """Return the actor of a user in the organisation; `subject` is the user's id."""
        return Actor(self.tenant.id, self.organization.id, subject=subject)


def public_key_text(octet: int = 7) -> str:
    """Return base64 of 32 equal bytes, which has the form of an Ed25519 public key."""
    return base64.b64encode(bytes([octet]) * 32).decode()


async def household(
    database: Database, clock: Clock, *, name: str = "north", public_key: str | None = None
) -> Household:
    """Create the tenant `tnt_{name}`, with `org_{name}`, `veh_{name}`, `gw_{name}` and `enc_{name}`."""
    ids = UlidIds(clock)
    tenancy, fleet, epcr = Tenancy(database, clock, ids), Fleet(database, clock, ids), Epcr(database, clock, ids)
    tenant = await tenancy.add_tenant(f"Rescue {name}", id=f"tnt_{name}")
    operator = Actor.operator(tenant.id)
    organization = await tenancy.add_organization(operator, f"Station {name}", id=f"org_{name}")
    vehicle = await tenancy.add_vehicle(operator, organization.id, f"Ambulance {name}", id=f"veh_{name}")
    gateway = await fleet.register(
        operator,
        organization_id=organization.id,
        vehicle_id=vehicle.id,
        public_key=public_key or public_key_text(),
        id=f"gw_{name}",
    )
    encounter = await epcr.begin(operator, organization_id=organization.id, vehicle_id=vehicle.id, id=f"enc_{name}")
    return Household(tenant, organization, vehicle, gateway, encounter)


async def attach_device(
    tx: Transaction, devices: Devices, gateway: RegisteredGateway, ref: DeviceRef, seen_us: int
) -> str:
    """Attach a device that a gateway reported at `seen_us`, as the ingest does; return the device's id."""
    sighting = Sighting(gateway, ref, seen_us)
    ids = await devices.attach(tx, [sighting], await devices.recall(tx, [sighting.key]))
    return ids[sighting.key]
