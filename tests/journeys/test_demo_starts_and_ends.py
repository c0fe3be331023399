"""The demo on an ordinary machine: without mosquitto, killed, started twice, interrupted; and what its logs contain."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from simulators.demo.fleet import BLE_DEVICES
from tests.harness.ble_witnesses import on_air_in_cloud, witnessed_on_air
from tests.harness.demo import RunningDemo, program, run, start_demo
from tests.harness.eventually import eventually
from tests.harness.witnesses import in_cloud, witnessed_reports

pytestmark = pytest.mark.demo

LOGGED = frozenset(
    (
        *("event", "level", "timestamp", "host", "address", "parts", "port"),
        *("attempt", "why", "code", "gateway", "lane", "count", "batches", "error"),
    )
)
"""Every field that a line of the cloud's log may have in an ordinary drive. None of them is about a patient."""


def secrets_of(demo: RunningDemo) -> dict[str, str]:
    """Map a name to each secret of the demo; no log may contain one of the secrets."""
    plan = json.loads((demo.state_dir / "plan.json").read_text())
    found = {name: plan[name] for name in ("gateway_mqtt_password", "cloud_mqtt_password")}
    for tenancy in ("first", "second"):
        for name in ("admin_token", "client_secret", "password"):
            found[f"{tenancy} {name}"] = plan[tenancy][name]
    found["crew pin"] = f'"{demo.facts["crew_pin"]}"'
    for key in (demo.state_dir / "gateway").rglob("*key*"):
        if key.is_file():
            found[key.name] = key.read_bytes().hex()
    return found


def assert_logs_tell_no_secret_and_no_value(demo: RunningDemo, rows: list[dict[str, Any]]) -> None:
    logs = {log.name: log.read_text() for log in (demo.state_dir / "log").iterdir()}
    for name, text in {**logs, "demo": demo.log_file.read_text()}.items():
        for what, secret in secrets_of(demo).items():
            assert secret not in text, f"{what} in {name}"
        for kind in {row["type"] for row in rows}:
            assert kind not in text, f"{kind} in {name}"
    for line in logs["cloud.log"].splitlines():
        told = json.loads(line)
        assert set(told) <= LOGGED, line
        assert not [value for value in told.values() if isinstance(value, float)], line


async def test_demo_with_the_iotcore_broker_delivers_every_report_and_logs_no_measured_values(tmp_path: Path):
    demo = await start_demo(tmp_path / "demo", "--broker", "iotcore", "--for", "9")  # the cuff's first is at 8 s
    try:
        assert await demo.ended(within_s=100) == 0, demo.tail()
        rows = await demo.exported()
    finally:
        await demo.stop()
    assert demo.facts["broker"] == "iotcore"
    assert "broker: iotcore (as requested)" in demo.log_file.read_text()
    answered, cloud = witnessed_reports(demo.state_dir / "witness"), in_cloud(rows)
    assert len(answered) > 100
    assert {key: cloud[key] for key in answered if cloud[key] != 1} == {}
    on_air = on_air_in_cloud(rows, {device.system_id for device in BLE_DEVICES})
    assert on_air == witnessed_on_air(demo.state_dir / "witness", "notified", "confirmed")
    assert len({system_id for system_id, *_ in on_air}) == len(BLE_DEVICES)
    config = str(demo.state_dir / "cloud.toml")
    report = json.loads(await run(program("argus-cloud"), "--config", config, "custody", "check", "--rows", "--json"))
    assert all(lane["intact"] for lane in report["lanes"])
    assert sum(lane["observations"] for lane in report["lanes"]) == len(rows)
    assert_logs_tell_no_secret_and_no_value(demo, rows)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.broker
async def test_demo_restarts_after_it_was_killed_and_refuses_a_second_concurrent_demo(tmp_path: Path):
    killed = await start_demo(tmp_path / "demo")
    facts = killed.facts
    killed.process.kill()
    await killed.process.wait()
    again = await start_demo(tmp_path / "demo")
    try:
        left = [part for part, pid in facts["pids"].items() if alive(pid)]
        assert left == []
        assert {name: again.facts[name] for name in ("crew_url", "agent_tcp", "tenant_id", "crew_pin")} == {
            name: facts[name] for name in ("crew_url", "agent_tcp", "tenant_id", "crew_pin")
        }
        refused = await asyncio.create_subprocess_exec(
            *(program("argus-sim"), "demo", "--headless", "--state", str(tmp_path / "demo")),
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await refused.communicate()
        assert refused.returncode == 1
        assert f"a demo runs in {tmp_path / 'demo'} already" in said.decode()
        assert "Traceback" not in said.decode()
        assert again.process.returncode is None
    finally:
        await again.stop()


@pytest.mark.broker
async def test_demo_interrupted_during_its_set_up_ends_at_once_and_can_be_restarted(tmp_path: Path):
    state = tmp_path / "demo"
    interrupted = await asyncio.create_subprocess_exec(
        *(program("argus-sim"), "demo", "--headless", "--state", str(state)),
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    await eventually((state / "set-up-begun").exists, within_s=30)
    os.killpg(interrupted.pid, signal.SIGINT)  # as a terminal does: every foreground process gets it
    async with asyncio.timeout(5):
        _, said = await interrupted.communicate()
    assert interrupted.returncode == 0
    assert "Traceback" not in said.decode()
    assert not (state / "set-up-complete").exists()
    demo = await start_demo(state, "--no-devices")
    await demo.stop()
