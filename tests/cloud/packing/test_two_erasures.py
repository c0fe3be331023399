"""Two erasures of one tenant at work: what one of them moves from packed runs to rows, the other one finds there."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from cloud.clinical.waveforms import Run
from cloud.foundation.db import Database
from cloud.vehicles.custody import Content, batches, lanes
from cloud.vehicles.erasure.model import Phase
from cloud.vehicles.erasure.moved_batches import position_before
from protocols.device_time import DeviceTime, TimeKind
from protocols.uplink.observations import DeviceObservations
from tests.builders.erasure_world import SECOND_US
from tests.builders.ingest_gateway import GatewayInVehicle, readings, section
from tests.builders.packed_world import PackedWorld

SECOND_ENCOUNTER = "enc_second"
LANE = 7


def memory(value: float, at_us: int) -> list[DeviceObservations]:
    """Return a value from a device's memory."""
    (reading,) = readings(value)
    time = DeviceTime(TimeKind.RELATIVE, bytes(4))
    return [section([replace(reading, device_time=time)], stored=True, device_offset_us=at_us)]


async def searches_runs(world: PackedWorld) -> bool:
    """Return whether the first erasure is about to read the packed runs of the second gateway."""
    erasure = await world.erased()
    position = orjson.loads(erasure.position)
    last_lane = max(row.lane_id for row in await world.cloud.rows(lanes))
    return erasure.phase is Phase.ENVELOPES and position[:1] == [last_lane] and position[2:] == [1]


async def test_repetition_that_another_erasure_unpacks_after_the_search_through_rows_is_erased(
    database: Database, tmp_path: Path
) -> None:
    gateway = GatewayInVehicle()
    other = GatewayInVehicle(gateway="gw_other", key_seed=2)
    world = await PackedWorld(database, gateway, folder=tmp_path / "objects").begin_after_days()
    await world.cloud.register_gateway(other)
    await world.begin_encounter(SECOND_ENCOUNTER)
    begin_us = other.now_us = gateway.now_us
    first, second = memory(97.0, begin_us), memory(98.0, begin_us + 60 * SECOND_US)
    await world.take_packed(gateway.send_sections(first), gateway.send_sections(second))
    other.now_us = gateway.now_us
    assert await world.take_packed(other.send(1.0), other.send_sections(first), other.send_sections(second)) == 3
    await world.assign(begin_us - SECOND_US, begin_us + SECOND_US)
    await world.assign(begin_us + 59 * SECOND_US, begin_us + 61 * SECOND_US, encounter=SECOND_ENCOUNTER)
    searching = await world.request()
    moving = await world.request(SECOND_ENCOUNTER)
    while not await searches_runs(world):
        assert await world.eraser.step(searching.erasure_id)
    while await world.eraser.step(moving.erasure_id):
        pass
    assert (await world.work()).batches == 2
    assert (await world.work(SECOND_ENCOUNTER)).batches == 2
    left = await world.cloud.rows(batches, batches.c.content != Content.REMOVED.value)
    assert [row.sequence for row in left] == [1]
    assert await world.values() == [1.0]
    assert await world.findings() == []


def runs(*sequences: int) -> Sequence[Run]:
    return [
        Run(
            lane_id=LANE,
            sequence=sequence,
            through_sequence=sequence + 9,
            object_id=1,
            position=0,
            size_bytes=1,
            previous_hash=bytes(32),
            hashes=bytes(320),
            link="linked",
            organization_id="org",
            vehicle_id="veh",
            received_at_us=0,
            stored_at_us=0,
            created_from_us=0,
            created_until_us=0,
        )
        for sequence in sequences
    ]


@pytest.mark.parametrize(
    ("position", "earlier"),
    [
        ([], []),
        ([LANE - 1, 50], [LANE - 1, 50]),
        ([LANE + 1, 0], [LANE + 1, 0]),
        ([LANE, 10], [LANE, 10]),
        ([LANE, 25], [LANE, 10, 0, 0]),
        ([LANE, 0, 1], [LANE, 10, 0, 0]),
        ([LANE, 11, 1], [LANE, 30, 0, 11]),
        ([LANE, 31, 1], [LANE, 31, 1]),
        ([LANE, 40, 0, 11], [LANE, 30, 0, 11]),
        ([LANE, 20, 0, 11], [LANE, 20, 0, 11]),
    ],
)
def test_search_is_set_back_to_the_first_moved_run_that_it_has_not_read(
    position: list[int], earlier: list[int]
) -> None:
    assert position_before(position, runs(11, 31)) == earlier
