"""The waveforms of encounters as FHIR resources, one a line, for exports.

A block of samples is an Observation with SampledData, with the id that it has in the bundles for partners. The blocks
come in the order of time across the devices, and not in the order of a bundle, so that they can be read from any place
on.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from cloud.clinical.encounter_data import Block, EncounterObservations, RowPage, Wanted, WaveformBlocks
from cloud.clinical.epcr import Encounter
from cloud.clinical.fhir.resources import EncounterResources, ResourcePage, record_of
from cloud.clinical.fhir.service import device_facts
from cloud.clinical.observations import EncounterWalks, Place, ReceivedBatches
from cloud.foundation.db import Database
from cloud.foundation.objects import ObjectStore
from cloud.foundation.viewer import Viewer
from protocols.fhir.devices import DeviceFacts
from protocols.observation_record import ObservationRecord
from protocols.uplink.channels import DeviceRef


class WaveformResources:
    """Reads waveforms as resources for partners. `objects` is the object store of the settings."""

    def __init__(
        self, database: Database, resources: EncounterResources, received: ReceivedBatches, objects: ObjectStore | None
    ) -> None:
        self._database = database
        self._resources = resources
        self._blocks = WaveformBlocks(database, objects)
        self._observations = EncounterObservations(database, received)

    async def pages(
        self, viewer: Viewer, encounter: Encounter, wanted: Wanted, *, after: Place | None, limit: int
    ) -> AsyncGenerator[ResourcePage, None]:
        """Yield the blocks after a place (None: from the first) in pages of at most `limit` samples, or of one block
        with more; each resource that they refer to before the first of them. Raises `EncounterUnknown`,
        `CareRecordTooLarge`, `MasterKeyAbsent`, `ObjectMissing`, `ObjectDamaged`, `ObjectStoreUnavailable`."""
        part, devices, read = await self._resources.begin(viewer, encounter)
        values: int | None = read
        async with self._database.read() as tx:
            opened = await self._blocks.open(tx, viewer, encounter.id, wanted)
        records = BlockRecords(self._observations, opened.rows)
        facts: dict[tuple[str, DeviceRef], DeviceFacts] = {}
        last, count = after, 0
        async with aclosing(self._blocks.read(opened, wanted, after=after)) as found:
            async for block in found:
                samples = len(block.data) // block.scale.format.width_bytes
                if count and count + samples > limit:
                    yield ResourcePage(part.take(), last, values)
                    count, values = 0, None
                last, count = block.place, count + samples
                device = devices.get(block.channel.device_id)
                if device is None:  # it was assigned since the devices were read: the next export has it
                    continue
                record = await records.of(block)
                key = device.device.id, record.device
                if (about := facts.get(key)) is None:
                    about = facts[key] = device_facts(device, record.device)
                part.add(record, about)
        yield ResourcePage(part.take(), None, values)


class BlockRecords:
    """Makes the records of blocks. `walks` are those through the blocks that are in rows."""

    def __init__(self, observations: EncounterObservations, walks: EncounterWalks) -> None:
        self._observations = observations
        self._walks = walks
        self._lanes: dict[int, tuple[str, str, str]] = {}

    async def of(self, block: Block) -> ObservationRecord:
        origin = block.origin
        if isinstance(origin, ObservationRecord):
            return origin
        self._lanes |= await self._observations.lanes_of([origin], known=self._lanes.keys())
        return record_of(RowPage([origin], None, self._walks, self._lanes), origin)
