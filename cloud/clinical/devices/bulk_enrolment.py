"""Enrol many new devices at once, for imports.

A single enrolment has six to eight statements. New devices need the same few statements however many they are. A device
that is stored already, or that has an error, is left to `Enrolment.enrol_in`, which decides about it alone. So is the
second one of two that have the same serial number or system id.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

from cloud.access.audit import Audit
from cloud.access.tenancy import TenancyStore
from cloud.clinical.devices.errors import DeviceClassUnknown, DeviceTextMalformed
from cloud.clinical.devices.model import Device, Enrolled
from cloud.clinical.devices.service import ENROL, DeviceFields, enrolled_event, enrolled_metadata, wanted_device
from cloud.clinical.devices.store import Devices
from cloud.foundation.clock import Clock
from cloud.foundation.db import Transaction
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
        """Enrol the devices that are new, with their events and audit entries. Return their positions in `enrolments`;
        nothing was done for the others."""
        wanted = await self._wanted(tx, actor, organization_id, enrolments)
        # In one order in all transactions, which otherwise would wait for each other's serial numbers.
        added = await self._devices.add_new(tx, sorted(wanted.values(), key=lambda one: one.serial_number or ""))
        new = {position: device for position, device in wanted.items() if device.id in added}
        outcomes = [Enrolled(device, created=True) for device in new.values()]
        now_us = self._clock.now_us()
        await self._outbox.emit_all(tx, [enrolled_event(one, now_us, actor.traceparent) for one in outcomes])
        entries = [(actor, ENROL, one.device.id, enrolled_metadata(one)) for one in outcomes]
        await self._audit.record_many(tx, entries)
        return new.keys()

    async def _wanted(
        self, tx: Transaction, actor: Actor, organization_id: str, enrolments: Sequence[DeviceFields]
    ) -> Mapping[int, Device]:
        """Return the devices by their positions, without those that have an error."""
        if await self._tenancy.find_organization(tx, actor, organization_id) is None:
            return {}
        wanted = {}
        for position, fields in enumerate(enrolments):
            with suppress(DeviceClassUnknown, DeviceTextMalformed):
                wanted[position] = wanted_device(self._clock, self._ids, actor, **fields)
        elsewhere = set()
        for id in sorted({device.vehicle_id for device in wanted.values() if device.vehicle_id is not None}):
            vehicle = await self._tenancy.find_vehicle(tx, actor, id)
            if vehicle is None or vehicle.organization_id != organization_id:
                elsewhere.add(id)
        return {position: device for position, device in wanted.items() if device.vehicle_id not in elsewhere}
