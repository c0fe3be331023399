"""Enrol many new devices at once, for imports.

A single enrolment has six to eight statements. Devices that are surely new need the same few statements however many
they are. A device that is stored already, that is named twice, or that has an error is left to `Enrolment.enrol_in`,
which decides about it alone.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

from cloud.access.audit import Audit
from cloud.access.tenancy import TenancyStore
from cloud.clinical.devices.errors import DeviceClassUnknown, DeviceTextMalformed
from cloud.clinical.devices.model import Device, Enrolled
from cloud.clinical.devices.service import ENROL, DeviceFields, enrolled_event, enrolled_metadata, wanted_device
from cloud.clinical.devices.store import Devices
from cloud.foundation.clock import Clock
from cloud.foundation.db import ConstraintViolated, Transaction
from cloud.foundation.events import Outbox
from cloud.foundation.ids import Ids
from cloud.foundation.viewer import Actor


class BulkEnrolment:
    """Enrols new devices of one organisation."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self._clock = clock
        self._ids = ids
        self._devices = Devices(ids)
        self._outbox = Outbox(ids)
        self._tenancy = TenancyStore()
        self._audit = Audit(clock)

    async def enrol_new_in(
        self, tx: Transaction, actor: Actor, organization_id: str, enrolments: Sequence[DeviceFields]
    ) -> Collection[int]:
        """Enrol the devices that are surely new, with their events and audit entries. Return their positions in
        `enrolments`; nothing was done for the others."""
        if await self._tenancy.find_organization(tx, actor, organization_id) is None:
            return ()
        new = await self._new(tx, actor, organization_id, self._wanted(actor, enrolments))
        if not new:
            return ()
        # In one order in all transactions, which otherwise would wait for each other's serial numbers.
        added = sorted(new.values(), key=lambda device: device.serial_number or "")
        try:
            async with tx.savepoint():
                await self._devices.add_all(tx, added)
        except ConstraintViolated:
            return ()  # another transaction has added one of them
        outcomes = [Enrolled(device, created=True) for device in new.values()]
        now_us = self._clock.now_us()
        await self._outbox.emit_all(tx, [enrolled_event(one, now_us, actor.traceparent) for one in outcomes])
        entries = [(actor, ENROL, one.device.id, enrolled_metadata(one)) for one in outcomes]
        await self._audit.record_many(tx, entries)
        return new.keys()

    def _wanted(self, actor: Actor, enrolments: Sequence[DeviceFields]) -> Mapping[int, Device]:
        """Return the devices by their positions, without those that have an error."""
        wanted = {}
        for position, fields in enumerate(enrolments):
            with suppress(DeviceClassUnknown, DeviceTextMalformed):
                wanted[position] = wanted_device(self._clock, self._ids, actor, **fields)
        return wanted

    async def _new(
        self, tx: Transaction, actor: Actor, organization_id: str, wanted: Mapping[int, Device]
    ) -> Mapping[int, Device]:
        """Return those devices that are named once, are not stored, and whose vehicle is in the organisation."""
        serials = Counter(device.serial_number for device in wanted.values())
        systems = Counter(device.system_id for device in wanted.values() if device.system_id is not None)
        taken_serials, taken_systems = await self._devices.taken(tx, actor, organization_id, serials, systems)
        known: dict[str | None, bool] = {None: True}
        for id in {device.vehicle_id for device in wanted.values()} - {None}:
            assert id is not None
            vehicle = await self._tenancy.find_vehicle(tx, actor, id)
            known[id] = vehicle is not None and vehicle.organization_id == organization_id

        def is_new(device: Device) -> bool:
            serial, system = device.serial_number, device.system_id
            return (
                serials[serial] == 1
                and serial not in taken_serials
                and (system is None or (systems[system] == 1 and system not in taken_systems))
                and known[device.vehicle_id]
            )

        return {position: device for position, device in wanted.items() if is_new(device)}
