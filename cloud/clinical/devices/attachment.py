"""Find or add the devices that gateways report, for many reports at once.

This code runs for every group of batches, and the number of statements depends neither on the number of devices nor on
that of their owners: one query, one statement that adds devices, one that updates last-seen times, and one for devices
that another gateway or vehicle reports. An unknown device is stored as `unenrolled`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import BigInteger, Text, case, literal, or_, select, update

from cloud.clinical.devices.model import DeviceStatus
from cloud.clinical.devices.tables import devices
from cloud.foundation.db import GivenRows, Prepared, Transaction, given, insert
from cloud.foundation.ids import Ids
from cloud.foundation.viewer import SecrecyLevel
from protocols.uplink.observations import DeviceRef

LAST_SEEN_GRAIN_US = 5_000_000
"""`last_seen_us` changes once in each interval of this length, so that a stream of batches does not update the same
rows all the time. All devices have the same intervals, so that few commits update many of them."""

DeviceKey = tuple[str, str, str]
"""Tenant, organisation, and the system id of the device."""


class ReportingGateway(Protocol):
    """A gateway that reports devices: its tenant, organisation, vehicle and id."""

    @property
    def tenant_id(self) -> str: ...
    @property
    def organization_id(self) -> str: ...
    @property
    def vehicle_id(self) -> str: ...
    @property
    def id(self) -> str: ...


def device_key(gateway: ReportingGateway, ref: DeviceRef) -> DeviceKey:
    """Return the key of a reported device: the gateway's tenant and organisation, and the device's system id."""
    return gateway.tenant_id, gateway.organization_id, ref.system_id


@dataclass(frozen=True, slots=True)
class Sighting:
    """A report of a device by a gateway. `seen_us` is the gateway's time of the last data from the device, but never
    later than the present time of the cloud."""

    gateway: ReportingGateway
    ref: DeviceRef
    seen_us: int

    @property
    def key(self) -> DeviceKey:
        return device_key(self.gateway, self.ref)


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """The stored id and last-seen time (µs) of a device; `last_seen_us` None: not seen yet."""

    id: str
    last_seen_us: int | None


_wanted = GivenRows("wanted", tenant_id=Text(), organization_id=Text(), system_id=Text())
_KEY = tuple(devices.c[name] for name in ("tenant_id", "organization_id", "system_id"))
_RECALL = Prepared(
    select(*_KEY, devices.c.id, devices.c.last_seen_us).where(*(column == _wanted.c(column.name) for column in _KEY))
)
_new = GivenRows(
    "discovered",
    tenant_id=Text(),
    id=Text(),
    organization_id=Text(),
    vehicle_id=Text(),
    gateway_id=Text(),
    system_id=Text(),
    model=Text(),
    seen_us=BigInteger(),
)
_DISCOVER = Prepared(
    insert(devices)
    .from_select(
        (
            "tenant_id",
            "id",
            "organization_id",
            "vehicle_id",
            "gateway_id",
            "system_id",
            "model",
            "created_at_us",
            "last_seen_us",
            "status",
            "secrecy_level",
        ),
        select(
            *(_new.c(name) for name in ("tenant_id", "id", "organization_id", "vehicle_id", "gateway_id")),
            *(_new.c(name) for name in ("system_id", "model", "seen_us", "seen_us")),
            literal(DeviceStatus.UNENROLLED.value, Text()),
            literal(int(SecrecyLevel.STANDARD)),
            # SQLite parses `ON` after a SELECT without WHERE as a join.
        ).where(_new.c("seen_us").is_not(None)),
    )
    .on_conflict_do_nothing()
)
_later = GivenRows(
    "later",
    tenant_id=Text(),
    id=Text(),
    seen_us=BigInteger(),
    vehicle_id=Text(),
    gateway_id=Text(),
    model=Text(),
)
# Locked in one order first, so that two workers with the same devices cannot deadlock.
_held = (
    select(
        devices.c.tenant_id,
        devices.c.id,
        *(_later.c(name).label(f"new_{name}") for name in ("seen_us", "vehicle_id", "gateway_id", "model")),
    )
    .where(
        _later.among(devices.c.tenant_id, _later.c("tenant_id")),
        _later.among(devices.c.id, _later.c("id")),
        devices.c.tenant_id == _later.c("tenant_id"),
        devices.c.id == _later.c("id"),
        # Backfilled data is older than the row: it must not set the device back to an earlier vehicle.
        or_(devices.c.last_seen_us.is_(None), devices.c.last_seen_us < _later.c("seen_us")),
    )
    .order_by(devices.c.tenant_id, devices.c.id)
    .with_for_update(of=devices, key_share=True)
    .cte("held")
)
_same_device = (devices.c.tenant_id == _held.c.tenant_id, devices.c.id == _held.c.id)
# Most reports only change the time. SQLite writes the index entries of every column that is named, changed or not.
_SEE = Prepared(
    update(devices)
    .where(
        *_same_device,
        devices.c.vehicle_id == _held.c.new_vehicle_id,
        devices.c.gateway_id == _held.c.new_gateway_id,
        or_(devices.c.model != "", _held.c.new_model == ""),
    )
    .values(last_seen_us=_held.c.new_seen_us)
    .returning(devices.c.id)  # the SQLite driver counts no changed rows of a statement that begins with WITH
)
# For the rows that `_SEE` did not change. It has locked them, so that two workers cannot deadlock between the two.
_MOVE = Prepared(
    update(devices)
    .where(*_same_device)
    .values(
        last_seen_us=_held.c.new_seen_us,
        vehicle_id=_held.c.new_vehicle_id,
        gateway_id=_held.c.new_gateway_id,
        model=case((devices.c.model == "", _held.c.new_model), else_=devices.c.model),
    )
)


class DeviceAttachment:
    """SQL statements by which the ingest of batches finds and adds devices."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids

    async def recall(self, tx: Transaction, keys: Iterable[DeviceKey]) -> dict[DeviceKey, KnownDevice]:
        """Look up the stored devices with these keys, in one statement. Unknown keys are left out."""
        wanted = sorted(set(keys))
        rows = await tx.driver.rows(_RECALL, {"wanted": given(wanted)}) if wanted else ()
        return {
            (tenant_id, organization_id, system_id): KnownDevice(id_, last_seen_us)
            for tenant_id, organization_id, system_id, id_, last_seen_us in rows
        }

    async def attach(
        self, tx: Transaction, sightings: Sequence[Sighting], known: Mapping[DeviceKey, KnownDevice]
    ) -> dict[DeviceKey, str]:
        """Add unknown devices and update last-seen times; return a mapping from each device's key to its id. `known`
        must be the result of `recall` in the same transaction."""
        latest: dict[DeviceKey, Sighting] = {}
        for sighting in sightings:
            key = sighting.key
            before = latest.get(key)
            if before is None or (before.seen_us, before.ref.model) < (sighting.seen_us, sighting.ref.model):
                latest[key] = sighting
        unknown = sorted(latest.keys() - known.keys())
        if unknown:
            rows = [_row_of_new(latest[key], self._ids.new("dev")) for key in unknown]
            await tx.driver.run(_DISCOVER, {"discovered": given(rows)})
            known = {**known, **await self.recall(tx, unknown)}  # added by this transaction or by another worker
        later = [
            (key[0], known[key].id, one.seen_us, one.gateway.vehicle_id, one.gateway.id, one.ref.model)
            for key, one in latest.items()
            if (last_seen_us := known[key].last_seen_us) is None
            or one.seen_us // LAST_SEEN_GRAIN_US > last_seen_us // LAST_SEEN_GRAIN_US
        ]
        if later and len(await tx.driver.rows(_SEE, {"later": given(later)})) < len(later):
            await tx.driver.run(_MOVE, {"later": given(later)})
        return {key: known[key].id for key in latest}


def _row_of_new(sighting: Sighting, id_: str) -> tuple[object, ...]:
    gateway, ref = sighting.gateway, sighting.ref
    return (
        gateway.tenant_id,
        id_,
        gateway.organization_id,
        gateway.vehicle_id,
        gateway.id,
        ref.system_id,
        ref.model,
        sighting.seen_us,
    )
