"""Measurements of the demo's Bluetooth devices reach the cloud, and killed processes are restarted without help.

A Bluetooth stack confirms an indication before the gateway commits the indicated value. A gateway that is killed
between the two may lose the value (the documented window). Notifications may be lost with their link. Nothing may be
doubled or invented, and at most one confirmed indication may be missing in the cloud.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from simulators.demo.fleet import BLE_DEVICES
from simulators.demo.gateway_status import query_gateway
from tests.harness.ble_witnesses import AirLine, air_lines, on_air_in_cloud, readings, witnessed_on_air
from tests.harness.demo import RunningDemo, start_demo
from tests.harness.eventually import eventually

pytestmark = [pytest.mark.broker, pytest.mark.demo]

SYSTEM_IDS = {device.system_id for device in BLE_DEVICES}
LINKS = {f"ble:{device.address}" for device in BLE_DEVICES}
FULL = os.environ.get("ARGUS_SOAK") == "1"
BACK_S = 10.0 if FULL else 60.0
"""Time until killed processes work again: ten seconds are promised, more are allowed on a loaded machine."""
COMING_UP_S = 60.0


async def counts(demo: RunningDemo) -> dict[str, int]:
    """Map the name of each open Bluetooth link to the number of observations received on it."""
    status = await query_gateway(demo.state_dir / "gateway" / "control.sock", "status")
    sessions: list[dict[str, Any]] = [] if status is None else status["sessions"]
    return {each["link"]: each["observations"] for each in sessions if each["link"] in LINKS and each["device"]}


async def all_measuring(demo: RunningDemo) -> bool:
    """Return whether all three Bluetooth devices are connected and the oximeter has sent values."""
    found = await counts(demo)
    oximeter = next(link for link in LINKS if link.startswith("ble:02:41:52:21"))
    return set(found) == LINKS and found[oximeter] > 0


async def test_bluetooth_devices_lose_no_records_when_gateway_and_radio_processes_are_killed(
    tmp_path: Path,
):
    demo = await start_demo(tmp_path / "demo", "--for", "12")
    try:
        await eventually(lambda: all_measuring(demo), within_s=COMING_UP_S, what="three Bluetooth devices")
        radio = demo.pid("radio")
        await demo.kill("gateway")
        await eventually(lambda: all_measuring(demo), within_s=BACK_S, what="they are back after the gateway died")
        assert demo.pid("radio") == radio
        os.kill(radio, 0)
        await demo.kill("radio")
        await eventually(lambda: demo.pid("radio") not in (0, radio), within_s=BACK_S, what="another radio")
        await eventually(lambda: all_measuring(demo), within_s=BACK_S, what="they are back after the radio died")
        assert await demo.ended(within_s=150) == 0, demo.tail()
        rows = await demo.exported()
    finally:
        await demo.stop()
    folder = demo.state_dir / "witness"
    cloud = on_air_in_cloud(rows, SYSTEM_IDS)
    told, confirmed = witnessed_on_air(folder, "notified", "kept"), witnessed_on_air(folder, "confirmed")
    assert cloud - told == {}, "invented or doubled"
    missing = [line for line in confirmed_lines(folder) if any(not cloud[each] for each in readings(line))]
    assert len(missing) <= 1, missing
    assert sum(confirmed.values()) >= 3
    dated = {key: count for key, count in cloud.items() if key[2] is not None}
    assert set(dated.values()) == {1}
    assert sum(cloud.values()) > sum(told.values()) / 2


def confirmed_lines(folder: Path) -> list[AirLine]:
    return [line for line in air_lines(folder) if line.what == "confirmed"]
