"""The demo on an ordinary machine: interrupted, killed, started twice, without mosquitto; and what its logs contain.

The stories use one state folder: a set-up is interrupted, the next demo is killed, and the demo after it runs to its
end with the iotcore broker.
"""

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from simulators.demo.fleet import BLE_DEVICES
from tests.harness.ble_witnesses import Reading, on_air_in_cloud, witnessed_on_air
from tests.harness.demo import RunningDemo, program, start_demo
from tests.harness.eventually import eventually
from tests.harness.witnesses import in_cloud, witnessed_reports

pytestmark = [pytest.mark.demo, pytest.mark.asyncio(loop_scope="module")]

LOGGED = frozenset(
    (
        *("event", "level", "timestamp", "host", "address", "parts", "port"),
        *("attempt", "why", "code", "gateway", "lane", "count", "batches", "error"),
        *("step", "percent", "chore", "rows"),  # of background steps and chores
        *("missions", "messages", "encounter"),  # of missions that are sent to the vehicle
        *("client", "tenant", "jti"),  # of the token with which the demo enqueues an export
    )
)
"""Every field that a line of the cloud's log may have in an ordinary drive. None of them is about a patient."""


LOST_READINGS_MAX = 12
"""Limit of the readings that are lost on air when the demo is killed: one notification or indication of each Bluetooth
device, with four values."""


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


def assert_logs_contain_no_secret_and_no_value(demo: RunningDemo, rows: list[dict[str, Any]]) -> None:
    logs = {log.name: log.read_text() for log in (demo.state_dir / "log").iterdir()}
    for name, text in {**logs, "demo": demo.log_file.read_text()}.items():
        for what, secret in secrets_of(demo).items():
            assert secret not in text, f"{what} in {name}"
        for kind in {row["type"] for row in rows}:
            assert kind not in text, f"{kind} in {name}"
    for line in logs["cloud.log"].splitlines():
        fields = json.loads(line)
        if fields["event"] == "event_loop.stalled":  # of a loaded machine; its only number is the stall's duration
            continue
        assert set(fields) <= LOGGED, line
        assert not [value for value in fields.values() if isinstance(value, float)], line


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@dataclass(frozen=True)
class Interrupted:
    """A demo that was interrupted during its set-up: its state folder, exit code and output."""

    state_dir: Path
    code: int | None
    output: str
    set_up_complete: bool


@dataclass(frozen=True)
class Restarted:
    """A demo that was killed, and the demo that was started in its state folder.

    `killed_facts` is the content of the first demo's `demo.json`. `left` are the parts of the first demo that lived
    when the second was ready. `reports` and `on_air` are the measurements that devices had recorded until then.
    """

    killed_facts: dict[str, Any]
    demo: RunningDemo
    left: list[str]
    reports: Counter[tuple[str, int, str]]
    on_air: Counter[Reading]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Interrupted:
    state = tmp_path_factory.mktemp("demo") / "demo"
    process = await asyncio.create_subprocess_exec(
        *(program("argus-sim"), "demo", "--headless", "--state", str(state)),
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    await eventually((state / "set-up-begun").exists)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: every foreground process gets it
    async with asyncio.timeout(30):
        _, output = await process.communicate()
    return Interrupted(state, process.returncode, output.decode(), (state / "set-up-complete").exists())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def restarted(interrupted: Interrupted) -> AsyncIterator[Restarted]:
    killed = await start_demo(interrupted.state_dir)
    facts, witness = killed.facts, killed.state_dir / "witness"

    def all_have_measured() -> bool:
        measured = witnessed_on_air(witness, "notified", "confirmed")
        return len({system_id for system_id, *_ in measured}) == len(BLE_DEVICES)

    await eventually(all_have_measured, within_s=60, poll_s=0.2)
    killed.process.kill()
    await killed.process.wait()
    demo = await start_demo(interrupted.state_dir, "--broker", "iotcore", "--for", "6")
    yield Restarted(
        killed_facts=facts,
        demo=demo,
        left=[part for part, pid in facts["pids"].items() if alive(pid)],
        reports=witnessed_reports(witness),
        on_air=witnessed_on_air(witness, "notified", "confirmed"),
    )
    await demo.stop()


async def test_demo_interrupted_during_its_set_up_ends_at_once_and_can_be_restarted(
    interrupted: Interrupted, restarted: Restarted
):
    assert interrupted.code == 0
    assert "Traceback" not in interrupted.output
    assert not interrupted.set_up_complete
    assert min(restarted.killed_facts["pids"].values()) > 0


async def test_demo_restarts_after_it_was_killed_and_refuses_a_second_concurrent_demo(restarted: Restarted):
    facts, again = restarted.killed_facts, restarted.demo
    refused = await asyncio.create_subprocess_exec(
        *(program("argus-sim"), "demo", "--headless", "--state", str(again.state_dir)), stderr=asyncio.subprocess.PIPE
    )
    _, output = await refused.communicate()
    assert restarted.left == []
    assert {name: again.facts[name] for name in ("crew_url", "agent_tcp", "tenant_id", "crew_pin")} == {
        name: facts[name] for name in ("crew_url", "agent_tcp", "tenant_id", "crew_pin")
    }
    assert refused.returncode == 1
    assert f"a demo runs in {again.state_dir} already" in output.decode()
    assert "Traceback" not in output.decode()
    assert await again.ended(within_s=100) == 0, again.tail()


async def test_demo_with_the_iotcore_broker_delivers_every_report_and_logs_no_measured_values(restarted: Restarted):
    demo = restarted.demo
    assert await demo.ended(within_s=100) == 0, demo.tail()
    rows = await demo.exported()
    assert demo.facts["broker"] == "iotcore"
    assert "broker: iotcore (as requested)" in demo.log_file.read_text()
    answered, cloud = witnessed_reports(demo.state_dir / "witness"), in_cloud(rows)
    assert len(answered) - len(restarted.reports) > 100
    assert {key: cloud[key] for key in answered if cloud[key] != 1 and key not in restarted.reports} == {}
    assert [key for key in restarted.reports if not cloud[key]] == []
    # The killed demo's last notifications may have been lost on air.
    on_air = on_air_in_cloud(rows, {device.system_id for device in BLE_DEVICES})
    witnessed = witnessed_on_air(demo.state_dir / "witness", "notified", "confirmed")
    assert on_air - witnessed == {}, "invented or doubled"
    lost = witnessed - on_air
    assert lost <= restarted.on_air, "lost"
    assert lost.total() <= LOST_READINGS_MAX, lost
    assert len({system_id for system_id, *_ in on_air}) == len(BLE_DEVICES)
    (report,) = await demo.cloud_commands("custody check --rows")
    assert all(lane["intact"] for lane in report["lanes"])
    assert sum(lane["observations"] for lane in report["lanes"]) == len(rows)
    assert_logs_contain_no_secret_and_no_value(demo, rows)
