"""Every measurement of a meter is stored exactly once under any sequence of faults and restarts.

A seed chooses the events: the meter measures; its link breaks during a transfer; the gateway is killed and restarted
with its stored state; the meter is reset and counts from 1 again. `ARGUS_SEED` repeats a sequence.
"""

import asyncio
import collections
import os
import random
from pathlib import Path

import pytest

from protocols.ble.glucose import measured_at
from protocols.ble.glucose_values import decode_measurement
from tests.builders.gatt_devices import Meter
from tests.builders.gatt_sessions import GattGateway, gatt_gateway
from tests.harness.eventually import eventually

COURSES = 100 if os.environ.get("ARGUS_SOAK") == "1" else 3
SEED = int(os.environ.get("ARGUS_SEED") or random.SystemRandom().randrange(1_000_000))
LIVES = 4
TURNS = 4


class Course:
    """A random sequence of events of one meter; `measured` has every measurement that the meter made."""

    def __init__(self, seed: str, *, resets: bool) -> None:
        self.dice = random.Random(seed)
        self.resets = resets
        self.life = 0
        self.number = 0
        self.measured: set[tuple[int, int]] = set()
        """Measurements as (life, number)."""

    def measure(self, meter: Meter) -> None:
        for _ in range(self.dice.randrange(0, 6)):
            self.number += 1
            meter.measure(self.number, life=self.life)
            self.measured.add((self.life, self.number))

    def reset(self, meter: Meter) -> None:
        """Reset the meter, as a change of its battery does: it loses its stored records and counts from 1."""
        meter.records.clear()
        self.life, self.number = self.life + 1, 0
        self.measure(meter)


async def transferred(gateway: GattGateway, meter: Meter) -> None:
    """Connect the meter and wait until the gateway has stored all its records; then lose the link."""
    meter.peer.records_at_once = 1_000_000
    session = gateway.session(meter.peer)
    await gateway.serving(session)

    async def all_held() -> bool:
        held = {each.device_time for each in await gateway.stored()}
        return {measured_at(decode_measurement(each.values[0][1])) for each in meter.records.values()} <= held

    await eventually(all_held, what="everything that the meter has is held")
    meter.peer.lose()
    await gateway.ended()


async def turn(gateway: GattGateway, meter: Meter, course: Course) -> None:
    course.measure(meter)
    if course.dice.random() < 0.5:
        await transferred(gateway, meter)
        if course.resets and course.dice.random() < 0.5:
            course.reset(meter)
        return
    meter.peer.records_at_once = course.dice.randrange(0, 4)
    session = gateway.session(meter.peer)
    await gateway.serving(session)
    for _ in range(course.dice.randrange(0, 3)):
        meter.peer.more_records(1)
        await gateway.clock.settle(course.dice.randrange(1, 8))
    meter.peer.lose()
    await gateway.ended()


@pytest.mark.parametrize("resets", [False, True])
@pytest.mark.parametrize("number", range(COURSES))
async def test_every_measurement_is_stored_exactly_once_despite_random_faults_and_restarts(
    tmp_path: Path, number: int, resets: bool
):
    course = Course(f"{SEED} {number} {resets}", resets=resets)
    meter: Meter | None = None
    for life in range(LIVES):
        async with gatt_gateway(tmp_path) as gateway:
            if meter is None:
                meter = Meter(gateway.clock)
            meter.peer.clock = gateway.clock
            for _ in range(TURNS):
                await turn(gateway, meter, course)
            if life < LIVES - 1:  # killed in the middle of a transfer
                course.measure(meter)
                meter.peer.records_at_once = course.dice.randrange(0, 4)
                gateway.session(meter.peer)
                await gateway.clock.settle(course.dice.randrange(0, 40))
                for task in gateway.running:
                    task.cancel()
                await asyncio.gather(*gateway.running, return_exceptions=True)
                gateway.running.clear()
                meter.peer.lose()
            else:
                await transferred(gateway, meter)
                stored = await gateway.stored()
    found = collections.Counter(each.device_time for each in stored)
    assert len(found) == len(course.measured), f"seed {SEED}: lost"
    if not resets:
        assert set(found.values()) <= {1}, f"seed {SEED}: doubled"
