"""The record after a gateway is replaced, the cloud is restored, or two gateways claim one identity.

Each story ends in a state that docs/operator.md documents, and every loss is reported.
"""

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from simulators.demo.free_ports import free_port
from tests.harness.demo import RunningDemo, program, run, start_demo
from tests.harness.eventually import eventually

pytestmark = [pytest.mark.broker, pytest.mark.demo]


async def drive(state: Path, *, seconds: float = 4.0) -> RunningDemo:
    """Run the demo for `seconds` and until its measurements are delivered; return the ended demo."""
    demo = await start_demo(state, "--for", str(seconds))
    try:
        assert await demo.ended(seconds + 90) == 0, demo.tail()
    finally:
        await demo.stop()
    return demo


def identities(rows: list[dict[str, Any]]) -> set[tuple[str, str, int, int]]:
    return {(row["epoch"], row["lane"], row["sequence"], row["index"]) for row in rows}


def readings(rows: list[dict[str, Any]]) -> set[tuple[str, int, str]]:
    return {(row["device"]["system_id"], row["handle"], row["device_time"]) for row in rows}


async def domain_events(demo: RunningDemo) -> list[str]:
    config, tenant = str(demo.state_dir / "cloud.toml"), str(demo.facts["tenant_id"])
    text = await run(program("argus-cloud"), "--config", config, "events", "list", "--tenant", tenant, "--json")
    return [event["type"] for event in json.loads(text)]


async def test_gateway_with_a_new_store_begins_a_new_epoch_and_the_cloud_keeps_earlier_observations(tmp_path: Path):
    demo = await drive(tmp_path / "demo")
    before = await demo.exported()
    for left in demo.state_dir.glob("gateway/buffer.sqlite*"):
        left.unlink()
    config = str(demo.state_dir / "gateway.toml")
    refused = await run(program("argus-gateway"), "--config", config, "provision", expect=1)
    assert refused == ""
    await run(program("argus-gateway"), "--config", config, "provision", "--new-store")
    demo = await drive(tmp_path / "demo")
    after = await demo.exported()
    assert identities(before) < identities(after)
    assert len({row["epoch"] for row in after}) == 2
    assert "gateway.epoch_started" in await domain_events(demo)


async def test_cloud_restored_from_an_older_copy_receives_the_lost_batches_again(tmp_path: Path):
    older = tmp_path / "older.sqlite"
    demo = await start_demo(tmp_path / "demo")

    async def holds_more_than(count: int) -> bool:
        return len(await demo.exported()) > count

    try:
        await eventually(lambda: holds_more_than(0), within_s=60, poll_s=0.5)
        with (
            closing(sqlite3.connect(demo.state_dir / "cloud.sqlite")) as running,
            closing(sqlite3.connect(older)) as copy,
        ):
            running.backup(copy)
        copied = len(await demo.exported())
        await eventually(lambda: holds_more_than(copied), within_s=60, poll_s=0.5)
    finally:
        await demo.stop()
    newest = await demo.exported()
    for left in demo.state_dir.glob("cloud.sqlite*"):
        left.unlink()
    shutil.copy(older, demo.state_dir / "cloud.sqlite")
    assert set() < identities(await demo.exported()) < identities(newest)
    demo = await drive(tmp_path / "demo")
    restored = await demo.exported()
    assert identities(newest) <= identities(restored)
    assert readings(newest) <= readings(restored)


async def test_second_gateway_with_a_copied_identity_is_reported_and_keeps_its_observations(tmp_path: Path):
    demo = await drive(tmp_path / "demo")
    clone = tmp_path / "clone"
    shutil.copytree(demo.state_dir / "gateway", clone / "gateway")
    demo = await start_demo(tmp_path / "demo")
    try:
        # The clone serves other devices over its own listener, with the identity and the history of the first.
        config, port = clone / "gateway.toml", free_port()
        text = (demo.state_dir / "gateway.toml").read_text().split("[[serial]]")[0]
        moved = text.replace(f'"{demo.state_dir / "gateway"}"', f'"{clone / "gateway"}"')
        lines = [line for line in moved.splitlines() if not line.startswith(("witness_file", "ble_backend"))]
        own = "\n".join(lines).replace(demo.facts["agent_tcp"], f"127.0.0.1:{port}")
        config.write_text(own.split("[crew]")[0] + own[own.index("[devices]") :])
        rival = await asyncio.create_subprocess_exec(
            program("argus-gateway"), "--config", str(config), "run", stderr=(clone / "log").open("wb")
        )
        try:

            async def contested() -> bool:
                try:
                    text = await run(program("argus-gateway"), "--config", str(config), "status", "--json")
                except AssertionError:
                    return False
                status = json.loads(text)
                return bool(status["running"]) and status["uplink"]["contested"]

            agent = ("agent", "oximeter", "--unit", "9", "--tcp", f"127.0.0.1:{port}", "--for", "4")
            await run(program("argus-sim"), *agent)
            await eventually(contested, within_s=40)
            doctor = await run(program("argus-gateway"), "--config", str(config), "doctor", expect=1)
            assert "identity" in doctor
        finally:
            rival.terminate()
            await rival.wait()
        assert "gateway.identity_contested" in await domain_events(demo)
        kept = await run(program("argus-gateway"), "--config", str(config), "observations", "--json")
        assert any(json.loads(line)["handle"] == 1 for line in kept.splitlines())
    finally:
        await demo.stop()
