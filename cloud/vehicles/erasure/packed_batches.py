"""Search packed runs of numerics for repetitions from a device's memory, which have no rows.

An object with values of the encounter is unpacked. Then the search through rows begins again at its run
(`moved_batches`), and the search through runs continues as before: while the erasure works, no batch of its tenant is
packed, so no earlier run is new.
"""

from sqlalchemy import select

from cloud.clinical.waveforms import StoredRun, WaveformIndex
from cloud.foundation.retention import DAY_US
from cloud.vehicles.custody import lanes
from cloud.vehicles.erasure.batches import ContentOfEncounter
from cloud.vehicles.erasure.model import Erasure, Progress
from cloud.vehicles.erasure.place import ErasingPlace
from cloud.vehicles.ingest import unpack
from protocols.errors import RemoteProtocolError
from protocols.uplink.envelope import decode_envelope

RUNS_AT_ONCE = 64
"""Rows of the index that one step reads in search of a run that was stored since the encounter: half a MB at most. It
decodes the first one, of up to 256 batches."""


async def search_packed(place: ErasingPlace, erasure: Erasure, position: list[int]) -> Progress:
    """Search the next packed run. The position is a lane id, a sequence number and 1."""
    lane_id, after, _ = position
    async with place.database.read() as tx:
        page = await WaveformIndex().of_lane(tx, lane_id, after=after, limit=RUNS_AT_ONCE)
    due = [one for one in page if one.run.stored_at_us >= erasure.from_us - DAY_US]
    following = [lane_id, page[-1].run.sequence, 1] if len(page) == RUNS_AT_ONCE else [lane_id + 1, 0]
    if due:
        following = [lane_id, due[0].run.sequence, 1]
        if await _has_values(place, erasure, due[0]):
            await place.unpacker.unpack(due[0].object_name)
            return Progress(position)  # the unpacking has set it back
    async with place.step(erasure) as step:
        step.progress = Progress(following)
    return step.progress


async def _has_values(place: ErasingPlace, erasure: Erasure, stored: StoredRun) -> bool:
    """Return whether a run has values of the encounter."""
    run = stored.run
    envelopes = await place.envelopes.read(stored)
    async with place.database.read() as tx:
        gateway_id = (await tx.execute(select(lanes.c.gateway_id).where(lanes.c.lane_id == run.lane_id))).scalar()
        deciding = ContentOfEncounter(tx, await place.values_of(tx, erasure))
        for envelope in envelopes:
            try:
                content = unpack(decode_envelope(envelope).batch)
            except RemoteProtocolError:
                continue  # the check of the chain reports it
            if await deciding.positions(gateway_id, (run.organization_id, run.vehicle_id), content):
                return True
    return False
