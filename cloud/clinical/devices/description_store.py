"""Store the descriptions and power supplies that gateways report of devices, for many reports at once.

This code runs for groups of batches with such reports, and the number of statements depends neither on the number of
reports nor on that of devices. A change of a description gets a row in the history; the current description is in the
row of the device. A gateway that was offline reports late. So history is ordered by the gateways' time, and only the
latest report is current. A report over a link that proves nothing never replaces one over a verified link, since any
machine on a vehicle's network can claim the identity of a device.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import BigInteger, Integer, Text, or_, select, update

from cloud.clinical.devices.description import SelfDescription, read_stored
from cloud.clinical.devices.tables import device_descriptions, devices
from cloud.foundation.db import GivenRows, Prepared, Transaction, given
from protocols.device_description import DevicePower

DeviceName = tuple[str, str]
"""Tenant and id of a device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceReport:
    """A report of a gateway on a device, with the batch in which it arrived. `at_us` is by the gateway's clock, at most
    the time of arrival. `unverified`: only the device's own claim identifies it. Exactly one of `description` and
    `power` is set."""

    tenant_id: str
    device_id: str
    gateway_id: str
    vehicle_id: str
    lane_id: int
    sequence: int
    at_us: int
    received_at_us: int
    unverified: bool = False
    description: SelfDescription | None = None
    power: DevicePower | None = None

    @property
    def device(self) -> DeviceName:
        return self.tenant_id, self.device_id


@dataclass(frozen=True, slots=True)
class Known:
    """A description that was stored before: its stored form, and the time since which it is valid."""

    at_us: int
    text: str


@dataclass(frozen=True, slots=True)
class Changes:
    """The rows that reports of descriptions lead to: the new rows of the history, and the new current descriptions."""

    history: list[DeviceReport] = field(default_factory=list)
    current: dict[DeviceName, DeviceReport] = field(default_factory=dict)


_named = GivenRows("named", tenant_id=Text(), id=Text())
_LOCK = Prepared(
    select(devices.c.tenant_id, devices.c.id, devices.c.described_at_us, devices.c.description)
    .where(
        _named.among(devices.c.tenant_id, _named.c("tenant_id")),
        _named.among(devices.c.id, _named.c("id")),
        devices.c.tenant_id == _named.c("tenant_id"),
        devices.c.id == _named.c("id"),
    )
    .order_by(devices.c.tenant_id, devices.c.id)
    .with_for_update(of=devices, key_share=True)
)
_reported = GivenRows("reported", number=Integer(), tenant_id=Text(), device_id=Text(), at_us=BigInteger())
_earlier = device_descriptions.c
_place_before = (
    select(device_descriptions)
    .where(
        _earlier.tenant_id == _reported.c("tenant_id"),
        _earlier.device_id == _reported.c("device_id"),
        _earlier.at_us <= _reported.c("at_us"),
    )
    .order_by(_earlier.at_us.desc(), _earlier.lane_id.desc(), _earlier.sequence.desc())
    .limit(1)
    .correlate(_reported.source)
)
_BEFORE = Prepared(
    select(
        _reported.c("number"),
        _place_before.with_only_columns(_earlier.at_us).scalar_subquery(),
        _place_before.with_only_columns(_earlier.description).scalar_subquery(),
    ).select_from(_reported.source)
)
_described = GivenRows("described", tenant_id=Text(), id=Text(), at_us=BigInteger(), description=Text())
_DESCRIBE = Prepared(
    update(devices)
    .where(devices.c.tenant_id == _described.c("tenant_id"), devices.c.id == _described.c("id"))
    .values(description=_described.c("description"), described_at_us=_described.c("at_us"))
)
_powered = GivenRows(
    "powered",
    tenant_id=Text(),
    id=Text(),
    at_us=BigInteger(),
    battery_percent=Integer(),
    status=Integer(),
    remaining_min=Integer(),
)
_POWER = Prepared(
    update(devices)
    .where(
        devices.c.tenant_id == _powered.c("tenant_id"),
        devices.c.id == _powered.c("id"),
        or_(devices.c.battery_at_us.is_(None), devices.c.battery_at_us <= _powered.c("at_us")),
    )
    .values(
        battery_percent=_powered.c("battery_percent"),
        power_status=_powered.c("status"),
        battery_remaining_min=_powered.c("remaining_min"),
        battery_at_us=_powered.c("at_us"),
    )
)
_COLUMNS = (
    "tenant_id",
    "device_id",
    "at_us",
    "lane_id",
    "sequence",
    "gateway_id",
    "vehicle_id",
    "received_at_us",
    "model",
    "serial_number",
    "hardware_revision",
    "software_revision",
    "firmware_revision",
    "description",
)


class DescriptionStore:
    """SQL statements on descriptions of devices."""

    async def lock(self, tx: Transaction, names: Collection[DeviceName]) -> dict[DeviceName, Known]:
        """Lock devices until `tx` ends, in the order in which all workers lock them, and return their current
        descriptions. Call this before other changes of these devices in the transaction, so that two workers cannot
        deadlock."""
        rows = await tx.driver.rows(_LOCK, {"named": given(sorted(names))}) if names else ()
        return {
            (tenant_id, id_): Known(at_us, text) for tenant_id, id_, at_us, text in rows if at_us is not None and text
        }

    async def write(
        self, tx: Transaction, reports: Sequence[DeviceReport], current: Mapping[DeviceName, Known]
    ) -> None:
        """Store reports of known devices. `current` is the result of `lock` in this transaction."""
        described = [report for report in reports if report.description is not None]
        if described:
            changes = find_changes(described, await self._before(tx, described), current)
            if changes.history:
                await tx.driver.append(device_descriptions, _COLUMNS, [_row(each) for each in changes.history])
            if changes.current:
                rows = [(*name, each.at_us, _text(each)) for name, each in sorted(changes.current.items())]
                await tx.driver.run(_DESCRIBE, {"described": given(rows)})
        powered = latest(
            report for report in reports if report.power is not None and not _is_outranked(report, current)
        )
        if powered:
            await tx.driver.run(_POWER, {"powered": given([_power_row(powered[name]) for name in sorted(powered)])})

    async def move(self, tx: Transaction, tenant_id: str, from_id: str, to_id: str) -> None:
        """Move the history of a device to the device that it is merged into."""
        history = device_descriptions.c
        statement = update(device_descriptions).where(history.tenant_id == tenant_id, history.device_id == from_id)
        await tx.execute(statement.values(device_id=to_id))

    async def _before(self, tx: Transaction, reports: Sequence[DeviceReport]) -> dict[int, Known]:
        """Return, for the number of each report, the stored description that was valid at its time."""
        wanted = [(number, *report.device, report.at_us) for number, report in enumerate(reports)]
        rows = await tx.driver.rows(_BEFORE, {"reported": given(wanted)})
        return {number: Known(at_us, text) for number, at_us, text in rows if at_us is not None}


def find_changes(
    reports: Sequence[DeviceReport], before: Mapping[int, Known], current: Mapping[DeviceName, Known]
) -> Changes:
    """Return the changes that reports of descriptions lead to. `before` has, for the number of a report, the stored
    description that was valid at its time."""
    changes, previous = Changes(), dict[DeviceName, Known]()
    valid = dict(current)
    for number in sorted(range(len(reports)), key=lambda each: _place(reports[each])):
        report, text = reports[number], _text(reports[number])
        stored, earlier = before.get(number), previous.get(report.device)
        known = earlier if stored is None or (earlier is not None and earlier.at_us >= stored.at_us) else stored
        if known is None or known.text != text:
            changes.history.append(report)
        previous[report.device] = Known(report.at_us, text)
        now = valid.get(report.device)
        if now is None or _replaces(report, now):
            changes.current[report.device] = report
            valid[report.device] = Known(report.at_us, text)
    return changes


def latest(reports: Iterable[DeviceReport]) -> dict[DeviceName, DeviceReport]:
    """Return the latest report of each device."""
    return {report.device: report for report in sorted(reports, key=_place)}


def _is_outranked(report: DeviceReport, current: Mapping[DeviceName, Known]) -> bool:
    """Return whether a report comes over a link that proves nothing, while the device is known over a verified one."""
    now = current.get(report.device)
    return report.unverified and now is not None and not read_stored(now.text).unverified


def _replaces(report: DeviceReport, now: Known) -> bool:
    """Return whether the description of a report becomes the current one instead of `now`."""
    unverified = read_stored(now.text).unverified
    if report.unverified is not unverified:
        return unverified
    return report.at_us >= now.at_us and _text(report) != now.text


def _place(report: DeviceReport) -> tuple[int, int, int]:
    return report.at_us, report.lane_id, report.sequence


def _text(report: DeviceReport) -> str:
    assert report.description is not None
    return report.description.stored()


def _row(report: DeviceReport) -> tuple[object, ...]:
    assert report.description is not None
    values = report.description.values
    return (
        report.tenant_id,
        report.device_id,
        report.at_us,
        report.lane_id,
        report.sequence,
        report.gateway_id,
        report.vehicle_id,
        report.received_at_us,
        values.model,
        values.serial_number,
        values.hardware_revision,
        values.software_revision,
        values.firmware_revision,
        _text(report),
    )


def _power_row(report: DeviceReport) -> tuple[object, ...]:
    assert report.power is not None
    power = report.power
    return *report.device, report.at_us, power.battery_percent, power.status, power.battery_remaining_min
