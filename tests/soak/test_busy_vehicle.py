"""Issue «20601: complete», H: sixteen devices on TCP and four on serial lines at once; no report is lost or out of
order.

The gateway is a real process, and the devices run in a second one. With `ARGUS_SOAK=1` the test runs for a minute, and
the gateway may use half a core of processor time. Without it the test runs for 2 s, and the processor time is only
printed.
"""

import asyncio
import json
import os
import sys
from collections import defaultdict
from pathlib import Path

from gateway.buffer import Buffer, BufferSettings
from gateway.security.identity import Identity
from gateway.settings import load
from gateway.transports.clock import SystemClock
from protocols.uplink.lanes import Lane
from tests.builders.busy_device import COUNT, FIRST_SAMPLES, WAVEFORM, BusyDevice
from tests.harness.busy_devices import Plan, Sends
from tests.harness.gateway_process import Vehicle, vehicle
from tests.harness.process_figures import processor_s, resident_bytes

FULL = os.environ.get("ARGUS_SOAK") == "1"
SECONDS = 60.0 if FULL else 2.0
CORE_SHARE_MAX = 0.5
LINK_BYTES_A_SECOND = 100_000
SAMPLE_BYTES = 2
TCP_DEVICES = 16
ROOT = Path(__file__).parents[2]


def devices(ports: list[str]) -> tuple[Sends, ...]:
    """Return the plan of each device: 100 kB/s of waveforms, and in each report the number of the report.

    Reports are confirmed on TCP and on half of the serial lines.
    """
    links = [None] * TCP_DEVICES + ports
    made = []
    for number, port in enumerate(links, start=1):
        confirmed = port is None or number % 2 == 0
        every_s = 0.05 if confirmed else 0.02  # a confirmed report waits for the commit of the one before it
        samples = round(LINK_BYTES_A_SECOND * every_s / SAMPLE_BYTES)
        made.append(Sends(number, port, every_s, samples, confirmed))
    return tuple(made)


async def run_devices(plan: Plan, folder: Path, gateway: Vehicle) -> tuple[dict[str, int], float]:
    """Run the plan's devices. Return the number of reports that each device sent, and the gateway's processor time
    during the run, in seconds."""
    file = folder / "plan.json"
    plan.write(file)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.harness.busy_devices", file, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            assert await process.stdout.readline() == b"ready\n"
        before_s = processor_s(gateway.pid)
        async with asyncio.timeout(plan.for_s + 120):
            counts = json.loads(await process.stdout.readline())
            took_s = processor_s(gateway.pid) - before_s
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return counts, took_s


async def stored(gateway: Vehicle) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Return two maps from a device to the numbers of its stored reports, in order: one from the numerics, and one from
    the waveforms."""
    settings = load(gateway.config)
    buffer = await Buffer.open(
        settings.store_path,
        gateway=settings.gateway.id,
        key=Identity.load(settings.identity_dir).store_key,
        settings=BufferSettings(),
        clock=SystemClock(),
    )
    numbers: dict[str, list[int]] = defaultdict(list)
    waves: dict[str, list[int]] = defaultdict(list)
    try:
        assert await buffer.gaps() == []
        for lane in (Lane.NUMERIC, Lane.WAVEFORM):
            async for record in buffer.records(lane=lane, limit=10_000_000):
                if record.handle == COUNT:
                    assert isinstance(record.value, float)
                    numbers[record.device.system_id].append(int(record.value))
                elif record.handle == WAVEFORM:
                    assert record.samples is not None
                    waves[record.device.system_id].append(int.from_bytes(record.samples[:2], "big"))
    finally:
        await buffer.close()
    return numbers, waves


async def test_reports_of_sixteen_tcp_and_four_serial_devices_are_stored_in_order_without_loss(tmp_path: Path):
    ports = [str(tmp_path / f"line{number}") for number in range(1, 5)]
    async with vehicle(tmp_path, started=False) as gateway:
        with gateway.config.open("a") as file:
            file.writelines(f'[[serial]]\npath = "{port}"\nframing = "hdlc"\n' for port in ports)
        await gateway.start()
        plan = Plan(gateway.address, SECONDS, devices(ports))
        counts, took_s = await run_devices(plan, tmp_path, gateway)
        resident_mb = resident_bytes(gateway.pid) / 1e6
        assert await gateway.stop() == 0
        numbers, waves = await stored(gateway)
    share = took_s / SECONDS
    print(
        f"{sum(counts.values())} reports in {SECONDS:.0f} s: the gateway took {share:.3f} of a core, "
        f"{resident_mb:.0f} MB resident"
    )
    assert len(counts) == len(plan.devices)
    for sends in plan.devices:
        system_id = BusyDevice(sends.number, sends.samples).system_id.hex()
        count = counts[system_id]
        assert count >= SECONDS / sends.every_s - 2
        assert numbers[system_id] == list(range(1, count + 1)), f"device {sends.number}"
        if sends.samples:
            assert waves[system_id] == [each % FIRST_SAMPLES for each in range(1, count + 1)], f"device {sends.number}"
    if FULL:
        assert share <= CORE_SHARE_MAX
