"""An encounter has the same values in its summary, its observations, its waveforms, its FHIR bundle and the export."""

from pathlib import Path
from typing import Any

import pytest

from cloud.clinical.epcr import Epcr
from cloud.clinical.observations import count_in_encounter
from cloud.foundation.db import Database
from cloud.foundation.moments import read_moment
from cloud.foundation.objects import LocalObjects
from protocols.observation_record import utc_text
from protocols.uplink.lanes import Lane
from simulators.replay.wfdb import Record
from tests.builders.encounter_reading import assigned, blocks
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.ingest_gateway import OXIMETER, GatewayInVehicle, section
from tests.builders.ingest_kinds import CUFF, every_kind
from tests.builders.minute_rows import compact, seconds
from tests.builders.sim_agent import running_agent
from tests.builders.sim_manager import sim_manager
from tests.builders.waveforms import many_waves
from tests.cloud.encounter_data.test_observations import agree as agreed_observations
from tests.cloud.encounter_data.test_waveforms import agree as agreed_blocks
from tests.cloud.fhir.test_bundles import measured, parts
from tests.harness.shared import shared_path

LEADS = 12
REPLAYED_S = 5


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle, tmp_path: Path) -> CloudUnderTest:
    return await CloudUnderTest(database, objects=LocalObjects(tmp_path / "objects")).register(gateway)


async def bundle_values(cloud: CloudUnderTest, encounter_id: str, kind: str, content: str) -> list[tuple[str, Any]]:
    """Return time and content of each measurement in the FHIR bundle that has this kind of value."""
    found = measured(await parts(cloud, encounter_id))
    return sorted((one["effectiveDateTime"], one[kind][content]) for one in found if content in one.get(kind, {}))


def at(shown: dict[str, Any]) -> str:
    """Return the time of an observation or block as FHIR writes it."""
    return utc_text(read_moment(shown["observed_at"]))


async def test_all_ways_of_reading_an_encounter_return_the_same_values(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send_sections(every_kind()), *seconds(gateway, 65, first=10))
    await compact(cloud)
    await cloud.take(*seconds(gateway, 5, first=100), *many_waves(gateway, 7))
    encounter_id = await assigned(cloud, OXIMETER.system_id, CUFF.system_id)
    observations = await agreed_observations(cloud, encounter_id)
    waveforms = await agreed_blocks(cloud, encounter_id)
    summary = await Epcr(cloud.database, cloud.clock, cloud.ids, count_in_encounter).summary(OPERATOR, encounter_id)
    assert summary.observation_count == len(observations) + len(waveforms)
    assert len(measured(await parts(cloud, encounter_id))) == len(observations) + len(waveforms)
    numbers = sorted((at(shown), shown["value"]) for shown in observations if isinstance(shown["value"], float))
    assert await bundle_values(cloud, encounter_id, "valueQuantity", "value") == numbers
    assert len(numbers) > 280
    assert await bundle_values(cloud, encounter_id, "valueSampledData", "data") == sorted(
        (at(shown), " ".join(map(str, shown["samples"]))) for shown in waveforms
    )


async def test_replayed_twelve_lead_record_comes_back_sample_by_sample(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    with Record(shared_path("data/physionet/s0010_re.hea")) as record:
        async with sim_manager() as manager, running_agent("monitor", manager, record=record) as device:
            await device.associated()
            await device.live(REPLAYED_S + 1)
            await device.handed_over()
        expected = record.read(0, REPLAYED_S * 1_000)
    received = [one for one in manager.stored if one.samples is not None]
    await cloud.take(gateway.send_sections([section(received)], lane=Lane.WAVEFORM))
    encounter_id = await assigned(cloud)
    found = [shown for page in await blocks(cloud, encounter_id) for shown in page]
    for lead in range(LEADS):
        own = [shown for shown in found if shown["handle"] == lead + 1]
        samples = [sample for shown in own for sample in shown["samples"]]
        assert samples[: REPLAYED_S * 1_000] == list(expected[lead])
        assert {(shown["slope"], shown["offset"], shown["sample_period_s"]) for shown in own} == {
            (1 / 2000, 0.0, 0.001)
        }
    assert await bundle_values(cloud, encounter_id, "valueSampledData", "data") == sorted(
        (at(shown), " ".join(map(str, shown["samples"]))) for shown in found
    )
