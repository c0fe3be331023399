"""A reader of an encounter finds every acknowledged value of it, and has no rows of other vehicles written."""

from pathlib import Path

import pytest

from cloud.clinical.observations import EncounterArrivals
from cloud.foundation.db import Database
from cloud.foundation.objects import LocalObjects
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import DeviceObservations
from tests.builders.encounter_reading import assigned, blocks, observations
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.ingest_gateway import OXIMETER, GatewayInVehicle, readings, section
from tests.builders.ingest_kinds import CUFF
from tests.builders.waveforms import waves


@pytest.fixture
def other() -> GatewayInVehicle:
    return GatewayInVehicle(gateway="gw_other", key_seed=2)


@pytest.fixture
async def cloud(database: Database, other: GatewayInVehicle, tmp_path: Path) -> CloudUnderTest:
    """An ingest that has staged an oximeter's second value and waveform, and the second value of another vehicle."""
    gateway = GatewayInVehicle()
    made = CloudUnderTest(database, objects=LocalObjects(tmp_path / "objects"), staged=True)
    await made.register(gateway, other)
    for value in (97.0, 98.0):
        await made.arrive(gateway.send(value), waves(gateway), other.send_sections([of_cuff(value)]))
    return made


def of_cuff(value: float) -> DeviceObservations:
    return section(readings(value), device=CUFF)


def staged_lanes(cloud: CloudUnderTest) -> set[tuple[str, Lane]]:
    return {(key.gateway_id, key.lane) for key in cloud.stage.unwritten.ends()}


async def test_reader_of_an_encounter_has_the_values_of_its_devices_written_and_no_others(cloud: CloudUnderTest):
    encounter_id = await assigned(cloud, OXIMETER.system_id)
    arrivals = EncounterArrivals(cloud.database, cloud.ingest.settle)
    await arrivals.settle(OPERATOR, encounter_id, waveforms=False)
    assert [one["value"] for one in await observations(cloud, encounter_id)] == [97.0, 98.0]
    assert staged_lanes(cloud) == {("gw_test", Lane.WAVEFORM), ("gw_other", Lane.NUMERIC)}
    await arrivals.settle(OPERATOR, encounter_id)
    assert len([one for page in await blocks(cloud, encounter_id) for one in page]) == 2
    assert staged_lanes(cloud) == {("gw_other", Lane.NUMERIC)}


async def test_reader_of_an_unknown_encounter_has_nothing_written(cloud: CloudUnderTest):
    await EncounterArrivals(cloud.database, cloud.ingest.settle).settle(OPERATOR, "enc_unknown")
    assert len(staged_lanes(cloud)) == 3
