"""Read the history of device descriptions: which device had which model and firmware, and when.

A recall names a firmware, and an operator lists the devices that had it on a day. Each row of the history begins a
period, which ends with the next row of the device.
"""

from dataclasses import dataclass

from sqlalchemy import func, or_, select

from cloud.clinical.devices.description import SelfDescription, read_stored
from cloud.clinical.devices.tables import device_descriptions, devices
from cloud.foundation.db import Transaction
from cloud.foundation.viewer import Viewer, visible

COLUMNS = ("model", "serial_number", "hardware_revision", "software_revision", "firmware_revision")
"""The parts of a description by which the history can be searched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryQuery:
    """The wanted part of the history: of one device, with these texts in the description (a column of `COLUMNS` and its
    value), and valid at some time from `since_us` to before `until_us`. At most `limit` periods."""

    device_id: str | None = None
    texts: tuple[tuple[str, str], ...] = ()
    since_us: int | None = None
    until_us: int | None = None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedPeriod:
    """A period in which a device described itself in one way, by the clocks of the gateways. `until_us` None: it does
    so now. `serial_number` is the one of the enrolment."""

    device_id: str
    system_id: str | None
    serial_number: str | None
    vehicle_id: str
    gateway_id: str
    from_us: int
    until_us: int | None
    description: SelfDescription


async def read_history(tx: Transaction, viewer: Viewer, wanted: HistoryQuery) -> list[DescribedPeriod]:
    """Return the wanted periods of the devices that the viewer may see, by device and time."""
    rows, later = device_descriptions.c, device_descriptions.alias("later")
    following = (
        select(func.min(later.c.at_us))
        .where(later.c.tenant_id == rows.tenant_id, later.c.device_id == rows.device_id, later.c.at_us > rows.at_us)
        .correlate(device_descriptions)
        .scalar_subquery()
    )
    statement = (
        select(
            rows.device_id,
            devices.c.system_id,
            devices.c.serial_number,
            rows.vehicle_id,
            rows.gateway_id,
            rows.at_us,
            following.label("until_us"),
            rows.description,
        )
        .join(devices, (devices.c.tenant_id == rows.tenant_id) & (devices.c.id == rows.device_id))
        .where(*visible(devices, viewer), rows.tenant_id == viewer.tenant_id)
        .where(*(rows[column] == text for column, text in wanted.texts))
        .order_by(rows.device_id, rows.at_us)
        .limit(wanted.limit)
    )
    if wanted.device_id is not None:
        statement = statement.where(rows.device_id == wanted.device_id)
    if wanted.until_us is not None:
        statement = statement.where(rows.at_us < wanted.until_us)
    if wanted.since_us is not None:
        statement = statement.where(or_(following.is_(None), following > wanted.since_us))
    return [
        DescribedPeriod(
            device_id=row.device_id,
            system_id=row.system_id,
            serial_number=row.serial_number,
            vehicle_id=row.vehicle_id,
            gateway_id=row.gateway_id,
            from_us=row.at_us,
            until_us=row.until_us,
            description=read_stored(row.description),
        )
        for row in await tx.execute(statement)
    ]
