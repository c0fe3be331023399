"""Make the FHIR bundle of an encounter, a part at a time.

A part is built in slices between which the event loop serves other requests, and only a few are built at once, so that
large bundles occupy neither the loop nor the memory.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from cloud.clinical.devices import Devices
from cloud.clinical.epcr import Encounter, Encounters, EncounterUnknown, VisibleRecords
from cloud.clinical.fhir.encounter_devices import EncounterDevice, EncounterDevices
from cloud.clinical.fhir.encounter_observations import EncounterObservations, Position
from cloud.clinical.observations import ObservationReader, ReadObservation, ReceivedBatches
from cloud.foundation.db import Database
from cloud.foundation.objects import ObjectStore
from cloud.foundation.viewer import Viewer
from protocols.device_description import NO_DESCRIPTION, DeviceDescription
from protocols.epcr.element import Audience
from protocols.fhir.bundle import ENTRIES_MAX, EncounterBundle
from protocols.fhir.composition import report_state
from protocols.fhir.device_properties import CONTINUA_VERSION
from protocols.fhir.devices import FIRMWARE, HARDWARE, PROTOCOL, SOFTWARE, DeviceFacts
from protocols.fhir.encounter import EncounterFacts
from protocols.uplink.channels import DeviceRef

PARTS_AT_ONCE = 4
"""Parts in the making: 100 MB at most (`PART_BYTES_MAX`). Further requests are queued."""
SLICE_OBSERVATIONS = 250
"""Observations between two turns of the event loop: about two milliseconds of work."""
WHY_PARTIAL = "The cloud does not have all entries of this report that were signed."
"""The reason of the status of a report of which a part is missing."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bundle. `next` makes its bytes from the address of the next part, of which `position` is the
    position; None: this is the last part."""

    position: Position | None
    encode: Callable[[str | None], bytes]


class Bundles:
    """Makes bundles. `objects` is the object store of the settings, from which waveforms are read."""

    def __init__(
        self,
        database: Database,
        devices: Devices,
        received: ReceivedBatches,
        records: VisibleRecords,
        objects: ObjectStore | None,
    ) -> None:
        self._database = database
        self._received = received
        self._records = records
        self._objects = objects
        self._encounters = Encounters()
        self._devices_of = EncounterDevices(devices)
        self._devices = devices
        self._making = asyncio.Semaphore(PARTS_AT_ONCE)

    async def part(
        self,
        viewer: Viewer,
        encounter_id: str,
        after: Position | None = None,
        *,
        audience: Audience = Audience.PARTNERS,
    ) -> Part:
        """Return the part of an encounter's bundle that begins behind a position, None: the first part. It is
        identified for the audience TREATMENT, for which the caller must have checked the entitlement, and audits the
        reading. Raises `EncounterUnknown`, `CareRecordTooLarge`, `MasterKeyAbsent`, and for waveforms `ObjectMissing`,
        `ObjectDamaged` and `ObjectStoreUnavailable`."""
        async with self._making:
            async with self._database.read() as tx:
                encounter = await self._encounters.find(tx, viewer, encounter_id)
                if encounter is None:
                    raise EncounterUnknown
                record, signing = await self._records.with_signing(tx, encounter, audience)
                devices = await self._devices_of.read(tx, viewer, encounter)
            state = report_state(signing, audience, why_partial=WHY_PARTIAL)
            bundle = EncounterBundle(encounter_facts(encounter), record, state=state)
            part = bundle.part(is_first=after is None, entries_max=ENTRIES_MAX)
            facts = _DeviceFacts()
            reader = ObservationReader(
                self._database, viewer, self._devices, self._received, objects=self._objects, hidden=True
            )
            observations = EncounterObservations(reader, encounter.id, devices)
            last, count = after, 0
            async with aclosing(observations.read(after)) as found:
                async for position, device, one in found:
                    if part.is_full:
                        return Part(last, part.encoded)
                    _add(part.add, one, facts.of(device, one))
                    last, count = position, count + 1
                    if count % SLICE_OBSERVATIONS == 0:
                        await asyncio.sleep(0)
            return Part(None, part.encoded)


class _DeviceFacts:
    """The facts about the devices of one part: one object for each device, and for each that only claims to be it."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bool], DeviceFacts] = {}

    def of(self, device: EncounterDevice, found: ReadObservation) -> DeviceFacts:
        key = device.device.id, found.record.device.unverified_link
        if (known := self._known.get(key)) is None:
            known = self._known[key] = device_facts(device, found.record.device)
        return known


def _add(add: Callable[..., None], found: ReadObservation, device: DeviceFacts) -> None:
    posted = found.posted
    if posted is None:
        add(found.record, device)
    else:
        add(found.record, device, posted=posted.id, name=posted.mdc_code, unit=posted.unit_code)


def device_facts(one: EncounterDevice, ref: DeviceRef) -> DeviceFacts:
    """Return the facts about a device: as enrolled, and else as the device describes itself. A description over a link
    that proves nothing is that of the device which only claims to be this one."""
    device = one.device
    own = one.described.get(ref.unverified_link, NO_DESCRIPTION)
    return DeviceFacts(
        id=device.id,
        system_id=device.system_id or ref.system_id,
        manufacturer=device.manufacturer or own.manufacturer,
        model=own.model or device.model or ref.model,
        serial_number=device.serial_number or own.serial_number,
        device_class=device.device_class or "",
        unverified_link=ref.unverified_link,
        versions={type_: text for type_, text in _versions(own) if text},
        described=own,
    )


def _versions(described: DeviceDescription) -> Sequence[tuple[int, str]]:
    return (
        (HARDWARE, described.hardware_revision),
        (SOFTWARE, described.software_revision),
        (FIRMWARE, described.firmware_revision),
        (PROTOCOL, described.protocol_revision),
        (CONTINUA_VERSION, described.certified_version),
    )


def encounter_facts(encounter: Encounter) -> EncounterFacts:
    """Return what a bundle states of an encounter beside its care record."""
    return EncounterFacts(
        tenant=encounter.tenant_id,
        id=encounter.id,
        organization_id=encounter.organization_id,
        care_model=encounter.care_model,
        status=encounter.status,
        began_us=encounter.created_at_us,
        ended_us=encounter.ended_at_us,
    )
