"""Measurements of the running product: the latency of an observation up to the cloud, and the footprint of the gateway.

The whole demo runs with all its devices. Latency is the time from a numeric reading's device time (the device's clock
is this machine's, cut to hundredths of a second) to the cloud's commit. Readings over Bluetooth are left out, since
their dates are cut to the second. The footprint comes from /proc: the highest resident memory, and the processor time
during the run.
"""

import asyncio
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

from protocols.device_time import DeviceTime, TimeKind
from tests.bench.frame import Figure
from tests.harness.demo import start_demo
from tests.harness.process_figures import processor_s, resident_bytes

NAMES = ("latency.device_to_cloud", "footprint.gateway")
SETTLE_S = 8.0
"""Time after the start in which configurations are exchanged and caches fill; it is not measured."""
MEASURE_S = 30.0


def measure_demo() -> list[Figure]:
    return asyncio.run(_measure())


async def _measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        demo = await start_demo(Path(folder) / "demo")
        try:
            await asyncio.sleep(SETTLE_S)
            began_s = processor_s(demo.pid("gateway"))
            since_us = time.time_ns() // 1000
            resident_mb = 0.0
            for _ in range(int(MEASURE_S)):
                await asyncio.sleep(1.0)
                resident_mb = max(resident_mb, resident_bytes(demo.pid("gateway")) / (1 << 20))
            cpu_percent = 100 * (processor_s(demo.pid("gateway")) - began_s) / MEASURE_S
            latencies_ms = _latencies_ms(demo.state_dir / "cloud.sqlite", since_us)
        finally:
            await demo.stop()
    ordered = sorted(latencies_ms)
    return [
        _plain("latency.device_to_cloud", "ms (p50; spread: p50 and p99)", statistics.median(ordered), _tail(ordered)),
        _plain("footprint.gateway", "MB resident (spread: MB, % of one core)", resident_mb, (resident_mb, cpu_percent)),
    ]


def _tail(ordered: list[float]) -> tuple[float, float]:
    return ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]


def _plain(name: str, unit: str, value: float, spread: tuple[float, float]) -> Figure:
    return Figure(
        name=name, value=value, unit=unit, reference=None, reference_is="–", ratio=None, spread=spread, runs=1
    )


def _latencies_ms(database: Path, since_us: int) -> list[float]:
    """Return, for each numeric reading received since `since_us`, the milliseconds from the reading's device time to
    just before the cloud's commit.

    Readings with a date of whole seconds are left out.
    """
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        rows = connection.execute(
            "SELECT o.device_time, b.stored_at_us FROM observations o "
            "JOIN batches b ON b.lane_id = o.lane_id AND b.sequence = o.sequence "
            "WHERE o.number IS NOT NULL AND o.device_time IS NOT NULL AND o.received_at_us >= ?",
            (since_us,),
        ).fetchall()
    measured = [(DeviceTime(TimeKind.ABSOLUTE, bytes(octets)[1:]).local_us(), stored_us) for octets, stored_us in rows]
    return [
        (stored_us - local_us) / 1000
        for local_us, stored_us in measured
        if local_us is not None and local_us % 1_000_000
    ]
