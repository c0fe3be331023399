"""Issue «Storage and ingest for a thousand vehicles», item 8: a fleet loses and doubles nothing in storms and kills.

Twenty-five simulated vehicles with all their lanes send to one cloud, which is about half of what SQLite carries on two
cores. All connections are cut again and again, while the cloud and the broker are killed in turn. At the end every row
is compared. `make test` runs the fleet of the operator's guide (tests/journeys/test_beside_one_demo).
"""

import asyncio
import logging
import os
from pathlib import Path

import pytest
import structlog

from simulators.fleet.app import Fleet, FleetOptions
from simulators.fleet.console import Console
from simulators.fleet.plan import load_or_make, occupied
from simulators.fleet.registration import BrokerPasswords
from tests.harness.demo import start_demo

FULL = os.environ.get("ARGUS_SOAK") == "1"
VEHICLES = 25
KILLED = ("cloud", "broker", "cloud", "broker", "cloud")
KILL_EVERY_S = 20.0
STORM_EVERY_S = 13.0
DRAIN_S = 300.0


@pytest.mark.skipif(not FULL, reason="by the clock, for minutes: make soak; a small fleet is in make test")
async def test_fleet_is_stored_whole_although_cloud_and_broker_are_killed_during_storms(tmp_path: Path):
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    demo = await start_demo(tmp_path / "demo", "--no-devices")
    try:
        facts, state = demo.facts, tmp_path / "fleet"
        options = FleetOptions(
            broker_url=facts["mqtt_url"],
            for_s=KILL_EVERY_S * (len(KILLED) + 1),
            storm_every_s=STORM_EVERY_S,
            drain_s=DRAIN_S,
            rows=True,
        )
        with occupied(state):
            plan = load_or_make(state, VEHICLES)
            fleet = Fleet(plan, plan.vehicles, options, Console(Path(facts["cloud_config"])), print)
            await fleet.register(BrokerPasswords(demo.state_dir / "broker" / "argus-passwords", demo.pid("broker")))
            begun = asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                running = tasks.create_task(fleet.run(begun.set))
                await begun.wait()
                for part in KILLED:
                    await asyncio.sleep(KILL_EVERY_S)
                    await demo.kill(part)
                    print(f"the {part} was killed")
            summary = running.result()
    finally:
        await demo.stop()
    print("\n".join(summary.lines()))
    assert summary.is_whole
    assert summary.reconnections >= VEHICLES
    assert summary.observations_acknowledged == summary.observations_recorded
    assert summary.comparison is not None
    assert summary.comparison.rows == summary.observations_recorded
