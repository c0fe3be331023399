"""Issues «One ambulance, end to end», C, and «BLE devices, for real», B: processes are killed, and no data is lost or
doubled.

Two kinds of files are the evidence. Each simulated agent records (fsync) every confirmed report that was acknowledged;
the gateway records (epoch, lane, sequence) after each commit. At the end, each recorded report and batch is in the
cloud exactly once. Over Bluetooth, a stack confirms an indication before the gateway has committed it, so each kill of
the gateway may lose one indication; notifications may be lost with their link; nothing is doubled or invented. A record
of a record store is fetched again, so none is lost.

The stories use one running demo. `ARGUS_SOAK=1` sets the full counts; `ARGUS_SEED` repeats a run.
"""

import asyncio
import collections
import contextlib
import os
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from simulators.ble.kinds import ble_description_of
from simulators.ble.peripheral import Peripheral
from simulators.demo.fleet import BLE_DEVICES, DEMO_DEVICES
from tests.builders.gatt_devices import GLUCOSE_MEASUREMENT, glucose
from tests.harness.ble_vehicle import on_air
from tests.harness.ble_witnesses import AirLine, air_lines, on_air_in_cloud, readings, witnessed_on_air
from tests.harness.demo import DemoFailed, RunningDemo, lanes, program, run, start_demo
from tests.harness.eventually import eventually
from tests.harness.witnesses import in_cloud, witnessed_commits, witnessed_reports

pytestmark = [pytest.mark.broker, pytest.mark.demo, pytest.mark.asyncio(loop_scope="module")]

FULL = os.environ.get("ARGUS_SOAK") == "1"
SEED = int(os.environ.get("ARGUS_SEED") or random.SystemRandom().randrange(1_000_000))
SECONDS = 60.0 if FULL else 18.0
KILLS_EACH = 5 if FULL else 1
UNREACHABLE_S = 20.0 if FULL else 4.0
BACK_S = 10.0 if FULL else 60.0
"""Time until killed processes work again: ten seconds are promised, more are allowed on a loaded machine."""
COMING_UP_S = 60.0
ROUNDS, RECORDS = (12, 150) if FULL else (1, 20)
KILLED_WITHIN_S = 2.5
"""Time from the start of a gateway to the end of a transfer. The kill comes at a random time within it."""
PARTS = ("gateway", "broker", "cloud", "radio")
SYSTEM_IDS = {device.system_id for device in DEMO_DEVICES}
BLE_SYSTEM_IDS = {device.system_id for device in BLE_DEVICES}
LINKS = {f"ble:{device.address}" for device in BLE_DEVICES}
UNDATED = ble_description_of("oximeter").system_id.hex()
"""The oximeter, whose live values over Bluetooth have no time stamp."""


def faults(seed: int) -> list[tuple[float, str]]:
    """Return (seconds, process) of each kill, and (seconds, "unreachable") of the time at which the broker is frozen,
    in order of time."""
    dice = random.Random(seed)
    kills = [(dice.uniform(1.0, SECONDS - 1.0), part) for part in PARTS for _ in range(KILLS_EACH)]
    return sorted([*kills, (dice.uniform(2.0, SECONDS - UNREACHABLE_S - 1.0), "unreachable")])


async def inflict(demo: RunningDemo, plan: list[tuple[float, str]]) -> None:
    """Inflict the faults of `plan` at their times; return after `SECONDS`."""
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    async with asyncio.TaskGroup() as tasks:
        for at_s, what in plan:
            await asyncio.sleep(max(0.0, begun_s + at_s - loop.time()))
            if what == "unreachable":
                tasks.create_task(silence_broker(demo))
            else:
                await demo.kill(what)
    await asyncio.sleep(max(0.0, begun_s + SECONDS - loop.time()))


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


async def observations_by_link(demo: RunningDemo) -> dict[str, int]:
    """Map the name of each open Bluetooth link to the number of observations received on it."""
    status = await demo.status()
    sessions: list[dict[str, Any]] = [] if status is None else status["sessions"]
    return {each["link"]: each["observations"] for each in sessions if each["device"]}


async def all_measuring(demo: RunningDemo) -> bool:
    """Return whether all three Bluetooth devices are connected and the oximeter has sent values."""
    found = await observations_by_link(demo)
    oximeter = next(link for link in LINKS if link.startswith("ble:02:41:52:21"))
    return set(found) >= LINKS and found[oximeter] > 0


def confirmed_lines(folder: Path) -> list[AirLine]:
    return [line for line in air_lines(folder) if line.what == "confirmed"]


async def glucose_in_cloud(demo: RunningDemo, meter: Peripheral) -> collections.Counter[str]:
    """Count the meter's glucose concentrations in the cloud by device time; each record has one concentration. Until
    its first record arrives, the cloud does not know the meter."""
    try:
        rows = await demo.exported("--device", meter.sensor.description.system_id.hex())
    except DemoFailed as error:
        if "There is no device" not in str(error):
            raise
        rows = []
    return collections.Counter(row["device_time"] for row in rows if row["type"].startswith("MDC_CONC_GLU"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningDemo]:
    print(f"seed {SEED}")
    running = await start_demo(tmp_path_factory.mktemp("kills") / "demo", "--seed", str(SEED))
    yield running
    await running.stop()


async def test_bluetooth_devices_lose_no_records_when_gateway_and_radio_processes_are_killed(demo: RunningDemo):
    folder = demo.state_dir / "witness"
    await eventually(lambda: all_measuring(demo), within_s=COMING_UP_S, what="three Bluetooth devices")
    radio = demo.pid("radio")
    await demo.kill("gateway")
    await eventually(lambda: all_measuring(demo), within_s=BACK_S, what="they are back after the gateway died")
    assert demo.pid("radio") == radio
    os.kill(radio, 0)
    await demo.kill("radio")
    await eventually(lambda: demo.pid("radio") not in (0, radio), within_s=BACK_S, what="another radio")
    await eventually(lambda: all_measuring(demo), within_s=BACK_S, what="they are back after the radio died")
    await eventually(lambda: len(confirmed_lines(folder)) >= 3, within_s=60.0, poll_s=0.2)
    confirmed = confirmed_lines(folder)
    await demo.delivered()
    cloud = on_air_in_cloud(await demo.exported(), BLE_SYSTEM_IDS)
    sent = witnessed_on_air(folder, "notified", "kept")
    assert cloud - sent == {}, "invented or doubled"
    missing = [line for line in confirmed if any(not cloud[each] for each in readings(line))]
    assert len(missing) <= demo.kills["gateway"], missing
    dated = {key: count for key, count in cloud.items() if key[2] is not None}
    assert set(dated.values()) == {1}
    assert sum(cloud.values()) > sum(sent.values()) / 2


async def test_glucose_records_are_in_the_cloud_once_when_the_gateway_is_killed_during_their_transfer(
    demo: RunningDemo,
):
    """Run a further glucose meter on the demo's radio. In each round the meter stores more records, and the gateway is
    killed while it fetches them."""
    dice = random.Random(SEED)
    found: collections.Counter[str] = collections.Counter()
    async with on_air(Path(demo.facts["ble_radio"]), "glucose", unit=7) as meter:
        paired = ("--config", demo.facts["gateway_config"], "ble", "pair", meter.address, "--yes")
        await run(program("argus-gateway"), *paired)
        for _ in range(ROUNDS):
            for _ in range(RECORDS):
                meter.ledger.keep(lambda number: ((GLUCOSE_MEASUREMENT, glucose(number)),))
            wanted = meter.ledger.store.next_number - 1
            await demo.kill("gateway")
            await asyncio.sleep(dice.uniform(0.0, KILLED_WITHIN_S))  # kill at a random time
            await demo.kill("gateway", within_s=60)

            async def connected() -> bool:
                return f"ble:{meter.address}" in await observations_by_link(demo)

            async def fetched(records: int = wanted) -> bool:
                nonlocal found
                found = await glucose_in_cloud(demo, meter)
                return len(found) >= records

            await eventually(connected, within_s=120, poll_s=0.1, what="the meter is connected")
            await eventually(fetched, within_s=120, poll_s=3.0, what=f"{wanted} records in the cloud, seed {SEED}")
    print(f"seed {SEED}: {2 * ROUNDS} gateways killed; {len(found)} records in the cloud, each once")
    assert {time: count for time, count in found.items() if count != 1} == {}, f"seed {SEED}"


async def test_acknowledged_report_is_in_the_cloud_exactly_once_when_processes_are_killed_at_random(demo: RunningDemo):
    plan = faults(SEED)
    print(f"seed {SEED}: {', '.join(f'{what}@{at_s:.1f}s' for at_s, what in plan)}")
    air = demo.state_dir / "witness"
    earlier = witnessed_reports(air)
    await inflict(demo, plan)
    answered, commits, confirmed = witnessed_reports(air), witnessed_commits(air / "commits"), confirmed_lines(air)
    await demo.delivered()
    rows = [row for row in await demo.exported() if row["device"]["system_id"] in SYSTEM_IDS]
    (report,) = await demo.cloud_commands("custody check --rows")
    sent = witnessed_on_air(air, "notified", "kept")

    cloud = in_cloud(rows)
    assert [key for key in earlier if not cloud[key]] == [], f"seed {SEED}"
    assert len(answered) - len(earlier) > 20 * SECONDS
    new = {key: count for key, count in cloud.items() if key not in earlier}
    assert answered.keys() - earlier.keys() <= new.keys(), f"seed {SEED}"
    assert [key for key, count in new.items() if count != 1] == [], f"seed {SEED}"

    on_air = on_air_in_cloud(rows, BLE_SYSTEM_IDS)
    assert on_air - sent == {}, f"seed {SEED}: invented or doubled"
    lost = [line for line in confirmed if not all(on_air[reading] for reading in readings(line))]
    assert len(lost) <= demo.kills["gateway"], f"seed {SEED}: more than the window of each kill of the gateway can hold"

    through = {(lane["epoch"], lane["lane"]): lane["through"] for lane in report["lanes"]}
    holes = [
        lane for lane in report["lanes"] if not lane["intact"] or lane["batches"] + lane["stood_in"] < lane["through"]
    ]
    assert holes == [], f"seed {SEED}"
    assert {(e, lane, n) for e, lane, n in commits if n > through.get((e, lane), 0)} == set(), f"seed {SEED}"

    for key, members in lanes(rows):
        times = [row["device_time"] for row in members if row["device_time"] is not None]
        assert times or key[0] == UNDATED, key
        assert times == sorted(times), f"{key} seed {SEED}"
    print(f"{len(answered)} answered readings, {len(rows)} in the cloud, {len(commits)} commits witnessed")
