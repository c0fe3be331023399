"""A moved interval changes which encounter values belong to, and neither the values nor the chain of custody."""

import pytest

from cloud.clinical.assignments import AssignmentService
from cloud.clinical.observations.tables import observations
from cloud.foundation.db import Database
from cloud.vehicles.custody.tables import batches, lanes
from tests.builders.erasure_world import ENCOUNTER, ErasureWorld
from tests.builders.ingest_cloud import OPERATOR
from tests.builders.ingest_gateway import GatewayInVehicle

OTHER = "enc_other"


@pytest.fixture
async def world(database: Database) -> ErasureWorld:
    gateway = GatewayInVehicle()
    world = await ErasureWorld(database, gateway).begin()
    await world.begin_encounter(OTHER)
    await world.cloud.take(gateway.send(1.0, 2.0), gateway.send(3.0, 4.0))
    await world.assign(0, None)
    return world


async def test_moved_values_belong_to_the_other_encounter_and_nothing_else_changes(world: ErasureWorld) -> None:
    async def stored() -> list[object]:
        return [await world.cloud.rows(table) for table in (observations, batches, lanes)]

    async def exported() -> list[dict[str, object]]:
        return [{**row, "encounter_id": None} for row in await world.exported()]

    before = await stored(), await exported()
    assert {row["encounter_id"] for row in await world.exported()} == {ENCOUNTER}
    service = AssignmentService(world.database, world.cloud.clock, world.cloud.ids)
    (assignment,) = await service.list(OPERATOR)
    await service.move(OPERATOR, assignment.id, encounter_id=OTHER)
    assert {row["encounter_id"] for row in await world.exported()} == {OTHER}
    assert (await stored(), await exported()) == before
    assert await world.findings() == []
