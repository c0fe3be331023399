"""Values of a gateway that did not know the time belong to the encounter at the time that its anchor gives."""

from dataclasses import replace
from pathlib import Path

import pytest

from cloud.foundation.db import Database
from cloud.foundation.objects import LocalObjects
from protocols.clock_anchor import ClockAnchor
from protocols.observation import Observation
from protocols.uplink.clock_events import CLOCK_LEARNT, anchor_fields
from protocols.uplink.envelope import BatchKind, Envelope
from protocols.uplink.events import GatewayEvent, encode_event
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import DeviceObservations
from tests.builders.erasure_world import SECOND_US, ErasureWorld
from tests.builders.ingest_gateway import NOW_US, PLETH, GatewayInVehicle, readings, section

LATE_US = 300 * 86_400 * SECOND_US
"""The error of the wall clock. The boot of the gateway began at `NOW_US`."""


def early(*observations: Observation) -> DeviceObservations:
    return replace(section(observations, wall_offset_us=NOW_US - LATE_US), wall_synchronised=False)


def learnt(gateway: GatewayInVehicle) -> Envelope:
    """Return the event that gives the true time of the boot."""
    anchor = ClockAnchor.at(monotonic_us=1_800 * SECOND_US, utc_us=NOW_US + 1_800 * SECOND_US, uncertainty_us=5_000)
    event = GatewayEvent(name=CLOCK_LEARNT, at_us=NOW_US, boot_id="boot-1", device=None, fields=anchor_fields(anchor))
    return gateway.send_raw(BatchKind.EVENT, encode_event(event), lane=Lane.EVENT)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("compacted", [False, True])
async def test_values_are_erased_by_their_corrected_time(database: Database, tmp_path: Path, compacted: bool):
    gateway = GatewayInVehicle()
    world = await ErasureWorld(database, gateway, objects=LocalObjects(tmp_path / "objects")).begin()
    await world.compact()  # from this day on minute rows are allowed
    blocks = [
        Observation(channel=PLETH, value=None, samples=bytes((0, 7)), status=0, device_time=None, received_s=at_s)
        for at_s in (1.0, 2.0, 3.0)
    ]
    await world.cloud.take(
        gateway.send_sections([early(*readings(1.0, 2.0, 3.0))]),
        gateway.send_sections([section(readings(4.0, at_s=2.0), wall_offset_us=NOW_US - LATE_US)]),
        gateway.send_sections([early(*blocks)], lane=Lane.WAVEFORM),
        learnt(gateway),
    )
    if compacted:
        world.pass_days(10)
        await world.compact()
    await world.assign(NOW_US + 2 * SECOND_US, NOW_US + 3 * SECOND_US)
    found = await world.erase()
    assert await world.values() == [4.0, 1.0, 7, 3.0, 7]
    assert (found.observations, found.batches, found.others) == (2, 2, 4)
    assert await world.findings() == []
