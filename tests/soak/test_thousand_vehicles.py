"""Issue «Storage and ingest for a thousand vehicles», must-hold A: one cloud carries many vehicles with live lanes.

PostgreSQL at full durability and mosquitto, with two ingest processes, as the second stage of docs/operator.md has one
for each core. A hundred vehicles report first, then `VEHICLES_MIN` for a moment, whose cost chooses the size: a
thousand vehicles, or as many as the cores carry with the fleet beside them, at least `VEHICLES_MIN`. These report for
ten minutes. The backlog must not grow, acknowledgements come in time, and a vehicle costs hardly more than among a
hundred.

Then cloud, database and broker share a part of one core that is too small for these vehicles. That shows what a core
carries, and so what a further one gives, and that the check of the backlog finds a cloud that does not keep up. The
part is half of what they need, since a whole core carries more vehicles than the fleet, which also has one core, can
simulate. At last one of the ingest processes works alone. `make test` tests a small fleet
(tests/journeys/test_beside_one_demo) and the check of the backlog (tests/simulators/test_fleet_results).
"""

import asyncio
import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
import structlog

from simulators.fleet.running import run_fleet
from tests.harness.backlog import is_growing
from tests.harness.cloud_process import serving
from tests.harness.measured_fleet import Measured, MeasuredFleet, observations_per_s
from tests.harness.process_figures import pin_tree, tree_processor_s
from tests.harness.processor_share import ProcessorShare

FULL = os.environ.get("ARGUS_SOAK") == "1"
SECONDS = float(os.environ.get("ARGUS_SOAK_FLEET_S", "600"))
"""Time in which the vehicles report, for a shorter run by hand."""
FEW = 100
FEW_S = min(45.0, SECONDS)
SIZES = (1_000, 900, 800, 700, 600, 550, 500, 450, 400)
VEHICLES_MIN = 400
FREE_PART = 0.3
"""Part of the cores that must remain free at the cost of a vehicle among `VEHICLES_MIN`. With 0.23 free, 500 vehicles
fell minutes behind in ten minutes: under such a load a vehicle costs a third more, and queues grow with each burst."""
MOMENT_S = min(25.0, SECONDS)
"""Time of the runs that choose the size, show what one core carries, and have one ingest process."""
SHARE_OF_NEED = 0.5
"""Processor time that cloud, database and broker get on one core, as a part of what the vehicles need as computed.
Under such a load a vehicle costs up to a quarter less, since groups are larger."""
DRAIN_S = 120.0
ACK_MS_MAX = 2_000.0
COST_GROWTH_MAX = 1.2
RECORDED_MIN = 0.98
"""Part of what the vehicles should record that the fleet must record. Otherwise it does not simulate so many."""
EDGES_S = 2.0
"""Time in which a vehicle may record nothing: the vehicles begin within a second, and the last second may miss."""


def fitting(run: Measured, cores: int) -> int:
    """Return the largest size that the cores carry with the fleet, at the cost of a vehicle in `run`."""
    vehicle_ms = run.cost.cpu_ms + run.cost.fleet_ms
    return next((size for size in SIZES if size * vehicle_ms <= 1000 * cores * (1 - FREE_PART)), VEHICLES_MIN)


def carried(run: Measured) -> float:
    """Return the number of vehicles whose data the cloud acknowledged while the devices reported."""
    summary = run.summary
    part = 1 - summary.batches_pending / max(summary.batches_acknowledged, 1)
    return part * summary.observations_acknowledged / observations_per_s() / summary.seconds


def carries(run: Measured) -> float:
    """Return the number of vehicles that use up a core, with the cloud, the database and the broker alone."""
    return 1000 / run.cost.cpu_ms


def shown(name: str, run: Measured) -> None:
    print(f"\n{name}", *run.summary.lines(), run.cost.line(), sep="\n  ", flush=True)


def pin(fleet: MeasuredFleet, cores: Iterable[int]) -> None:
    """Let cloud, broker and database use only these cores."""
    for pid in service_pids(fleet):
        pin_tree(pid, set(cores))


def service_pids(fleet: MeasuredFleet) -> tuple[int, ...]:
    """Return the processes of cloud, broker and database, without their children."""
    return fleet.demo.pid("cloud"), *fleet.cloud_pids, fleet.demo.pid("broker"), fleet.cluster.pid


def service_s(fleet: MeasuredFleet) -> float:
    """Return the processor time of cloud, broker and database so far."""
    return sum(map(tree_processor_s, service_pids(fleet)))


@pytest.mark.skipif(not FULL, reason="by the clock, for 15 minutes: make soak; a small fleet is in make test")
def test_backlog_does_not_grow_and_cost_of_a_vehicle_stays_with_many_vehicles(tmp_path: Path) -> None:
    run_fleet(story(tmp_path))


async def story(folder: Path) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    cores = sorted(os.sched_getaffinity(0))
    async with MeasuredFleet.running(folder) as fleet:
        async with serving(fleet.config, "--only", "ingest") as second:
            fleet.cloud_pids.append(second.process.pid)
            few = await fleet.run(FEW, for_s=FEW_S, drain_s=DRAIN_S)
            shown(f"{FEW} vehicles", few)
            probe = await fleet.run(VEHICLES_MIN, for_s=MOMENT_S, drain_s=DRAIN_S)
            shown(f"{VEHICLES_MIN} vehicles, to choose the size", probe)
            size = fitting(probe, len(cores))
            await fleet.register(size)
            many = await fleet.run(size, for_s=SECONDS, drain_s=DRAIN_S)
            shown(f"{size} vehicles on {len(cores)} cores", many)
            one_core, used_cores = await on_a_part_of_one_core(fleet, size, carries(many), cores)
        fleet.cloud_pids.clear()
        alone = await fleet.run(size, for_s=MOMENT_S, drain_s=DRAIN_S)
        shown(f"{size} vehicles on {len(cores)} cores, one ingest process", alone)

    print(
        f"\n{used_cores:.2f} of one core for cloud, PostgreSQL and mosquitto carries {carried(one_core):,.0f} "
        f"vehicles, so a core {carried(one_core) / used_cores:,.0f}; at the cost among {size}, a further core carries "
        f"{carries(many):,.0f}, and {carries(alone):,.0f} with one ingest process"
    )
    assert size >= VEHICLES_MIN
    for run in (few, probe, many, one_core, alone):
        assert run.summary.is_whole, "nothing is lost, and nothing is left"
    expected = size * (many.summary.seconds - EDGES_S) * observations_per_s()
    assert many.summary.observations_recorded >= RECORDED_MIN * expected, "the fleet itself keeps up"
    assert not is_growing(many.pending, size)
    assert many.summary.ack_ms_p99 is not None
    assert many.summary.ack_ms_p99 < ACK_MS_MAX
    assert many.cost.cpu_ms <= COST_GROWTH_MAX * few.cost.cpu_ms
    assert is_growing(one_core.pending, size), "the check finds a backlog that grows"


async def on_a_part_of_one_core(
    fleet: MeasuredFleet, size: int, carried_by_a_core: float, cores: Sequence[int]
) -> tuple[Measured, float]:
    """Let the vehicles report while the services share a part of one core, and return that run, and the part that they
    used."""
    share = min(1.0, SHARE_OF_NEED * size / carried_by_a_core)
    limit = ProcessorShare(service_pids(fleet), share)
    used_s: list[float] = []

    def begin_on_one_core() -> None:
        used_s.append(service_s(fleet))
        pin(fleet, cores[:1])
        limit.start()
        asyncio.get_running_loop().call_later(MOMENT_S, end_on_one_core)

    def end_on_one_core() -> None:
        used_s.append(service_s(fleet))
        limit.end()
        pin(fleet, cores)  # all cores drain what a part of one core left

    run = await fleet.run(size, for_s=MOMENT_S, drain_s=DRAIN_S, begin=begin_on_one_core)
    shown(f"{size} vehicles, cloud, PostgreSQL and mosquitto on {share:.2f} of one core", run)
    return run, (used_s[1] - used_s[0]) / MOMENT_S
