"""Issue «One ambulance, end to end», C: every process is killed repeatedly, and no data is lost or doubled.

Two kinds of files are the evidence. Each simulated agent records (fsync) every confirmed report that was acknowledged;
the gateway records (epoch, lane, sequence) after each commit. At the end, each recorded report and batch is in the
cloud exactly once. Over Bluetooth, a stack confirms an indication before the gateway has committed it, so each kill of
the gateway may lose one indication; nothing is doubled or invented. `ARGUS_SOAK=1` sets the full counts; `ARGUS_SEED`
repeats a run.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
from pathlib import Path

import pytest

from simulators.ble.kinds import ble_description_of
from simulators.demo.fleet import BLE_DEVICES
from tests.harness.ble_witnesses import air_lines, on_air_in_cloud, readings, witnessed_on_air
from tests.harness.demo import RunningDemo, lanes, program, run, start_demo
from tests.harness.witnesses import in_cloud, witnessed_commits, witnessed_reports

FULL = os.environ.get("ARGUS_SOAK") == "1"
SECONDS = 60.0 if FULL else 18.0
KILLS_EACH = 5 if FULL else 1
UNREACHABLE_S = 20.0 if FULL else 4.0
PARTS = ("gateway", "broker", "cloud", "radio")
UNDATED = ble_description_of("oximeter").system_id.hex()
"""The oximeter, whose live values over Bluetooth have no time stamp."""


def faults(seed: int) -> list[tuple[float, str]]:
    """Return (seconds, process) of each kill, and (seconds, "unreachable") of the time at which the broker is frozen,
    in order of time."""
    dice = random.Random(seed)
    kills = [(dice.uniform(1.0, SECONDS - 1.0), part) for part in PARTS for _ in range(KILLS_EACH)]
    return sorted([*kills, (dice.uniform(2.0, SECONDS - UNREACHABLE_S - 1.0), "unreachable")])


async def inflict(demo: RunningDemo, plan: list[tuple[float, str]]) -> None:
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    async with asyncio.TaskGroup() as tasks:
        for at_s, what in plan:
            await asyncio.sleep(max(0.0, begun_s + at_s - loop.time()))
            if what == "unreachable":
                tasks.create_task(silence_broker(demo))
            else:
                await demo.kill(what)


async def silence_broker(demo: RunningDemo) -> None:
    """Freeze the broker's process, and any process that replaces it, for `UNREACHABLE_S`, so that connections hang as
    on a lost radio link."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + UNREACHABLE_S
    stopped = 0
    while loop.time() < until_s:
        pid = demo.pid("broker")
        if pid and pid != stopped:
            with contextlib.suppress(ProcessLookupError):  # the process may have been killed just now
                os.kill(pid, signal.SIGSTOP)
            stopped = pid
        await asyncio.sleep(0.1)
    if stopped:
        with contextlib.suppress(ProcessLookupError):
            os.kill(stopped, signal.SIGCONT)


@pytest.mark.broker
@pytest.mark.demo
async def test_acknowledged_report_is_in_the_cloud_exactly_once_when_processes_are_killed_at_random(tmp_path: Path):
    seed = int(os.environ.get("ARGUS_SEED") or random.SystemRandom().randrange(1_000_000))
    plan = faults(seed)
    print(f"seed {seed}: {', '.join(f'{what}@{at_s:.1f}s' for at_s, what in plan)}")
    demo = await start_demo(tmp_path / "demo", "--for", str(SECONDS), "--seed", str(seed))
    try:
        await inflict(demo, plan)
        assert await demo.ended(within_s=SECONDS + 120) == 0, demo.tail()
        rows = await demo.exported()
    finally:
        await demo.stop()

    answered = witnessed_reports(demo.state_dir / "witness")
    cloud = in_cloud(rows)
    assert len(answered) > 20 * SECONDS
    assert {key: cloud[key] for key in answered if cloud[key] != 1} == {}, f"seed {seed}"
    assert [key for key, count in cloud.items() if count != 1] == [], f"seed {seed}"

    air = demo.state_dir / "witness"
    on_air = on_air_in_cloud(rows, {device.system_id for device in BLE_DEVICES})
    assert on_air - witnessed_on_air(air, "notified", "kept") == {}, f"seed {seed}: invented or doubled"
    confirmed = [line for line in air_lines(air) if line.what == "confirmed"]
    lost = [line for line in confirmed if not all(on_air[reading] for reading in readings(line))]
    kills = sum(what == "gateway" for _, what in plan)
    assert len(lost) <= kills, f"seed {seed}: more than the window of each kill of the gateway can hold"

    commits = witnessed_commits(demo.state_dir / "witness" / "commits")
    config = str(demo.state_dir / "cloud.toml")
    report = json.loads(await run(program("argus-cloud"), "--config", config, "custody", "check", "--rows", "--json"))
    through = {(lane["epoch"], lane["lane"]): lane["through"] for lane in report["lanes"]}
    holes = [
        lane for lane in report["lanes"] if not lane["intact"] or lane["batches"] + lane["stood_in"] < lane["through"]
    ]
    assert holes == [], f"seed {seed}"
    assert {(e, lane, n) for e, lane, n in commits if n > through.get((e, lane), 0)} == set(), f"seed {seed}"

    for key, members in lanes(rows):
        times = [row["device_time"] for row in members if row["device_time"] is not None]
        assert times or key[0] == UNDATED, key
        assert times == sorted(times), f"{key} seed {seed}"
    print(f"{len(answered)} answered readings, {len(rows)} in the cloud, {len(commits)} commits witnessed")
