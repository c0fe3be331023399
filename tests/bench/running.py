"""Measurements of the running product: latency up to the cloud, footprint of the gateway, and its writes to the disk.

The whole demo runs with all its devices. Latency ends just before a value is durable in the cloud. Of live values it
begins at the device time of a numeric reading (the device's clock is this machine's, cut to hundredths of a second); it
includes the second in which a batch takes values. Readings over Bluetooth are left out, since their dates are cut to
the second. Of events it begins when the gateway notices what happened: agents connect over TCP and leave again. The
footprint comes from /proc: the highest resident memory, and the processor time during the run.

The bytes written to the disk are counted in a second run, in which waveforms are unconfirmed: the bytes that the
gateway's process tree caused to be written, over the bytes of the envelopes that it sent. The gateway writes SQLite's
log back every few minutes, so this process does it at both ends, and its own writes are added: 60 s then give the same
ratio as ten minutes (measured: 4.0 and 3.9).
"""

import asyncio
import re
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from protocols.uplink.envelope import decode_envelope
from protocols.uplink.events import decode_event
from tests.bench.frame import Figure, plain_figure
from tests.builders.gateway_device import device
from tests.harness.demo import RunningDemo, start_demo
from tests.harness.process_figures import processor_s, resident_bytes, written_by_checkpoint, written_bytes

EVENTS, LIVE, FOOTPRINT = "latency.device_to_cloud.events", "latency.device_to_cloud.live", "footprint.gateway"
DEMO_NAMES = (EVENTS, LIVE, FOOTPRINT)
WRITTEN_NAMES = ("buffer.write_amplification",)
SETTLE_S = 8.0
"""Time after the start in which configurations are exchanged and caches fill; it is not measured."""
MEASURE_S = 30.0
WRITE_S = 60.0
DELIVERED_S = 3.0
"""Time after the run in which the last values reach the cloud."""
_DATE = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+")
"""The date of a device without a zone: that of this machine's clock."""


def measure_demo() -> list[Figure]:
    return asyncio.run(_measure())


def measure_written() -> list[Figure]:
    return asyncio.run(_measure_written())


async def _measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        demo = await start_demo(Path(folder) / "demo")
        try:
            await asyncio.sleep(SETTLE_S)
            began_s = processor_s(demo.pid("gateway"))
            since_us = time.time_ns() // 1000
            resident_mb = 0.0
            for number in range(int(MEASURE_S)):
                await asyncio.gather(asyncio.sleep(1.0), _visit(demo, number))
                resident_mb = max(resident_mb, resident_bytes(demo.pid("gateway")) / (1 << 20))
            cpu_percent = 100 * (processor_s(demo.pid("gateway")) - began_s) / MEASURE_S
            until_us = time.time_ns() // 1000
            await asyncio.sleep(DELIVERED_S)
            # The export has the rows of staged batches written first.
            live_ms = _live_ms(await demo.exported("--with-commit-time"), since_us, until_us)
            events_ms = _events_ms(demo.state_dir / "cloud.sqlite", since_us, until_us)
        finally:
            await demo.stop()
    return [
        _latency(EVENTS, events_ms),
        _latency(LIVE, live_ms),
        plain_figure(FOOTPRINT, "MB resident (spread: MB, % of one core)", resident_mb, (resident_mb, cpu_percent)),
    ]


async def _visit(demo: RunningDemo, number: int) -> None:
    """Associate over TCP and leave, as a new device, so that the gateway records events."""
    host, _, port = str(demo.facts["agent_tcp"]).rpartition(":")
    async with device((host, int(port)), number=number + 1):
        pass


async def _measure_written() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        # An installation has no witness file, whose flushes would add a quarter, so the demo's one moves into memory.
        await (await start_demo(Path(folder) / "demo")).stop()
        witness = Path(folder) / "demo" / "witness" / "commits"
        witness.unlink()
        witness.symlink_to(Path(memory) / "commits")
        demo = await start_demo(Path(folder) / "demo", "--unconfirmed-waveforms")
        try:
            await asyncio.sleep(SETTLE_S)
            store, gateway = Path(demo.facts["gateway_db"]), demo.pid("gateway")
            written_by_checkpoint(store)
            written, sent = written_bytes(gateway), await _sent_bytes(demo)
            await asyncio.sleep(WRITE_S)
            written = written_bytes(gateway) - written + written_by_checkpoint(store)
            sent = await _sent_bytes(demo) - sent
        finally:
            await demo.stop()
    ratio = written / sent
    unit = "bytes written per byte sent (spread: kB/s written, kB/s sent)"
    return [plain_figure(WRITTEN_NAMES[0], unit, ratio, (written / WRITE_S / 1000, sent / WRITE_S / 1000))]


async def _sent_bytes(demo: RunningDemo) -> int:
    status = await demo.status()
    assert status is not None, "the gateway runs"
    return int(status["uplink"]["sent_bytes"])


def _latency(name: str, found_ms: Sequence[float]) -> Figure:
    ordered = sorted(found_ms)
    tail = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
    return plain_figure(name, "ms (p50; spread: p50 and p99)", statistics.median(ordered), tail)


def _live_ms(exported: Sequence[dict[str, Any]], since_us: int, until_us: int) -> list[float]:
    """Return, for each numeric reading received in the run, the milliseconds from the reading's device time to just
    before it is durable in the cloud: before the commit, or before its object is put.

    Readings with a date of whole seconds are left out.
    """
    measured = [
        (_us(one["device_time"]), _us(one["committed_at"]))
        for one in exported
        if isinstance(one["value"], int | float)
        and since_us <= _us(one["received_at"]) <= until_us
        and _DATE.fullmatch(one["device_time"] or "")
    ]
    return [(stored_us - device_us) / 1000 for device_us, stored_us in measured if device_us % 1_000_000]


def _us(date: str) -> int:
    return round(datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp() * 1_000_000)


def _events_ms(database: Path, since_us: int, until_us: int) -> list[float]:
    """Return, for each event of the run, the milliseconds from the event to just before the cloud's commit."""
    rows = _rows(
        database,
        "SELECT envelope, stored_at_us FROM batches WHERE kind = 'event' AND created_at_us BETWEEN ? AND ?",
        since_us,
        until_us,
    )
    return [
        (stored_us - decode_event(decode_envelope(envelope).batch.payload).at_us) / 1000 for envelope, stored_us in rows
    ]


def _rows(database: Path, query: str, *parameters: int) -> list[tuple[bytes, int]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return connection.execute(query, parameters).fetchall()
