"""Issue «BLE devices, for real», B: each stored record is in the cloud exactly once, although the gateway is killed.

The test runs the whole demo, with a further glucose meter on its radio. In each round the meter stores more records,
and the gateway is killed (SIGKILL) while it fetches them; the demo restarts the gateway. `ARGUS_SOAK=1`: many rounds
with many records.
"""

import asyncio
import collections
import os
import random
from pathlib import Path

import pytest

from simulators.ble.peripheral import Peripheral
from tests.builders.gatt_devices import GLUCOSE_MEASUREMENT, glucose
from tests.harness.ble_vehicle import on_air
from tests.harness.demo import RunningDemo, program, run, start_demo
from tests.harness.eventually import eventually

pytestmark = [pytest.mark.broker, pytest.mark.demo]

FULL = os.environ.get("ARGUS_SOAK") == "1"
ROUNDS, RECORDS = (12, 150) if FULL else (1, 20)
KILLED_WITHIN_S = 2.5
"""Time from the start of a gateway to the end of a transfer. The kill comes at a random time within it."""


async def in_cloud(demo: RunningDemo, meter: Peripheral) -> collections.Counter[str]:
    """Count the meter's glucose concentrations in the cloud by device time; each record has one concentration."""
    system_id = meter.sensor.description.system_id.hex()
    return collections.Counter(
        row["device_time"]
        for row in await demo.exported()
        if row["device"]["system_id"] == system_id and row["type"].startswith("MDC_CONC_GLU")
    )


async def test_glucose_records_are_in_the_cloud_once_when_the_gateway_is_killed_during_their_transfer(tmp_path: Path):
    seed = int(os.environ.get("ARGUS_SEED") or random.SystemRandom().randrange(1_000_000))
    dice = random.Random(seed)
    demo = await start_demo(tmp_path / "demo")
    try:
        async with on_air(Path(demo.facts["ble_radio"]), "glucose", unit=7) as meter:
            paired = ("--config", demo.facts["gateway_config"], "ble", "pair", meter.address, "--yes")
            await run(program("argus-gateway"), *paired)
            for _ in range(ROUNDS):
                for _ in range(RECORDS):
                    meter.ledger.keep(lambda number: ((GLUCOSE_MEASUREMENT, glucose(number)),))
                wanted = meter.ledger.store.next_number - 1
                await demo.kill("gateway")
                await asyncio.sleep(dice.uniform(0.0, KILLED_WITHIN_S))  # kill at a random time
                await demo.kill("gateway", within_s=60)

                async def fetched(records: int = wanted) -> bool:
                    return len(await in_cloud(demo, meter)) >= records

                await eventually(fetched, within_s=120, poll_s=3.0, what=f"{wanted} records in the cloud, seed {seed}")
            found = await in_cloud(demo, meter)
    finally:
        await demo.stop()
    print(f"seed {seed}: {2 * ROUNDS} gateways killed; {len(found)} records in the cloud, each once")
    assert {time: count for time, count in found.items() if count != 1} == {}, f"seed {seed}"
