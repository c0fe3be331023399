"""Values of the devices of an encounter: thinned readings, and the blocks of the ECG strip.

Several readers of one hand-over poll it every few seconds, and each language needs the same values, so they are kept
for some seconds, of a few encounters. Nothing else is kept: the record itself is read for each request.
"""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass

from cloud.clinical.encounter_data import EncounterObservations, Wanted, WaveformBlocks
from cloud.clinical.epcr import Encounter
from cloud.clinical.fhir import BlockRecords, record_of
from cloud.clinical.observations import ReceivedBatches
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.objects import ObjectStore
from cloud.foundation.viewer import Viewer
from protocols.bounded_map import BoundedMap
from protocols.epcr.handover.ecg import LEAD_CODES
from protocols.epcr.handover.readings import ThinnedObservations
from protocols.epcr.handover.twelve_lead import last_blocks, strip_interval
from protocols.epcr.projection import VisibleRecord
from protocols.observation_record import ObservationRecord

KEPT_S = 5.0
"""Age up to which values are shown again. A reader polls every ten seconds."""
KEPT_MAX = 64
"""Encounters whose values are kept: more than are under way to a hospital at one time. One has some hundred kB."""
ROWS_MAX = 400_000
"""Observations of one encounter that are read: a day of a monitor. Later ones are not shown."""
PAGE_ROWS = 2_000
AT_ONCE = 2
"""Encounters whose values are read at one time, so that readers cannot take the database."""
_CALL_EARLIER_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class DeviceData:
    """The device values of an encounter: the kept observations of each channel, oldest first, and the waveform blocks
    of the ECG strip."""

    channels: Sequence[Sequence[ObservationRecord]]
    waveforms: Sequence[ObservationRecord]


class EncounterDeviceData:
    """Reads device values. `objects` is the object store of the settings."""

    def __init__(
        self, database: Database, clock: Clock, received: ReceivedBatches, objects: ObjectStore | None
    ) -> None:
        self._database = database
        self._clock = clock
        self._observations = EncounterObservations(database, received)
        self._blocks = WaveformBlocks(database, objects)
        self._kept: BoundedMap[tuple[str, str, int | None], tuple[float, DeviceData]] = BoundedMap(KEPT_MAX)
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def read(
        self, viewer: Viewer, encounter: Encounter, record: VisibleRecord, *, until_us: int | None
    ) -> DeviceData:
        """Return the values of an encounter until `until_us` (None: all), as they were at most `KEPT_S` ago. Raises
        `EncounterUnknown`, `ObjectMissing`, `ObjectDamaged`, `ObjectStoreUnavailable`."""
        key = encounter.tenant_id, encounter.id, until_us
        if (found := self._recent(key)) is not None:
            return found
        async with self._turn:
            if (found := self._recent(key)) is not None:  # another reader has read it meanwhile
                return found
            data = await self._read(viewer, encounter, record, until_us)
            self._kept[key] = self._clock.monotonic_s(), data
            return data

    def _recent(self, key: tuple[str, str, int | None]) -> DeviceData | None:
        kept = self._kept.get(key)
        return None if kept is None or self._clock.monotonic_s() - kept[0] > KEPT_S else kept[1]

    async def _read(
        self, viewer: Viewer, encounter: Encounter, record: VisibleRecord, until_us: int | None
    ) -> DeviceData:
        thinned, count, newest_us = ThinnedObservations(), 0, encounter.created_at_us
        pages = self._observations.row_pages(viewer, encounter.id, Wanted(until_us=until_us), limit=PAGE_ROWS)
        async with aclosing(pages) as found:
            async for page in found:
                for row in page.rows:
                    one = record_of(page, row)
                    newest_us = max(newest_us, one.observed_at_us)
                    thinned.add(one)
                count += len(page.rows)
                if count >= ROWS_MAX:
                    break
        # The strip ends at the newest value, since those of a vehicle without coverage arrive late.
        return DeviceData(thinned.channels(), await self._strip(viewer, encounter, record, until_us or newest_us))

    async def _strip(
        self, viewer: Viewer, encounter: Encounter, record: VisibleRecord, until_us: int
    ) -> Sequence[ObservationRecord]:
        since_us, until_us = strip_interval(record, encounter.created_at_us - _CALL_EARLIER_US, until_us)
        wanted = Wanted(since_us=since_us, until_us=until_us, codes=LEAD_CODES)
        async with self._database.read() as tx:
            opened = await self._blocks.open(tx, viewer, encounter.id, wanted)
        records = BlockRecords(self._observations, opened.rows)
        kept: list[ObservationRecord] = []
        async with aclosing(self._blocks.read(opened, wanted)) as blocks:
            async for block in blocks:
                kept.append(await records.of(block))
                if len(kept) % 1_024 == 0:
                    kept = last_blocks(kept)
        return last_blocks(kept)
