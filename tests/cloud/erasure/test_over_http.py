"""An encounter that is erased is not found over HTTP, and posted observations go with the replies that state them."""

from collections.abc import AsyncIterator

import pytest

from cloud.clinical.epcr import MissionChange, Missions
from cloud.clinical.observations import observations
from cloud.foundation.db import Database
from cloud.foundation.http import idempotency_keys
from cloud.foundation.ids import UlidIds
from cloud.foundation.viewer import Actor
from cloud.vehicles.erasure.eraser import Eraser
from cloud.vehicles.erasure.model import ErasureReason
from cloud.vehicles.erasure.place import ErasingPlace
from cloud.vehicles.erasure.service import Erasures
from protocols.epcr.encounter import EncounterStatus
from tests.builders.api_surface import Api, api
from tests.builders.erasure_world import MASTER, SEALS

SPO2 = {"mdc_code": "MDC_PULS_OXIM_SAT_O2", "value": 98.0, "unit_code": "%"}


@pytest.fixture
async def here(database: Database) -> AsyncIterator[Api]:
    async with api(database) as served:
        yield served


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_posted_observations_and_their_replies_are_erased_and_readers_find_no_encounter(here: Api):
    operator, ids = Actor.operator(here.home.viewer.tenant_id), UlidIds(here.clock)
    device = await here.enrol()
    path = f"/api/v1/devices/{device['id']}/observations"
    of_encounter = {**SPO2, "encounter_id": "enc_north"}
    assert (await here.post(path, of_encounter, Idempotency_Key="key-1")).status_code == 201
    assert (await here.post(path, SPO2, Idempotency_Key="key-2")).status_code == 201
    completed = MissionChange(status=EncounterStatus.COMPLETED)
    await Missions(here.database, here.clock, ids).change(operator, "enc_north", completed)
    erasure = await Erasures(here.database, here.clock, ids).request(
        operator, "enc_north", ErasureReason.RECORDED_IN_ERROR, SEALS
    )
    for route in ("", "/observations"):
        found = await here.get(f"/api/v1/epcr/encounters/enc_north{route}")
        assert found.status_code == 404, route
    assert (await here.get("/api/v1/epcr/encounters")).json() == []
    eraser = Eraser(ErasingPlace(here.database, here.clock, ids, lambda: MASTER), rest_s=0)
    await eraser.turn()
    assert not await eraser.step(erasure.erasure_id), "it has ended"
    async with here.database.read() as tx:
        assert [row.encounter_id for row in await tx.execute(observations.select())] == [None]
        assert [row.key for row in await tx.execute(idempotency_keys.select())] == ["key-2"]
    assert (await here.post(path, of_encounter, Idempotency_Key="key-1")).status_code == 422
