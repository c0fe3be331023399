"""The record after a cloud is restored, two gateways claim one identity, or a gateway is replaced.

Each story ends in a state that docs/operator.md documents, and every loss is reported. The stories use one vehicle and
one cloud, in this order, and each continues from the state in which the previous story ended.
"""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from simulators.demo.free_ports import free_port
from simulators.demo.gateway_status import query_gateway
from tests.harness.demo import RunningDemo, program, run, start_demo
from tests.harness.eventually import eventually
from tests.harness.gateway_process import invoke

pytestmark = [pytest.mark.broker, pytest.mark.demo, pytest.mark.asyncio(loop_scope="module")]

Identity = tuple[str, str, int, int]


def identities(rows: list[dict[str, Any]]) -> set[Identity]:
    return {(row["epoch"], row["lane"], row["sequence"], row["index"]) for row in rows}


def readings(rows: list[dict[str, Any]]) -> set[tuple[str, int, str]]:
    return {(row["device"]["system_id"], row["handle"], row["device_time"]) for row in rows}


async def domain_events(demo: RunningDemo) -> list[tuple[str, str]]:
    """Return the type and the payload, as JSON text, of each domain event."""
    (found,) = await demo.cloud_commands(f"events list --source cloud --tenant {demo.facts['tenant_id']}")
    return [(event["type"], json.dumps(event["payload"])) for event in found]


@dataclass
class Ambulance:
    """A demo that has driven once, running or stopped, and two copies from this drive.

    `older_cloud` is the cloud's database from the middle of the drive. `gateway_copy` is the gateway's state folder
    after the drive.
    """

    demo: RunningDemo
    older_cloud: Path
    gateway_copy: Path

    async def drive(self) -> RunningDemo:
        """Return the running demo; start it again if it is stopped."""
        if self.demo.ended_with is not None:
            self.demo = await start_demo(self.demo.state_dir)
        return self.demo

    async def park(self) -> RunningDemo:
        """Return the demo, which is stopped if it runs."""
        await self.demo.stop()
        return self.demo


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ambulance(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ambulance]:
    folder = tmp_path_factory.mktemp("ambulance")
    made = Ambulance(await start_demo(folder / "demo"), folder / "older.sqlite", folder / "clone" / "gateway")
    try:
        with (
            closing(sqlite3.connect(made.demo.state_dir / "cloud.sqlite")) as running,
            closing(sqlite3.connect(made.older_cloud)) as copy,
        ):
            running.backup(copy)
        await made.demo.delivered()
        await made.park()
        shutil.copytree(made.demo.state_dir / "gateway", made.gateway_copy)
        yield made
    finally:
        await made.demo.stop()


async def test_cloud_restored_from_an_older_copy_receives_the_lost_batches_again(ambulance: Ambulance):
    demo = await ambulance.park()
    newest = await demo.exported()
    for left in demo.state_dir.glob("cloud.sqlite*"):
        left.unlink()
    shutil.copy(ambulance.older_cloud, demo.state_dir / "cloud.sqlite")
    assert set() < identities(await demo.exported()) < identities(newest)
    demo = await ambulance.drive()
    restored: list[dict[str, Any]] = []

    async def nothing_is_missing() -> bool:
        nonlocal restored
        restored = await demo.exported()
        return identities(newest) <= identities(restored)

    await eventually(nothing_is_missing, within_s=60, poll_s=2.0)
    assert readings(newest) <= readings(restored)


async def test_second_gateway_with_a_copied_identity_is_reported_and_keeps_its_observations(ambulance: Ambulance):
    demo, clone = await ambulance.drive(), ambulance.gateway_copy
    # The clone serves other devices over its own listener, with the identity and the history of the first.
    config, port = clone / "gateway.toml", free_port()
    text = (demo.state_dir / "gateway.toml").read_text().split("[[serial]]")[0]
    moved = text.replace(f'"{demo.state_dir / "gateway"}"', f'"{clone}"')
    lines = [line for line in moved.splitlines() if not line.startswith(("witness_file", "ble_backend"))]
    own = "\n".join(lines).replace(demo.facts["agent_tcp"], f"127.0.0.1:{port}")
    config.write_text(own.split("[crew]")[0] + own[own.index("[devices]") :])
    rival = await asyncio.create_subprocess_exec(
        program("argus-gateway"), "--config", str(config), "run", stderr=(clone / "log").open("wb")
    )
    try:

        async def contested() -> bool:
            status = await query_gateway(clone / "control.sock", "status")
            return status is not None and bool(status["running"] and status["uplink"]["contested"])

        agent = ("agent", "oximeter", "--unit", "9", "--tcp", f"127.0.0.1:{port}", "--for", "4")
        await run(program("argus-sim"), *agent)
        await eventually(contested, within_s=40)
        status = (await invoke("--config", config, "status", "--json")).json()
        assert status["uplink"]["contested"] is True
        doctor = await invoke("--config", config, "doctor")
        assert doctor.code == 1
        assert "identity" in doctor.out
    finally:
        rival.terminate()
        await rival.wait()
    assert "gateway.identity_contested" in {name for name, _ in await domain_events(demo)}
    kept = await invoke("--config", config, "observations", "--json")
    assert any(observation["handle"] == 1 for observation in kept.json_lines())


async def test_gateway_with_a_new_store_begins_a_new_epoch_and_the_cloud_keeps_earlier_observations(
    ambulance: Ambulance,
):
    demo = await ambulance.park()
    before = await demo.exported()
    for left in demo.state_dir.glob("gateway/buffer.sqlite*"):
        left.unlink()
    config = demo.state_dir / "gateway.toml"
    refused = await invoke("--config", config, "provision")
    assert (refused.code, refused.out) == (1, "")
    assert (await invoke("--config", config, "provision", "--new-store")).code == 0
    demo = await ambulance.drive()
    after = await demo.exported()
    assert identities(before) < identities(after)
    (epoch,) = {row["epoch"] for row in after} - {row["epoch"] for row in before}
    reported = [payload for name, payload in await domain_events(demo) if name == "gateway.epoch_started"]
    assert [epoch in payload for payload in reported].count(True) == 1, reported
