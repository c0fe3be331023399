"""Comparison of a fleet's stores with the cloud: nothing may be lost, and nothing may be doubled.

The lanes are compared by their sequence numbers: the cloud holds each batch once, up to the last one of the vehicle,
and none beyond it. With `rows`, `argus-cloud custody check` also verifies each signature and link, and compares the
rows with the signed batches; the number of rows is then compared with the number of recorded observations.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from protocols.uplink.lanes import Lane
from simulators.demo.commands import CommandFailed
from simulators.fleet.console import Console
from simulators.fleet.vehicle import Vehicle

DIFFERENCES_MAX: Final = 20
"""Limit of differences that are listed; further ones are counted."""
COMPARE_S: Final = 3600.0
"""Longest time of a comparison. A core verifies some thousand rows a second, so this is enough for ten million."""
ERROR_LENGTH_MAX: Final = 1_000
"""Limit of characters of an error of the console, which may list a finding for each batch."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Result of a comparison with the cloud: the number of compared lanes, of compared rows (None: no comparison of
    rows), and the differences."""

    lanes: int
    rows: int | None
    differences: tuple[str, ...]


async def compare(vehicles: Sequence[Vehicle], tenant_id: str, console: Console, *, rows: bool) -> Comparison:
    """Compare the vehicles' stores with the cloud. Raises `CommandFailed`."""
    lanes_command = ("ingest", "lanes", "--tenant", tenant_id)
    custody_command = ("custody", "check", "--rows", "--tenant", tenant_id)
    compared: int | None = None
    differences: list[str] = []
    try:
        held, *custody = await console.run(lanes_command, *([custody_command] if rows else []), within_s=COMPARE_S)
        if custody:
            compared, differences = compare_rows(vehicles, custody[0]["lanes"])
    except CommandFailed as error:
        if not rows:
            raise
        (held,) = await console.run(lanes_command)
        differences = [f"custody check --rows failed: {str(error)[:ERROR_LENGTH_MAX]}"]
    differences = compare_lanes(vehicles, held) + differences
    lanes = sum(mark.last > 0 for vehicle in vehicles for mark in vehicle.buffer.marks().values())
    return Comparison(lanes, compared, tuple(differences))


def compare_lanes(vehicles: Sequence[Vehicle], held: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the differences between the lanes of the stores and `held`, the output of `argus-cloud ingest lanes`."""
    by_lane = {(row["gateway"], row["epoch"], row["lane"]): row for row in held}
    differences: list[str] = []
    for vehicle in vehicles:
        for lane, mark in vehicle.buffer.marks().items():
            row = by_lane.get((vehicle.gateway, vehicle.buffer.epoch, lane.value))
            through = 0 if row is None else row["through"]
            name = f"{vehicle.gateway} {lane.value}"
            if through != mark.last:
                differences.append(f"{name}: the cloud holds batches up to {through}, the vehicle has {mark.last}")
            elif row is not None and (row["ahead"] or row["missing"] or row["repeated_measurements"]):
                differences.append(f"{name}: the cloud reports missing, early or repeated data: {row}")
    return differences


def compare_rows(vehicles: Sequence[Vehicle], checked: Sequence[Mapping[str, Any]]) -> tuple[int, list[str]]:
    """Return the number of rows in `checked`, the lanes of `argus-cloud custody check --rows`, and the differences. The
    rows of a vehicle whose store is from an earlier run are not compared, since that run's count is not known."""
    by_lane = {(row["gateway_id"], row["epoch"], row["lane"]): row["observations"] for row in checked}
    differences: list[str] = []
    compared = 0
    for vehicle in vehicles:
        for lane in (Lane.NUMERIC, Lane.WAVEFORM):
            stored = by_lane.get((vehicle.gateway, vehicle.buffer.epoch, lane.value), 0)
            recorded = vehicle.recorded[lane]
            if vehicle.is_new:
                compared += stored
            if vehicle.is_new and stored != recorded:
                name = f"{vehicle.gateway} {lane.value}"
                differences.append(f"{name}: the cloud has {stored} observations, the vehicle recorded {recorded}")
    return compared, differences
