"""What only the running product shows: the way of an observation to the cloud in time, and what the gateway costs.

The whole demo runs with all its devices and the network up. Latency is from the moment in which the gateway received a
report (`received_at`, the gateway's wall clock) to the cloud's commit (its own wall clock: here the same
machine's). The footprint is read from /proc: resident memory at its highest, processor time over the run.
"""

import asyncio
import os
import statistics
import tempfile
from datetime import datetime
from pathlib import Path

from tests.bench.frame import Figure
from tests.harness.demo import RunningDemo, start_demo

NAMES = ("latency.device_to_cloud", "footprint.gateway")
SETTLE_S = 8.0
"""After the start the configurations are exchanged and caches fill; the figures are about a drive, not about its
start."""
MEASURE_S = 30.0


def measure_demo() -> list[Figure]:
    return asyncio.run(_measure())


async def _measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        demo = await start_demo(Path(folder) / "demo")
        try:
            await asyncio.sleep(SETTLE_S)
            began_s = _cpu_s(demo.pid("gateway"))
            since = datetime.now().astimezone().isoformat()
            resident_mb = 0.0
            for _ in range(int(MEASURE_S)):
                await asyncio.sleep(1.0)
                resident_mb = max(resident_mb, _resident_mb(demo.pid("gateway")))
            cpu_percent = 100 * (_cpu_s(demo.pid("gateway")) - began_s) / MEASURE_S
            latencies_ms = await _latencies_ms(demo, since)
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


async def _latencies_ms(demo: RunningDemo, since: str) -> list[float]:
    rows = await demo.exported("--since", since, "--with-commit-time")
    return [
        (datetime.fromisoformat(row["committed_at"]) - datetime.fromisoformat(row["received_at"])).total_seconds()
        * 1000
        for row in rows
    ]


def _resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
