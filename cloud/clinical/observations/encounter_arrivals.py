"""Let the readers of an encounter see every acknowledged batch, and write no more rows for them than those of it.

The rows of staged batches are written together after minutes, which saves most of what they would write to the disk. A
program that polls an encounter would end that for the vehicles of all tenants, so only the lanes are written that have
values of the encounter's devices.
"""

from cloud.clinical.observations.encounter_sources import sources_of_encounter
from cloud.foundation.arrivals import Settle, WantedDevices
from cloud.foundation.db import Database
from cloud.foundation.viewer import Viewer


class EncounterArrivals:
    """Writes the rows of acknowledged batches with values of an encounter, by `settle`. A device has no staged batch
    before its first values have rows, so the sources of those rows name all devices."""

    def __init__(self, database: Database, settle: Settle) -> None:
        self._database = database
        self._settle = settle

    async def settle(self, viewer: Viewer, encounter_id: str, *, waveforms: bool = True) -> None:
        """Wait until the values are written that the viewer may see of an encounter, and were acknowledged before.
        Without `waveforms`, they may stay staged. Raises as `Settle`."""
        async with self._database.read() as tx:
            sources = await sources_of_encounter(tx.driver.rows, viewer, encounter_id)
        system_ids = frozenset([one.device.system_id for one in sources])
        await self._settle(waveforms=waveforms, of=WantedDevices(viewer.tenant_id, system_ids))
