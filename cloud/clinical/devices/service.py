"""Enrol, retire and list devices.

Gateways report the devices that they see on their vehicle, also before the enrolment (DESIGN D16). The row of a seen
device becomes the row of the enrolled device, with its earlier observations. If a device was enrolled before its system
id was known, there are two rows, and the seen device is merged into the enrolled one. No observation is rewritten.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NotRequired, TypedDict, Unpack

from cloud.access.audit import Audit
from cloud.access.tenancy import OrganizationUnknown, TenancyStore
from cloud.clinical.devices.description_history import DescribedPeriod, HistoryQuery, read_history
from cloud.clinical.devices.description_store import DescriptionStore
from cloud.clinical.devices.errors import (
    DeviceClassUnknown,
    DeviceTextMalformed,
    DeviceUnknown,
    DeviceVehicleUnknown,
    SystemIdTaken,
)
from cloud.clinical.devices.event_types import DEVICE_ENROLLED, DEVICE_RETIRED
from cloud.clinical.devices.model import Device, DeviceClass, DeviceStatus, Enrolled
from cloud.clinical.devices.store import Devices
from cloud.foundation.clock import Clock
from cloud.foundation.db import ConstraintViolated, Database, Transaction
from cloud.foundation.errors import Mistake
from cloud.foundation.events import SECRECY, NewEvent, Outbox
from cloud.foundation.ids import Ids
from cloud.foundation.readable import hidden_character
from cloud.foundation.suggestions import closest, mention
from cloud.foundation.viewer import Actor, SecrecyLevel, Viewer

ENROL = "device.enrol"
"""The action of an enrolment in the audit trail."""
TEXT_LENGTH_MAX = 128
# A vehicle may report the device while it is enrolled; the second transaction then reads the rows again.
TRIES = 3

_HEX = re.compile(r"([0-9A-Fa-f]{2})+")


class DeviceFields(TypedDict):
    """The fields of a device to enrol."""

    organization_id: str
    serial_number: str
    device_class: str
    manufacturer: str
    system_id: NotRequired[str | None]
    vehicle_id: NotRequired[str | None]


class Enrolment:
    """Enrol, retire and list devices."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._devices = Devices(ids)
        self._descriptions = DescriptionStore()
        self._outbox = Outbox(ids)
        self._tenancy = TenancyStore()
        self._audit = Audit(clock)

    async def enrol(self, actor: Actor, **fields: Unpack[DeviceFields]) -> Enrolled:
        """Enrol a device in a transaction of its own, with the errors of `enrol_in`."""
        async with self._database.transaction() as tx:
            return await self.enrol_in(tx, actor, **fields)

    async def enrol_in(self, tx: Transaction, actor: Actor, **fields: Unpack[DeviceFields]) -> Enrolled:
        """Enrol a device. The same serial number in the same organisation is the same device, enrolled again (contract
        A-104). Raises `OrganizationUnknown`, `DeviceVehicleUnknown`, `DeviceClassUnknown`, `SystemIdTaken`,
        `DeviceTextMalformed`."""
        wanted = wanted_device(self._clock, self._ids, actor, **fields)
        if await self._tenancy.find_organization(tx, actor, wanted.organization_id) is None:
            raise OrganizationUnknown
        if wanted.vehicle_id is not None:
            vehicle = await self._tenancy.find_vehicle(tx, actor, wanted.vehicle_id)
            if vehicle is None or vehicle.organization_id != wanted.organization_id:
                raise DeviceVehicleUnknown(mistakes=[Mistake("not in this organisation", "/vehicle_id")])
        outcome = await self._write(tx, actor, wanted)
        await self._outbox.emit_all(tx, [enrolled_event(outcome, self._clock.now_us(), actor.traceparent)])
        await self._audit.record(tx, actor, ENROL, outcome.device.id, metadata=enrolled_metadata(outcome))
        return outcome

    async def _write(self, tx: Transaction, viewer: Viewer, wanted: Device) -> Enrolled:
        for _ in range(TRIES - 1):
            with suppress(ConstraintViolated):
                async with tx.savepoint():
                    return await self._decide(tx, viewer, wanted)
        return await self._decide(tx, viewer, wanted)

    async def _decide(self, tx: Transaction, viewer: Viewer, wanted: Device) -> Enrolled:
        assert wanted.serial_number is not None
        enrolled = await self._devices.by_serial_number(tx, viewer, wanted.organization_id, wanted.serial_number)
        seen = None
        if wanted.system_id is not None:
            seen = await self._devices.by_system_id(tx, viewer, wanted.organization_id, wanted.system_id)
        if seen is not None and seen.status is not DeviceStatus.UNENROLLED and seen != enrolled:
            if seen.status is not DeviceStatus.RETIRED:
                raise SystemIdTaken
            # The board was moved to another housing: its observations from now on belong to the new device.
            await self._devices.replace(tx, viewer, replace(seen, system_id=None))
            seen = None
        if enrolled is None and seen is None:
            await self._devices.add(tx, wanted)
            return Enrolled(wanted, created=True)
        if enrolled is None or seen is None or seen == enrolled:
            known = enrolled or seen
            assert known is not None
            device = _enrolled(known, wanted)
            await self._devices.replace(tx, viewer, device)
            return Enrolled(device, created=False, again=enrolled is not None)
        return await self._merge(tx, viewer, seen, _enrolled(enrolled, wanted))

    async def _merge(self, tx: Transaction, viewer: Viewer, seen: Device, enrolled: Device) -> Enrolled:
        """Merge `seen`, an unenrolled device, into `enrolled`, which was enrolled by its serial number alone."""
        merged = replace(seen, status=DeviceStatus.MERGED, merged_into=enrolled.id, system_id=None)
        await self._devices.replace(tx, viewer, merged)
        device = replace(
            enrolled,
            model=enrolled.model or seen.model,
            vehicle_id=enrolled.vehicle_id or seen.vehicle_id,
            gateway_id=seen.gateway_id,
            last_seen_us=max(enrolled.last_seen_us or 0, seen.last_seen_us or 0) or None,
            **_reported_by(seen, enrolled),
        )
        await self._devices.replace(tx, viewer, device)
        await self._descriptions.move(tx, seen.tenant_id, seen.id, device.id)
        return Enrolled(device, created=False, absorbed=seen.id, again=True)

    async def retire(self, actor: Actor, device_id: str) -> Device:
        """Take a device out of use until it is enrolled again; its observations stay. Retiring a retired device has no
        effect. Raises `DeviceUnknown`."""
        async with self._database.transaction() as tx:
            device = await self._devices.find(tx, actor, device_id, lock=True)
            if device is None:
                raise DeviceUnknown
            if device.status is DeviceStatus.RETIRED:
                return device
            retired = replace(device, status=DeviceStatus.RETIRED)
            await self._devices.replace(tx, actor, retired)
            event = _event(DEVICE_RETIRED, retired, {}, self._clock.now_us(), actor.traceparent)
            await self._outbox.emit_all(tx, [event])
            await self._audit.record(tx, actor, "device.retire", device.id)
        return retired

    async def history(self, viewer: Viewer, wanted: HistoryQuery) -> Sequence[DescribedPeriod]:
        """Return the periods in which devices described themselves as wanted. Raises `DeviceUnknown`."""
        async with self._database.read() as tx:
            if wanted.device_id is not None:
                device = await self._devices.find(tx, viewer, wanted.device_id, hidden=True)
                if device is None:
                    raise DeviceUnknown
                wanted = replace(wanted, device_id=device.merged_into or device.id)
            return await read_history(tx, viewer, wanted)

    async def list(
        self,
        viewer: Viewer,
        *,
        vehicle_id: str | None = None,
        hidden: bool = False,
        after: str | None = None,
        count: int | None = None,
    ) -> Sequence[Device]:
        """Return at most `count` devices in the order of their ids, beginning after the id `after`. `vehicle_id`
        selects the devices of one vehicle. `hidden`: also devices that partners do not see."""
        if count is not None and not hidden:
            return await self._devices.page(self._database, viewer, vehicle_id=vehicle_id, after=after, count=count)
        async with self._database.read() as tx:
            return await self._devices.list(tx, viewer, vehicle_id=vehicle_id, hidden=hidden, after=after, count=count)


def wanted_device(clock: Clock, ids: Ids, actor: Actor, **fields: Unpack[DeviceFields]) -> Device:
    """Return the device of an enrolment, as it is stored if it is new. Raises `DeviceClassUnknown` and
    `DeviceTextMalformed`."""
    now_us, system_id = clock.now_us(), fields.get("system_id")
    return Device(
        tenant_id=actor.tenant_id,
        id=ids.new("dev"),
        organization_id=fields["organization_id"],
        vehicle_id=fields.get("vehicle_id"),
        gateway_id=None,
        system_id=None if system_id is None else _system_id(system_id),
        serial_number=checked_text(fields["serial_number"]),
        device_class=_device_class(fields["device_class"]),
        manufacturer=checked_text(fields["manufacturer"]),
        model="",
        status=DeviceStatus.ACTIVE,
        merged_into=None,
        secrecy_level=SecrecyLevel.STANDARD,
        created_at_us=now_us,
        enrolled_at_us=now_us,
        last_seen_us=None,
    )


def enrolled_event(outcome: Enrolled, at_us: int, traceparent: str | None) -> NewEvent:
    """Return the event of an enrolment."""
    device = outcome.device
    details = {
        "device_class": None if device.device_class is None else device.device_class.value,
        "vehicle_id": device.vehicle_id,
        "created": outcome.created,
        "absorbed": outcome.absorbed,
    }
    return _event(DEVICE_ENROLLED, device, details, at_us, traceparent)


def enrolled_metadata(outcome: Enrolled) -> Mapping[str, Any]:
    """Return the metadata of the audit entry of an enrolment."""
    return {"again": outcome.again, "absorbed": outcome.absorbed}


def _event(
    event_type: str, device: Device, details: Mapping[str, Any], at_us: int, traceparent: str | None
) -> NewEvent:
    payload = {"device_id": device.id, **details, SECRECY: device.secrecy_level.word}
    return NewEvent(event_type, device, device.id, payload, at_us, traceparent)


def _enrolled(known: Device, wanted: Device) -> Device:
    """Return the stored device `known`, updated with the values of the enrolment `wanted`. A system id or vehicle that
    the enrolment does not give stays as stored."""
    return replace(
        known,
        status=DeviceStatus.ACTIVE,
        serial_number=wanted.serial_number,
        device_class=wanted.device_class,
        manufacturer=wanted.manufacturer,
        system_id=wanted.system_id or known.system_id,
        vehicle_id=wanted.vehicle_id or known.vehicle_id,
        enrolled_at_us=wanted.enrolled_at_us,
    )


def _reported_by(seen: Device, enrolled: Device) -> dict[str, Any]:
    """Return the fields in which the enrolled device takes over what the seen device has reported."""
    fields: dict[str, Any] = {}
    if seen.description is not None:
        fields |= {"description": seen.description, "described_at_us": seen.described_at_us}
    if (seen.battery_at_us or 0) > (enrolled.battery_at_us or 0):
        names = ("battery_percent", "battery_at_us", "battery_remaining_min", "power_status")
        fields |= {name: getattr(seen, name) for name in names}
    return fields


def _device_class(text: str) -> DeviceClass:
    try:
        return DeviceClass(text)
    except ValueError:
        near = closest(text, DeviceClass)
        unknown = f"The device class{mention(text, near)} is unknown."
        raise DeviceClassUnknown(mistakes=[Mistake(unknown, "/device_class", did_you_mean=near)]) from None


def _system_id(text: str) -> str:
    """Return a system id as gateways write it: hex in lower case, other text as is. Raises `DeviceTextMalformed`."""
    checked = checked_text(text)
    return checked.lower() if _HEX.fullmatch(checked) else checked


def checked_text(text: str) -> str:
    """Return a serial number, manufacturer or system id without surrounding spaces. Raises `DeviceTextMalformed`."""
    trimmed = text.strip()
    if not trimmed or len(trimmed) > TEXT_LENGTH_MAX:
        raise DeviceTextMalformed
    if (found := hidden_character(trimmed)) is not None:
        raise DeviceTextMalformed(f"(It contains {found}.)")
    return trimmed
