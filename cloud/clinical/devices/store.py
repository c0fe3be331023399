"""SQL statements on devices. The statements for the ingest of batches are in attachment.py."""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Integer, Select, bindparam, or_, select, update

from cloud.clinical.devices.attachment import DeviceAttachment
from cloud.clinical.devices.model import Device, DeviceStatus
from cloud.clinical.devices.tables import devices
from cloud.foundation.db import Database, GivenRows, Prepared, Records, Transaction, given, insert
from cloud.foundation.viewer import Viewer, visible

SHOWN = (DeviceStatus.ACTIVE, DeviceStatus.RETIRED)
"""The statuses that partners see."""

_DEVICES = Records(Device, devices)
_NAMES = tuple(column.name for column in _DEVICES.columns)

_new = GivenRows("new", **{column.name: column.type for column in _DEVICES.columns})
_ADD_NEW = Prepared(
    insert(devices)
    # SQLite parses `ON` after a SELECT without WHERE as a join.
    .from_select(_NAMES, _new.rows(*_NAMES).where(_new.c("id").is_not(None)))
    .on_conflict_do_nothing()
    .returning(devices.c.id)
)

# For posts of applications: they do not name a vehicle, so only the time changes.
_HEARD = Prepared(
    update(devices)
    .where(
        devices.c.tenant_id == bindparam("tenant"),
        devices.c.id == bindparam("device"),
        or_(devices.c.last_seen_us.is_(None), devices.c.last_seen_us < bindparam("seen")),
    )
    .values(last_seen_us=bindparam("seen"))
)
_BATTERY = Prepared(
    update(devices)
    .where(
        devices.c.tenant_id == bindparam("tenant"),
        devices.c.id == bindparam("device"),
        or_(devices.c.battery_at_us.is_(None), devices.c.battery_at_us <= bindparam("measured_at")),
    )
    .values(battery_percent=bindparam("percent"), battery_at_us=bindparam("measured_at"))
)


class Devices(DeviceAttachment):
    """SQL statements that read and write devices."""

    async def heard(self, tx: Transaction, tenant_id: str, device_id: str, seen_us: int) -> None:
        """Set a device's last-seen time, unless a later one is stored. The caller must have checked the access."""
        await tx.driver.run(_HEARD, {"tenant": tenant_id, "device": device_id, "seen": seen_us})

    async def battery(
        self, tx: Transaction, tenant_id: str, device_id: str, *, percent: int, measured_at_us: int
    ) -> None:
        """Write the battery charge of a device, unless a newer one is stored."""
        values = {"tenant": tenant_id, "device": device_id, "percent": percent, "measured_at": measured_at_us}
        await tx.driver.run(_BATTERY, values)

    async def find(
        self, tx: Transaction, viewer: Viewer, device_id: str, *, hidden: bool = False, lock: bool = False
    ) -> Device | None:
        """Return a device that the viewer may see, or None. `hidden`: also a device that partners do not see. `lock`:
        no other transaction can change the device until `tx` ends."""
        statement = _shown(viewer, hidden).where(devices.c.id == device_id)
        if lock:
            statement = statement.with_for_update(key_share=True)
        return await _DEVICES.first(tx, statement)

    async def find_named(self, tx: Transaction, viewer: Viewer, named: str) -> Device | None:
        """Return the device with this id or system id, also if partners do not see it. For a merged device, return the
        device that absorbed it."""
        statement = _shown(viewer, hidden=True).where(or_(devices.c.id == named, devices.c.system_id == named))
        found = await _DEVICES.first(tx, statement.order_by(devices.c.id))
        if found is None or found.merged_into is None:
            return found
        return await self.find(tx, viewer, found.merged_into, hidden=True)

    async def list(
        self,
        tx: Transaction,
        viewer: Viewer,
        *,
        vehicle_id: str | None = None,
        hidden: bool = False,
        after: str | None = None,
        count: int | None = None,
    ) -> Sequence[Device]:
        """Return at most `count` devices in the order of their ids, beginning after the id `after`. `vehicle_id`
        selects the devices of one vehicle. `hidden`: also devices that partners do not see."""
        statement = _shown(viewer, hidden).order_by(devices.c.id).limit(count)
        if vehicle_id is not None:
            statement = statement.where(devices.c.vehicle_id == vehicle_id)
        if after is not None:
            statement = statement.where(devices.c.id > after)
        return await _DEVICES.all(tx, statement)

    async def page(
        self, database: Database, viewer: Viewer, *, vehicle_id: str | None, after: str | None, count: int
    ) -> Sequence[Device]:
        """Return at most `count` devices that partners see, in the order of their ids, beginning after the id `after`.
        The query is compiled once, since the API lists devices often."""
        statement = _page(viewer.organization_id is not None, vehicle_id is not None, after is not None)
        values = {
            "tenant": viewer.tenant_id,
            "organization": viewer.organization_id,
            "clearance": int(viewer.clearance),
            "vehicle": vehicle_id,
            "after": after,
            "count": count,
        }
        return [_DEVICES.read(row) for row in await database.peek(statement, values)]

    async def identities(self, tx: Transaction, viewer: Viewer, device_id: str) -> Sequence[str]:
        """Return the ids under which a device's observations and assignments are stored: the device's own id and the
        ids of devices merged into it. For a merged device, return the ids of the device that absorbed it; for an
        unknown device, none."""
        found = await self.find(tx, viewer, device_id, hidden=True)
        if found is None:
            return ()
        own = found.merged_into or found.id
        merged = select(devices.c.id).where(*visible(devices, viewer), devices.c.merged_into == own)
        return [own, *sorted(row.id for row in await tx.execute(merged))]

    async def by_serial_number(
        self, tx: Transaction, viewer: Viewer, organization_id: str, serial_number: str
    ) -> Device | None:
        return await self._locked(tx, viewer, organization_id, devices.c.serial_number == serial_number)

    async def by_system_id(
        self, tx: Transaction, viewer: Viewer, organization_id: str, system_id: str
    ) -> Device | None:
        return await self._locked(tx, viewer, organization_id, devices.c.system_id == system_id)

    async def _locked(self, tx: Transaction, viewer: Viewer, organization_id: str, condition: Any) -> Device | None:
        statement = _DEVICES.select().where(
            *visible(devices, viewer), devices.c.organization_id == organization_id, condition
        )
        return await _DEVICES.first(tx, statement.with_for_update(key_share=True))

    async def add(self, tx: Transaction, device: Device) -> None:
        """Add a device. Raises `ConstraintViolated` when another transaction has added it."""
        await tx.execute(insert(devices).values(_DEVICES.values(device)))

    async def add_new(self, tx: Transaction, added: Sequence[Device]) -> Collection[str]:
        """Add those devices whose serial number and system id no device of the organisation has, with one statement.
        Return their ids."""
        rows = await tx.driver.rows(_ADD_NEW, {"new": given([_DEVICES.row(device) for device in added])})
        return {row[0] for row in rows}

    async def replace(self, tx: Transaction, viewer: Viewer, device: Device) -> None:
        """Update the row of a device that the viewer may see."""
        statement = update(devices).where(*visible(devices, viewer), devices.c.id == device.id)
        await tx.execute(statement.values(_DEVICES.values(device)))


def _shown(viewer: Viewer, hidden: bool) -> Select[Any]:
    statement = _DEVICES.select().where(*visible(devices, viewer))
    return statement if hidden else statement.where(devices.c.status.in_([status.value for status in SHOWN]))


@cache
def _page(of_organization: bool, of_vehicle: bool, after: bool) -> Prepared:
    """Return the query for a page of devices, with a filter for each argument that is True. Without unneeded filters,
    the database can use an index that fits the query."""
    wanted = [
        devices.c.tenant_id == bindparam("tenant"),
        devices.c.secrecy_level <= bindparam("clearance"),
        or_(*(devices.c.status == status.value for status in SHOWN)),
    ]
    if of_organization:
        wanted.append(devices.c.organization_id == bindparam("organization"))
    if of_vehicle:
        wanted.append(devices.c.vehicle_id == bindparam("vehicle"))
    if after:
        wanted.append(devices.c.id > bindparam("after"))
    return Prepared(_DEVICES.select().where(*wanted).order_by(devices.c.id).limit(bindparam("count", type_=Integer)))
