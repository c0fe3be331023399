"""Encounters and their observations as FHIR resources, one a line, for exports.

The resources are those of the bundles for partners, with the same ids. The observations come from the walks through an
encounter in pages, so that they can be read from any place on.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from cloud.clinical.devices import Devices
from cloud.clinical.encounter_data import EncounterObservations, Page, RowPage, Wanted
from cloud.clinical.epcr import Encounter, VisibleRecords
from cloud.clinical.fhir.encounter_devices import EncounterDevice, EncounterDevices
from cloud.clinical.fhir.service import device_facts, encounter_facts
from cloud.clinical.observations import API_LANE_ID, EncounterRow, Place, ReceivedBatches, public_id, time_of, value_of
from cloud.foundation.db import Database
from cloud.foundation.viewer import Viewer
from protocols.fhir.bundle import BundlePart, EncounterBundle
from protocols.fhir.devices import DeviceFacts
from protocols.observation_record import ObservationRecord
from protocols.uplink.lanes import Lane


class EncounterResources:
    """Reads encounters as resources for partners."""

    def __init__(
        self, database: Database, devices: Devices, received: ReceivedBatches, records: VisibleRecords
    ) -> None:
        self._database = database
        self._records = records
        self._devices_of = EncounterDevices(devices)
        self._observations = EncounterObservations(database, received)

    async def encounter(self, encounter: Encounter) -> list[str]:
        """Return the patient, the encounter and its care record. The caller must have checked that the viewer may see
        the encounter. Raises `CareRecordTooLarge`, `MasterKeyAbsent`."""
        return (await self._bundle(encounter)).part(is_first=True, as_lines=True).take()

    async def observations(
        self, viewer: Viewer, encounter: Encounter, wanted: Wanted, *, after: Place | None, limit: int
    ) -> AsyncGenerator[Page, None]:
        """Yield the observations after a place (None: from the first) in pages of at most `limit`, each resource that
        they refer to before the first of them. The caller must have checked that the viewer may see the encounter.
        Raises `EncounterUnknown`, `CareRecordTooLarge`, `MasterKeyAbsent`."""
        part, devices = await self.begin(viewer, encounter)
        facts: dict[int, DeviceFacts] = {}
        pages = self._observations.row_pages(viewer, encounter.id, wanted, after=after, limit=limit)
        async with aclosing(pages):
            async for page in pages:
                for row in page.rows:
                    _add(part, page, row, devices, facts)
                yield Page(part.take(), page.next)

    async def begin(self, viewer: Viewer, encounter: Encounter) -> tuple[BundlePart, dict[str, EncounterDevice]]:
        """Return a part with the patient and the encounter, to which observations are added, and the devices of the
        encounter by id. The caller must have checked that the viewer may see the encounter. Raises
        `CareRecordTooLarge`, `MasterKeyAbsent`."""
        part = (await self._bundle(encounter)).part(is_first=False, as_lines=True)
        async with self._database.read() as tx:
            found = await self._devices_of.read(tx, viewer, encounter)
        return part, {one.device.id: one for one in found}

    async def _bundle(self, encounter: Encounter) -> EncounterBundle:
        async with self._database.read() as tx:
            record = await self._records.for_partners(tx, encounter)
        return EncounterBundle(encounter_facts(encounter), record)


def _add(
    part: BundlePart,
    page: RowPage,
    row: EncounterRow,
    devices: dict[str, EncounterDevice],
    facts: dict[int, DeviceFacts],
) -> None:
    """Add the observation of a row. `facts` are those of the devices by channel."""
    channel = page.walks.channels[row[4]]
    device = devices.get(channel.device_id)
    if device is None:  # it was assigned since the devices were read: the next export has it
        return
    about = facts.get(channel.channel_id)
    if about is None:
        about = device_facts(device, channel.device)
        # One object for each device, and for each that only claims to be it.
        about = facts[channel.channel_id] = next((one for one in facts.values() if one == about), about)
    record = record_of(page, row)
    if channel.mdc_code is None:
        part.add(record, about)
    else:
        part.add(record, about, posted=public_id(row[1]), name=channel.mdc_code, unit=channel.unit_ucum or "")


def record_of(page: RowPage, row: EncounterRow) -> ObservationRecord:
    """Return a row, in the order of the columns of `EncounterRow`, as a record."""
    (
        lane_id,
        sequence,
        position,
        _,
        channel_id,
        observed_us,
        uncertainty_us,
        received_us,
        number,
        value,
        samples,
        status,
        device_time,
        stored,
        clock_id,
        monotonic_us,
        *_,
    ) = row
    owner = page.walks.channels[channel_id]
    channel = owner.channel
    if clock_id:
        observed_us, uncertainty_us = page.walks.time_of(
            observed_us, uncertainty_us, device_time, clock_id, monotonic_us
        )
    gateway, epoch, lane = ("", "", Lane.NUMERIC.value) if lane_id == API_LANE_ID else page.lanes[lane_id]
    sent = time_of(device_time)
    return ObservationRecord(
        gateway=gateway,
        epoch=epoch,
        lane=Lane(lane),
        sequence=sequence,
        index=position,
        device=owner.device,
        handle=channel.handle,
        person=channel.person,
        type=channel.type,
        value=value_of(number, value),
        unit=channel.unit,
        samples=samples,
        array=channel.array,
        components=channel.components,
        supplemental_types=channel.supplemental_types,
        status=status,
        device_time=sent,
        device_local_us=None if sent is None else sent.local_us(),
        observed_at_us=observed_us,
        uncertainty_us=uncertainty_us,
        received_at_us=received_us,
        stored=bool(stored),
        wall_synchronised=None if clock_id is None else not clock_id,
    )
