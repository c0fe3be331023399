"""Synthetic tenants for tests of the cloud, each with an organisation, a vehicle, a gateway and an encounter.

The services add a tenant once in a process. Its rows are then copied to each further database, since most tests begin
with one or two of these tenants, and the services' five transactions took half of the set-up of such a test.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, insert, select

from cloud.access.tenancy import Organization, Tenancy, Tenant, Vehicle
from cloud.clinical.devices import Devices, Sighting
from cloud.clinical.epcr import Encounter, Epcr
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction, metadata
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


Rows = Sequence[tuple[Table, Sequence[dict[str, Any]]]]
"""Rows of several tables, in an order that satisfies the foreign keys."""
_made: dict[tuple[str, str], tuple[Household, Rows]] = {}
"""The usual households as the services have added them in this process, by the kind of database and name."""
USUAL_NAMES = ("north", "south")


async def household(
    database: Database, clock: Clock, *, name: str = "north", public_key: str | None = None
) -> Household:
    """Create the tenant `tnt_{name}`, with `org_{name}`, `veh_{name}`, `gw_{name}` and `enc_{name}`."""
    is_usual = name in USUAL_NAMES and public_key is None and clock.now_us() == NOON_US
    made = _made.get((database.dialect, name)) if is_usual else None
    if made is None:
        home = await household_by_services(database, clock, name=name, public_key=public_key or public_key_text())
        if is_usual:
            _made[database.dialect, name] = home, await rows_of(database, home.tenant.id)
        return home
    home, rows = made
    async with database.transaction() as tx:
        for table, found in rows:
            await tx.execute(insert(table).inline(), found)
    return home


async def household_by_services(database: Database, clock: Clock, *, name: str, public_key: str) -> Household:
    """Create a household with the services of the cloud, in five transactions."""
    ids = UlidIds(clock)
    tenancy, fleet, epcr = Tenancy(database, clock, ids), Fleet(database, clock, ids), Epcr(database, clock, ids)
    tenant = await tenancy.add_tenant(f"Rescue {name}", id=f"tnt_{name}")
    operator = Actor.operator(tenant.id)
    organization = await tenancy.add_organization(operator, f"Station {name}", id=f"org_{name}")
    vehicle = await tenancy.add_vehicle(operator, organization.id, f"Ambulance {name}", id=f"veh_{name}")
    gateway = await fleet.register(
        operator, organization_id=organization.id, vehicle_id=vehicle.id, public_key=public_key, id=f"gw_{name}"
    )
    encounter = await epcr.begin(operator, organization_id=organization.id, vehicle_id=vehicle.id, id=f"enc_{name}")
    return Household(tenant, organization, vehicle, gateway, encounter)


async def rows_of(database: Database, tenant_id: str) -> Rows:
    """Return all rows of a tenant, without the keys that the database numbers."""
    found: list[tuple[Table, list[dict[str, Any]]]] = []
    async with database.read() as tx:
        for table in metadata.sorted_tables:
            owner = table.c.get("id" if table.name == "tenants" else "tenant_id")
            if owner is None:
                continue
            numbered = table.autoincrement_column
            columns = [column for column in table.c if column is not numbered]
            rows = await tx.execute(select(*columns).where(owner == tenant_id))
            kept = [dict(zip([column.name for column in columns], row, strict=True)) for row in rows]
            if kept:
                found.append((table, kept))
    return found


async def attach_device(
    tx: Transaction, devices: Devices, gateway: RegisteredGateway, ref: DeviceRef, seen_us: int
) -> str:
    """Attach a device that a gateway reported at `seen_us`, as the ingest does; return the device's id."""
    sighting = Sighting(gateway, ref, seen_us)
    ids = await devices.attach(tx, [sighting], await devices.recall(tx, [sighting.key]))
    return ids[sighting.key]
