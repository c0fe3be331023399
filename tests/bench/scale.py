"""`scale.vehicles`: the cost of one vehicle for the cloud, at 1, 10, 100 and up to 1 000 vehicles.

A simulated fleet (`argus-sim fleet`, profile `full`) runs against the demo's cloud and broker, with PostgreSQL at full
durability and autovacuum. Measured are 15 s in which devices report, and up to 30 s until the last acknowledgement:

- cpu: processor time of the cloud, of PostgreSQL and of mosquitto; fleet: that of the fleet itself.
- payload_bytes, database_bytes: the content of the batches, and the growth of the database.
- statements: calls that PostgreSQL counts (`pg_stat_statements`), transactions' begin and commit included.
- ack_p99: from a batch's last commit in the vehicle to the arrival of the acknowledgement, with up to a second in which
  the batch takes values; the spread is p50 and p99.
- pending, late: batches of one vehicle that are not acknowledged when the devices end, and the longest time by which
  the fleet recorded a report too late. Where they grow, the machine does not carry the cloud, or the fleet beside it.

A vehicle-second is a second of one vehicle's data that the cloud has stored, so that costs are comparable even in an
overload. The reference of a size is one vehicle, and the ratio is above 1 where a vehicle costs less than that. The
last size is the largest that, at the cost of a hundred, the machine's cores carry with the fleet: 1 000, 700, 400 or
200 vehicles. `make soak ONLY=thousand` runs such a size for ten minutes.
"""

import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import structlog

from simulators.fleet.running import run_fleet
from tests.bench.frame import Figure
from tests.harness.measured_fleet import Measured, MeasuredFleet
from tests.harness.postgresql import programs

NAME = "scale.vehicles"
SIZES = (1, 10, 100)
LARGEST = (1_000, 700, 400, 200)
"""The sizes of which the largest that fits is measured last."""
REPORT_S = 15.0
DRAIN_S = 30.0


def measure_scale() -> list[Figure]:
    """Measure the sizes one after the other; return no figure where PostgreSQL or mosquitto is not installed."""
    if programs() is None:
        return []
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory(prefix="argus-bench-scale-") as folder:
        return run_fleet(_measure(Path(folder)))


async def _measure(folder: Path) -> list[Figure]:
    async with MeasuredFleet.running(folder) as fleet:
        if fleet.demo.facts["broker"] != "mosquitto":
            return []
        runs = [await fleet.run(vehicles, for_s=REPORT_S, drain_s=DRAIN_S) for vehicles in SIZES]
        largest = next((vehicles for vehicles in LARGEST if _fits(runs[-1], vehicles)), None)
        if largest is not None:
            runs.append(await fleet.run(largest, for_s=REPORT_S, drain_s=DRAIN_S))
        return [figure for run in runs for figure in _figures(run, runs[0])]


def _fits(run: Measured, vehicles: int) -> bool:
    """Return whether the machine's cores carry so many vehicles, at the cost of one vehicle as measured."""
    cores = os.cpu_count() or 1
    return vehicles * (run.cost.cpu_ms + run.cost.fleet_ms) <= 1000 * cores


def _figures(run: Measured, alone: Measured) -> Iterator[Figure]:
    second = "a vehicle-second"
    cost, one, summary = run.cost, alone.cost, run.summary
    ack_ms = (summary.ack_ms_p50 or 0.0, summary.ack_ms_p99 or 0.0)
    for name, unit, value, reference in (
        ("cpu", f"ms {second}", cost.cpu_ms, one.cpu_ms),
        ("fleet", f"ms {second}, the fleet itself", cost.fleet_ms, one.fleet_ms),
        ("payload_bytes", f"bytes {second}", cost.payload_bytes, one.payload_bytes),
        ("database_bytes", f"bytes {second}", cost.database_bytes, one.database_bytes),
        ("statements", f"statements {second}", cost.statements, one.statements),
        ("ack_p99", "ms (spread: p50 and p99)", ack_ms[1], alone.summary.ack_ms_p99),
        ("pending", "batches a vehicle at the end", summary.batches_pending / summary.vehicles, None),
        ("late", "s, the latest report of the fleet", summary.late_s_max, None),
    ):
        is_first = run is alone or reference is None
        yield Figure(
            name=f"{NAME}.{cost.vehicles}.{name}",
            value=value,
            unit=unit,
            reference=None if is_first else reference,
            reference_is="–" if is_first else "one vehicle",
            # A cost, so that more is better for the ratio as for every other figure.
            ratio=reference / value if reference is not None and not is_first and value else None,
            spread=ack_ms if name == "ack_p99" else (value, value),
            runs=1,
        )
