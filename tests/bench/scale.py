"""`scale.vehicles`: the cost of one vehicle for the cloud, at 1, 10, 100 and up to 1 000 vehicles.

A simulated fleet (`argus-sim fleet`, profile `full`) runs against the demo's cloud and broker, with PostgreSQL at full
durability. Measured are 15 s in which devices report, and up to 30 s until the last acknowledgement:

- cpu: processor time of the cloud, of PostgreSQL and of mosquitto, without that of the fleet.
- payload_bytes, database_bytes: the content of the batches, and the growth of the database.
- statements: calls that PostgreSQL counts (`pg_stat_statements`), transactions' begin and commit included.
- ack_p99: from a batch's last commit in the vehicle to the arrival of the acknowledgement, with up to a second in which
  the batch takes values; the spread is p50 and p99.
- pending, late: batches of one vehicle that are not acknowledged when the devices end, and the longest time by which
  the fleet recorded a report too late. Where they grow, the machine does not carry the cloud, or the fleet beside it.

A vehicle-second is a second of one vehicle's data that the cloud has stored, so that costs are comparable even in an
overload. The reference of a size is one vehicle, and the ratio is above 1 where a vehicle costs less than that. The
last size is the largest that, at the cost of a hundred, the machine's cores carry with the fleet: 1 000, 700, 400 or
200 vehicles. Their registration alone takes minutes.
"""

import asyncio
import logging
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import structlog

from simulators.fleet.app import Fleet, FleetOptions
from simulators.fleet.console import Console
from simulators.fleet.plan import load_or_make
from simulators.fleet.profiles import PROFILES, ProfileName
from simulators.fleet.recording import RECORDING_S, Recording
from simulators.fleet.registration import BrokerPasswords
from simulators.fleet.summary import Summary
from tests.bench.frame import Figure
from tests.harness.demo import RunningDemo, start_demo
from tests.harness.postgresql import PostgresqlCluster, postgresql_running, programs
from tests.harness.process_figures import processor_s, tree_processor_s

NAME = "scale.vehicles"
SIZES = (1, 10, 100)
LARGEST = (1_000, 700, 400, 200)
"""The sizes of which the largest that fits is measured last."""
REPORT_S = 15.0
DRAIN_S = 30.0
DATABASE = "scale"
# The statement itself must not be counted.
_CALLS = "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The cost of one vehicle in a fleet of `vehicles`, per second of its data that the cloud has stored."""

    vehicles: int
    cpu_ms: float
    fleet_cpu_ms: float
    payload_bytes: float
    database_bytes: float
    statements: float
    ack_ms: tuple[float, float]
    pending_batches: float
    late_s: float


def measure_scale() -> list[Figure]:
    """Measure the sizes one after the other; return no figure where PostgreSQL or mosquitto is not installed."""
    if programs() is None:
        return []
    with postgresql_running() as cluster, tempfile.TemporaryDirectory(prefix="argus-bench-scale-") as folder:
        cluster.administer(
            "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'",
            f"CREATE DATABASE {DATABASE} TEMPLATE template0",
        )
        cluster.stop()
        cluster.start()
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
        cluster.administer("CREATE EXTENSION pg_stat_statements")
        return asyncio.run(_measure(cluster, Path(folder)))


async def _measure(cluster: PostgresqlCluster, folder: Path) -> list[Figure]:
    demo = await start_demo(folder / "demo", "--no-devices", "--database-url", cluster.url(DATABASE))
    try:
        if demo.facts["broker"] != "mosquitto":
            return []
        costs = [await _cost(demo, cluster, folder / "fleet", vehicles) for vehicles in SIZES]
        largest = next((vehicles for vehicles in LARGEST if _fits(costs[-1], vehicles)), None)
        if largest is not None:
            costs.append(await _cost(demo, cluster, folder / "fleet", largest))
        return [figure for cost in costs for figure in _figures(cost, costs[0])]
    finally:
        await demo.stop()


def _fits(cost: Cost, vehicles: int) -> bool:
    """Return whether the machine's cores carry so many vehicles, at the cost of one vehicle as measured."""
    cores = os.cpu_count() or 1
    return vehicles * (cost.cpu_ms + cost.fleet_cpu_ms) <= 1000 * cores


async def _cost(demo: RunningDemo, cluster: PostgresqlCluster, state: Path, vehicles: int) -> Cost:
    facts = demo.facts
    state.mkdir(exist_ok=True)
    plan = load_or_make(state, vehicles)
    options = FleetOptions(broker_url=facts["mqtt_url"], for_s=REPORT_S, drain_s=DRAIN_S)
    fleet = Fleet(plan, plan.vehicles[:vehicles], options, Console(Path(facts["cloud_config"])), lambda line: None)
    await fleet.register(BrokerPasswords(demo.state_dir / "broker" / "argus-passwords", demo.pid("broker")))
    # The statistics that autovacuum, off in this server, would have made.
    await asyncio.to_thread(cluster.administer, "ANALYZE", database=DATABASE)
    before: list[_Meters] = []
    after: list[_Meters] = []
    summary = await fleet.run(
        lambda: before.append(_Meters.read(demo, cluster)), lambda: after.append(_Meters.read(demo, cluster))
    )
    return _per_vehicle(summary, before[0], after[0])


@cache
def _observations_per_s() -> float:
    """Return the observations that one vehicle records in a second, in the mean of a recording."""
    reports = Recording(PROFILES[ProfileName.FULL], seed=1).reports
    return sum(len(report.values) for report in reports) / RECORDING_S


@dataclass(frozen=True, slots=True)
class _Meters:
    cpu_s: float
    statements: int
    database_bytes: int

    @classmethod
    def read(cls, demo: RunningDemo, cluster: PostgresqlCluster) -> "_Meters":
        cpu_s = processor_s(demo.pid("cloud")) + processor_s(demo.pid("broker")) + tree_processor_s(cluster.pid)
        (calls,) = cluster.administer(_CALLS)
        (size,) = cluster.administer(f"SELECT pg_database_size('{DATABASE}')")
        return cls(cpu_s, int(calls[0]), size[0])


def _per_vehicle(summary: Summary, before: _Meters, after: _Meters) -> Cost:
    # Vehicle-seconds of data that the cloud has stored: in an overload less than those in which devices reported.
    vehicle_s = summary.observations_acknowledged / _observations_per_s()
    return Cost(
        vehicles=summary.vehicles,
        cpu_ms=1000 * (after.cpu_s - before.cpu_s) / vehicle_s,
        fleet_cpu_ms=1000 * summary.processor_s / vehicle_s,
        payload_bytes=summary.payload_bytes / vehicle_s,
        database_bytes=(after.database_bytes - before.database_bytes) / vehicle_s,
        statements=(after.statements - before.statements) / vehicle_s,
        ack_ms=(summary.ack_ms_p50 or 0.0, summary.ack_ms_p99 or 0.0),
        pending_batches=summary.batches_pending / summary.vehicles,
        late_s=summary.late_s_max,
    )


def _figures(cost: Cost, one: Cost) -> Iterator[Figure]:
    second = "a vehicle-second"
    for name, unit, value, reference in (
        ("cpu", f"ms {second}", cost.cpu_ms, one.cpu_ms),
        ("payload_bytes", f"bytes {second}", cost.payload_bytes, one.payload_bytes),
        ("database_bytes", f"bytes {second}", cost.database_bytes, one.database_bytes),
        ("statements", f"statements {second}", cost.statements, one.statements),
        ("ack_p99", "ms (spread: p50 and p99)", cost.ack_ms[1], one.ack_ms[1]),
        ("pending", "batches a vehicle at the end", cost.pending_batches, None),
        ("late", "s, the latest report of the fleet", cost.late_s, None),
    ):
        is_first = cost is one or reference is None
        yield Figure(
            name=f"{NAME}.{cost.vehicles}.{name}",
            value=value,
            unit=unit,
            reference=None if is_first else reference,
            reference_is="–" if is_first else "one vehicle",
            # A cost, so that more is better for the ratio as for every other figure.
            ratio=reference / value if reference is not None and not is_first and value else None,
            spread=cost.ack_ms if name == "ack_p99" else (value, value),
            runs=1,
        )
