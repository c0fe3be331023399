"""Issue «Storage and ingest for a thousand vehicles», must-hold A: one cloud carries many vehicles with live lanes.

PostgreSQL at full durability and mosquitto, with two ingest processes, as the second stage of docs/operator.md has one
for each core. A hundred vehicles report first: for some seconds that do not count, in which cloud, database and their
caches warm up, and then for `FEW_S`. Then `VEHICLES_MIN` report for a moment, whose cost chooses the size: a thousand
vehicles, or as many as the cores carry with the fleet beside them, at least `VEHICLES_MIN`. These report for ten
minutes. The backlog must not grow, acknowledgements come in time, and a vehicle costs hardly more than among a hundred.

The two runs whose costs are compared still differ. With many vehicles:
- a vehicle has 0.035 events a second and among a hundred 0.05, since each run begins and ends with one. That makes a
  vehicle among many cheaper;
- the cloud's memory for staged batches is full after about 16 s, among a hundred after about a minute, and then their
  rows are written. A minute row has as many values, up to 60, so fewer among many. That makes it dearer;
- the cloud has no rows or cached keys of the vehicles above `VEHICLES_MIN`, but those of the hundred from the warm-up.
  That makes it dearer;
- the run has work that comes after minutes, such as checkpoints of the database and autovacuum. The shorter one may
  have none. That makes it dearer too.

Then cloud, database and broker share a part of one core that is too small for these vehicles. That shows that the check
of the backlog finds a cloud that does not keep up. It is a part, since a whole core carries more vehicles than the
fleet, which also has one core, can simulate. It does not show what a core carries: batches that are acknowledged on it
have rows that are written later, on all cores. What a core carries is computed from the cost of a vehicle. At last one
of the ingest processes works alone. `make test` tests a small fleet (tests/journeys/test_beside_one_demo) and the check
of the backlog (tests/simulators/test_fleet_results).
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
WARM_UP_S = min(10.0, SECONDS)
FEW_S = min(100.0, SECONDS)
"""Time of the run of few vehicles: as long as the fifteen minutes of the group allow."""
SIZES = (1_000, 900, 800, 700, 600, 550, 500, 450, 400)
VEHICLES_MIN = 400
FREE_PART = 0.4
"""Part of the cores that must remain free at the cost of a vehicle among `VEHICLES_MIN` in a short run. In ten minutes
a vehicle costs a tenth more, and queues grow with each burst: with 0.3 here, 0.24 was free with 500 vehicles, and after
a stall it took the fleet half a minute to report in time again."""
MOMENT_S = min(25.0, SECONDS)
"""Time of the runs that choose the size and that fall behind."""
ALONE_S = min(12.0, SECONDS)
"""Time of the run with one ingest process, of which only the cost is printed."""
SHARE_OF_NEED = 0.25
"""Processor time that cloud, database and broker get on one core, as a part of what the vehicles need as computed. With
half of it, 500 vehicles did not fall behind in 25 s: groups are larger under such a load, and most rows are written
later."""
DRAIN_S = 120.0
ACK_MS_MAX = 2_000.0
COST_GROWTH_MAX = 1.2
LATE_S_MAX = 1.0
"""Longest time by which a vehicle may record a report too late, the limit of docs/operator.md, section 11. The time of
an acknowledgement begins when the report is recorded, so it does not include this. Up to a second a report still comes
before the next one of its vehicle, so that the cloud gets as many batches as from real devices; beyond it, the fleet
and not the cloud sets the pace."""
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
    stolen = f"the host gave {100 * run.stolen_part:.1f} % of the cores' time to other machines"
    print(f"\n{name}", *run.summary.lines(), run.cost.line(), stolen, sep="\n  ", flush=True)


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
        assert fleet.demo.facts["broker"] == "mosquitto", "install mosquitto: the demo runs its own broker"
        async with serving(fleet.config, "--only", "ingest") as second:
            fleet.cloud_pids.append(second.process.pid)
            warm_up = await fleet.run(FEW, for_s=WARM_UP_S, drain_s=DRAIN_S)
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
        alone = await fleet.run(size, for_s=ALONE_S, drain_s=DRAIN_S)
        shown(f"{size} vehicles on {len(cores)} cores, one ingest process", alone)

    print(
        f"\n{used_cores:.2f} of one core for cloud, PostgreSQL and mosquitto acknowledged the data of "
        f"{carried(one_core):,.0f} vehicles, of which most rows are written later; as computed from the cost among "
        f"{size}, a further core carries {carries(many):,.0f}, and {carries(alone):,.0f} with one ingest process"
    )
    for run in (warm_up, few, probe, many, one_core, alone):
        assert run.summary.is_whole, "nothing is lost, and nothing is left"
    expected = size * (many.summary.seconds - EDGES_S) * observations_per_s()
    assert many.summary.observations_recorded >= RECORDED_MIN * expected, "the fleet itself keeps up"
    for run in (few, many):
        assert run.summary.late_s_max < LATE_S_MAX, "the fleet itself is on time"
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
