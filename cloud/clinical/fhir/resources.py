"""Encounters and their observations as FHIR resources, one a line, for exports.

The resources are those of the bundles for partners, with the same ids. The observations come from the walks through an
encounter in pages, so that they can be read from any place on.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from cloud.clinical.devices import Devices
from cloud.clinical.encounter_data import EncounterObservations, RowPage, Wanted
from cloud.clinical.epcr import Encounter, VisibleRecords
from cloud.clinical.fhir.encounter_devices import EncounterDevice, EncounterDevices
from cloud.clinical.fhir.service import WHY_PARTIAL, device_facts, encounter_facts
from cloud.clinical.observations import (
    API_LANE_ID,
    DeviceChannel,
    EncounterRow,
    Place,
    ReceivedBatches,
    public_id,
    time_of,
    value_of,
)
from cloud.foundation.db import Database
from cloud.foundation.viewer import Viewer
from protocols.epcr.element import Audience
from protocols.fhir.bundle import BundlePart, EncounterBundle
from protocols.fhir.composition import report_state
from protocols.fhir.devices import DeviceFacts, SentTime
from protocols.fhir.number_series import NumberSeries
from protocols.observation_record import ObservationRecord
from protocols.uplink.lanes import Lane

_LANE, _SEQUENCE, _CHANNEL, _STATUS = 0, 1, 4, 11
"""Columns of an `EncounterRow`."""


@dataclass(frozen=True, slots=True)
class ResourcePage:
    """Resources of a page as JSON lines, and the place after which the next one begins (None on the last page).
    `record_values` is the number of values of the care record if it was read for this page, which it is for the first
    one."""

    lines: Sequence[str]
    next: Place | None
    record_values: int | None


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
    ) -> AsyncGenerator[ResourcePage, None]:
        """Yield the observations after a place (None: from the first) in pages of at most `limit`, each resource that
        they refer to before the first of them. The caller must have checked that the viewer may see the encounter.
        Raises `EncounterUnknown`, `CareRecordTooLarge`, `MasterKeyAbsent`."""
        part, devices, read = await self.begin(viewer, encounter)
        values: int | None = read
        added = _Observations(part, devices)
        pages = self._observations.row_pages(viewer, encounter.id, wanted, after=after, limit=limit)
        async with aclosing(pages):
            async for page in pages:
                added.add(page)
                yield ResourcePage(part.take(), page.next, values)
                values = None

    async def begin(self, viewer: Viewer, encounter: Encounter) -> tuple[BundlePart, dict[str, EncounterDevice], int]:
        """Return a part with the patient and the encounter, to which observations are added, the devices of the
        encounter by id, and the number of values of its care record. The caller must have checked that the viewer may
        see the encounter. Raises `CareRecordTooLarge`, `MasterKeyAbsent`."""
        bundle = await self._bundle(encounter)
        part = bundle.part(is_first=False, as_lines=True)
        async with self._database.read() as tx:
            found = await self._devices_of.read(tx, viewer, encounter)
        return part, {one.device.id: one for one in found}, bundle.record_values

    async def _bundle(self, encounter: Encounter) -> EncounterBundle:
        async with self._database.read() as tx:
            record, signing = await self._records.with_signing(tx, encounter, Audience.PARTNERS)
        state = report_state(signing, Audience.PARTNERS, why_partial=WHY_PARTIAL)
        return EncounterBundle(encounter_facts(encounter), record, state=state)


class _Observations:
    """Adds the observations of one walk to a part."""

    def __init__(self, part: BundlePart, devices: Mapping[str, EncounterDevice]) -> None:
        self._part = part
        self._devices = devices
        self._facts: dict[int, DeviceFacts | None] = {}
        self._series: dict[tuple[int, int, int], NumberSeries] = {}
        self._times: dict[bytes, SentTime | None] = {}

    def add(self, page: RowPage) -> None:
        """Add the observations of a page. It is one loop over the columns of `EncounterRow`, since a record for each
        number would take as long as all the rest."""
        self._times.clear()
        series_of, times, corrected, add = self._series, self._times, page.walks.time_of, self._part.add_number
        for row in page.rows:
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
                _,
                _,
                status,
                device_time,
                _,
                clock_id,
                monotonic_us,
                *_,
            ) = row
            if number is None or lane_id == API_LANE_ID:
                self._add_record(page, row)
                continue
            series = series_of.get((lane_id, channel_id, status)) or self._begin_series(page, row)
            if series is None:
                continue
            if clock_id:
                observed_us, _ = corrected(observed_us, uncertainty_us, device_time, clock_id, monotonic_us)
            add(
                series,
                sequence,
                position,
                number,
                observed_at_us=observed_us,
                received_at_us=received_us,
                sent=None if device_time is None else times.get(device_time) or self._add_time(device_time),
            )

    def _add_time(self, column: bytes) -> SentTime | None:
        """Return a device's time. The values of one report have the same time."""
        time = time_of(column)
        sent = self._times[column] = None if time is None else SentTime(time, time.local_us())
        return sent

    def _begin_series(self, page: RowPage, row: EncounterRow) -> NumberSeries | None:
        """Return the series of a number, None if its device is not known."""
        facts = self._facts_of(page.walks.channels[row[_CHANNEL]])
        if facts is None:
            return None
        series = self._part.series(record_of(page, row), facts)
        self._series[row[_LANE], row[_CHANNEL], row[_STATUS]] = series
        return series

    def _add_record(self, page: RowPage, row: EncounterRow) -> None:
        """Add an observation that is not a number of a gateway."""
        channel = page.walks.channels[row[_CHANNEL]]
        facts = self._facts_of(channel)
        if facts is None:
            return
        record = record_of(page, row)
        if channel.mdc_code is None:
            self._part.add(record, facts)
        else:
            posted, unit = public_id(row[_SEQUENCE]), channel.unit_ucum or ""
            self._part.add(record, facts, posted=posted, name=channel.mdc_code, unit=unit)

    def _facts_of(self, channel: DeviceChannel) -> DeviceFacts | None:
        """Return the facts of a channel's device: one object for each device, and for each that only claims to be it.
        None: it was assigned since the devices were read, so the next export has it."""
        known = self._facts
        if channel.channel_id not in known:
            device = self._devices.get(channel.device_id)
            facts = None if device is None else device_facts(device, channel.device)
            known[channel.channel_id] = next((one for one in known.values() if one == facts), facts)
        return known[channel.channel_id]


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
