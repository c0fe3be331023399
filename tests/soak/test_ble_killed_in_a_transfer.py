"""Issue «BLE devices, for real», B: each record of a record store is stored exactly once, also when the gateway is
killed.

The radio and the gateway are real processes. The gateway kills itself (SIGKILL) at a step of the transfer, just before
or after a change at the device or on the disk. The meter runs in the test and stays on air. The test counts records in
the gateway's own store, which would hold a record twice if it was stored twice; the cloud gets only what is in the
store. With `ARGUS_SOAK=1` the gateway is killed at every step; otherwise at one step, chosen by `ARGUS_SEED`.
"""

import collections
import os
import random
import sys
from functools import partial
from pathlib import Path

from simulators.ble.peripheral import Peripheral
from tests.builders.gatt_devices import GLUCOSE_MEASUREMENT, glucose
from tests.harness.ble_vehicle import ble, ble_vehicle, on_air, radio_process
from tests.harness.eventually import eventually
from tests.harness.gateway_process import Vehicle

FULL = os.environ.get("ARGUS_SOAK") == "1"
STEPS_SURELY = 7
"""The smallest number of steps: a request, a response, the begin and end of two transactions, and an arrival."""
RECORDS = 250 if FULL else 8
"""Enough for several commits in a transfer, and few enough for the meter's memory."""
POLL_S = 1.0
"""Time between two reads of the store, each of which starts a command."""
DYING = (sys.executable, "-m", "tests.harness.dying_ble_gateway")


def fill(meter: Peripheral) -> int:
    """Add measurements to the meter's memory; return the number of records that the meter has stored so far, including
    measurements of its own."""
    for _ in range(RECORDS):
        meter.ledger.keep(lambda number: ((GLUCOSE_MEASUREMENT, glucose(number)),))
    return meter.ledger.store.next_number - 1


async def held(vehicle: Vehicle, meter: Peripheral) -> collections.Counter[str]:
    """Count the meter's observations in the gateway by device time; each record has one observation."""
    system_id = meter.sensor.description.system_id.hex()
    finished = await vehicle.invoke("observations", "--json", "--device", system_id)
    assert finished.code == 0, finished.err
    rows = finished.json_lines()
    return collections.Counter(row["device_time"] for row in rows if row["unit"] is not None)


async def has(vehicle: Vehicle, meter: Peripheral, records: int) -> bool:
    return len(await held(vehicle, meter)) >= records


async def test_every_record_is_stored_once_when_the_gateway_is_killed_during_a_record_transfer(tmp_path: Path):
    seed = int(os.environ.get("ARGUS_SEED") or random.SystemRandom().randrange(1_000_000))
    steps_file = tmp_path / "steps"
    async with (
        radio_process(tmp_path) as radio,
        ble_vehicle(tmp_path, radio) as vehicle,
        on_air(radio, "glucose") as meter,
    ):
        paired = await ble(vehicle, "pair", meter.address, "--yes")
        assert paired.code == 0, paired.err
        await vehicle.kill()
        steps = [random.Random(seed).randint(1, STEPS_SURELY)]
        if FULL:
            wanted = fill(meter)
            await vehicle.start({"ARGUS_STEPS_FILE": str(steps_file)}, DYING)
            await eventually(lambda: has(vehicle, meter, wanted), poll_s=POLL_S)
            await vehicle.kill()
            names = steps_file.read_text().split()
            steps = list(range(1, len(names) + 1))
            print(f"{len(steps)} steps: {dict(collections.Counter(names))}")
        died = 0
        for step in steps:
            wanted = fill(meter)
            await vehicle.start({"ARGUS_DIE_AT": str(step)}, DYING)

            async def over(records: int = wanted) -> bool:
                return vehicle.has_ended or await has(vehicle, meter, records)

            await eventually(over, poll_s=POLL_S, what=f"step {step} is reached")
            died += vehicle.has_ended
            await (vehicle.ended() if vehicle.has_ended else vehicle.kill())
            await vehicle.start()
            there = partial(has, vehicle, meter, wanted)
            await eventually(there, poll_s=POLL_S, what=f"killed at {step}: held after all")
            await vehicle.kill()
        found = await held(vehicle, meter)
    doubled = {time: count for time, count in found.items() if count != 1}
    assert doubled == {}, f"seed {seed}"
    assert len(found) >= wanted
    print(f"seed {seed}: {died} of {len(steps)} gateways died in the transfer; {len(found)} records, each once")
    assert died or not FULL
