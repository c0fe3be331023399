"""Issue «Storage and ingest for a thousand vehicles», item 6: ingest processes at one mosquitto are killed in turn.

The demo's cloud is one of them. Simulated vehicles send to all, and at the end every row is compared. `make test` tests
the division and the order (tests/cloud/ingest/test_shares).
"""

import asyncio
import logging
import os
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import structlog

from simulators.fleet.app import Fleet, FleetOptions
from simulators.fleet.console import Console
from simulators.fleet.plan import load_or_make, occupied
from simulators.fleet.registration import BrokerPasswords
from tests.harness.cloud_process import Served, serving
from tests.harness.demo import start_demo
from tests.harness.eventually import eventually

FULL = os.environ.get("ARGUS_SOAK") == "1"
VEHICLES = 10
KILLS = 3
KILL_EVERY_S = 12.0
DRAIN_S = 120.0


@pytest.mark.skipif(not FULL, reason="by the clock, for a minute: make soak; the division is tested in make test")
async def test_fleet_is_stored_whole_although_ingest_processes_are_killed_in_turn(tmp_path: Path):
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    demo = await start_demo(tmp_path / "demo", "--no-devices")
    try:
        facts, state = demo.facts, tmp_path / "fleet"
        config = Path(facts["cloud_config"])
        options = FleetOptions(
            broker_url=facts["mqtt_url"], for_s=KILL_EVERY_S * (KILLS + 1), drain_s=DRAIN_S, rows=True
        )
        with occupied(state):
            plan = load_or_make(state, VEHICLES)
            fleet = Fleet(plan, plan.vehicles, options, Console(config), print)
            await fleet.register(BrokerPasswords(demo.state_dir / "broker" / "argus-passwords", demo.pid("broker")))
            async with AsyncExitStack() as stack:
                others = [await stack.enter_async_context(serving(config, "--only", "ingest")) for _ in range(2)]
                begun = asyncio.Event()
                async with asyncio.TaskGroup() as tasks:
                    running = tasks.create_task(fleet.run(begun.set))
                    await begun.wait()
                    for _ in range(KILLS):
                        await asyncio.sleep(KILL_EVERY_S)
                        killed = others.pop(0)
                        killed.process.kill()
                        others.append(await stack.enter_async_context(serving(config, "--only", "ingest")))
                        await eventually(lambda: _has_seen(others[0], "ingest.share_changed"))
                summary = running.result()
    finally:
        await demo.stop()
    print("\n".join(summary.lines()))
    assert summary.is_whole
    assert summary.observations_acknowledged == summary.observations_recorded
    assert summary.comparison is not None
    assert summary.comparison.rows == summary.observations_recorded


def _has_seen(served: Served, event: str) -> bool:
    return event in served.events()
