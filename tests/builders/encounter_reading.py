"""Read the data of an encounter as the routes for integrators do, without HTTP."""

import json
from typing import Any

from cloud.clinical.assignments import AssignmentService
from cloud.clinical.encounter_data.observations import EncounterObservations
from cloud.clinical.encounter_data.selection import Wanted
from cloud.clinical.encounter_data.waveform_blocks import WaveformBlocks
from cloud.clinical.encounter_data.waveform_envelope import WaveformEnvelope
from cloud.clinical.encounter_data.waveform_samples import WaveformSamples
from cloud.clinical.epcr import Epcr
from cloud.foundation.viewer import Viewer
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, OXIMETER
from tests.builders.received_batches import RECEIVED

HOUR_US = 3_600_000_000
WHOLE = Wanted()


async def assigned(
    cloud: CloudUnderTest,
    *system_ids: str,
    from_us: int = NOW_US - 400 * 24 * HOUR_US,
    until_us: int | None = None,
    encounter_id: str | None = None,
) -> str:
    """Assign devices (the oximeter, if none is named) to an encounter, by default to a new one, in this interval;
    return the id of the encounter."""
    if encounter_id is None:
        encounter = await Epcr(cloud.database, cloud.clock, cloud.ids).begin(OPERATOR, organization_id=ORGANIZATION)
        encounter_id = encounter.id
    desk = AssignmentService(cloud.database, cloud.clock, cloud.ids)
    known = await cloud.device_ids()
    for system_id in system_ids or (OXIMETER.system_id,):
        device_id = known[system_id]
        span = {"from_us": from_us, "until_us": until_us}
        await desk.assign(OPERATOR, device_id=device_id, encounter_id=encounter_id, **span)
    return encounter_id


def reading(cloud: CloudUnderTest) -> EncounterObservations:
    return EncounterObservations(cloud.database, RECEIVED)


async def pages(
    cloud: CloudUnderTest, encounter_id: str, wanted: Wanted = WHOLE, *, limit: int = 1_000, viewer: Viewer = OPERATOR
) -> list[list[dict[str, Any]]]:
    """Read all pages of the observations of an encounter."""
    found, after = [], None
    while True:
        page = await reading(cloud).page(viewer, encounter_id, wanted, after=after, limit=limit)
        found.append([json.loads(line) for line in page.lines])
        after = page.next
        if after is None:
            return found


async def observations(
    cloud: CloudUnderTest, encounter_id: str, wanted: Wanted = WHOLE, **options: Any
) -> list[dict[str, Any]]:
    return [one for page in await pages(cloud, encounter_id, wanted, **options) for one in page]


async def intervals(
    cloud: CloudUnderTest, encounter_id: str, interval_s: int, wanted: Wanted = WHOLE, *, limit: int = 1_000
) -> list[dict[str, Any]]:
    """Read all pages of the summaries by interval of an encounter."""
    found, after = [], None
    while True:
        page = await reading(cloud).interval_page(
            OPERATOR, encounter_id, wanted, interval_s=interval_s, after=after, limit=limit
        )
        found += [json.loads(line) for line in page.lines]
        after = page.next
        if after is None:
            return found


def waveform_blocks(cloud: CloudUnderTest) -> WaveformBlocks:
    return WaveformBlocks(cloud.database, cloud.objects)


async def blocks(
    cloud: CloudUnderTest, encounter_id: str, wanted: Wanted = WHOLE, *, limit: int = 1_000_000
) -> list[list[dict[str, Any]]]:
    """Read all pages of the samples of an encounter."""
    samples = WaveformSamples(cloud.database, waveform_blocks(cloud))
    found, after = [], None
    while True:
        page = await samples.page(OPERATOR, encounter_id, wanted, after=after, limit=limit)
        found.append([json.loads(line) for line in page.lines])
        after = page.next
        if after is None:
            return found


async def envelope(
    cloud: CloudUnderTest, encounter_id: str, points: int, wanted: Wanted = WHOLE
) -> list[list[dict[str, Any]]]:
    """Read all pages of the envelope of an encounter's waveforms."""
    reader = WaveformEnvelope(cloud.database, cloud.objects, waveform_blocks(cloud))
    found, after = [], None
    while True:
        page = await reader.page(OPERATOR, encounter_id, wanted, points=points, after=after)
        found.append([json.loads(line) for line in page.lines])
        after = page.next
        if after is None:
            return found
