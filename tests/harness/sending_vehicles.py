"""Simulated vehicles that send all their lanes, in a process of their own, through a real broker."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from simulators.demo.broker import write_passwords
from simulators.fleet.plan import FleetPlan
from tests.harness.broker import CLOUD_USER, Broker, password_of, running
from tests.harness.eventually import eventually
from tests.harness.releases import Release

COMPARED_S_MAX = 120.0


def mqtt_section(broker: Broker) -> str:
    """Return the section of the cloud's settings that names this broker."""
    password_file = broker.password_file(CLOUD_USER)
    return f'[mqtt]\nurl = "{broker.url}"\nusername = "{CLOUD_USER}"\npassword_file = "{password_file}"\n'


class SendingVehicles:
    """The vehicles of a plan, which send between `start` and `stop`. `log` gets their messages."""

    def __init__(self, plan: FleetPlan, broker: Broker, passwords: Path, log: Path) -> None:
        self.tenant_id = plan.tenant_id
        self._registering = ("--passwords", str(passwords), "--broker-pid", str(broker.pid))
        self._words = (
            "fleet",
            *("--vehicles", str(len(plan.vehicles))),
            *("--broker", broker.url),
            *("--state", str(plan.state_dir)),
            "--json",
        )
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def compare(self, release: Release, config: Path) -> dict[str, Any]:
        """Register the vehicles that are not registered, let them send for a second, and compare their lanes with the
        cloud's. Return the summary."""
        words = ("--cloud-config", str(config), *self._registering, "--for", "1")
        async with asyncio.timeout(COMPARED_S_MAX):
            out = await release.run("simulators.cli", *self._words, *words)
        found: dict[str, Any] = json.loads(out)
        return found

    async def start(self, release: Release, drain_s: float = 30.0) -> None:
        """Let the vehicles send; return when all are connected. `drain_s` is the longest wait of `stop` for the last
        acknowledgements."""
        with self._log.open("wb") as file:
            words = (*self._words, "--drain", str(drain_s))
            self._process = await release.start("simulators.cli", *words, stdout=asyncio.subprocess.PIPE, stderr=file)
        await eventually(lambda: "acknowledged" in self._log.read_text(), within_s=60.0, what="the vehicles send")

    async def stop(self) -> dict[str, Any]:
        """Stop the devices, let the vehicles wait for the last acknowledgements, and return their summary."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        out, _ = await self._process.communicate()
        summary: dict[str, Any] = json.loads(out)
        return summary

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def broker_for(plan: FleetPlan, folder: Path) -> AsyncIterator[Broker]:
    """Run a broker that admits the vehicles of the plan with their passwords."""
    broker = Broker(folder, tenant=plan.tenant_id, gateways=[each.gateway_id for each in plan.vehicles])
    passwords = {CLOUD_USER: password_of(CLOUD_USER)} | {each.gateway_id: each.password for each in plan.vehicles}
    write_passwords(folder / "passwords", passwords)
    async with running(broker):
        yield broker
