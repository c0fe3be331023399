"""The whole product as real processes: `argus-sim demo --headless`, started and queried as a script would."""

import asyncio
import json
import os
import shlex
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from protocols.uplink.status import StoreState
from simulators.demo.gateway_status import query_gateway
from tests.harness.cloud_command import argus_cloud
from tests.harness.eventually import WITHIN_S, eventually
from tests.harness.running_cloud import HOSTS, SCOPES, App, RunningCloud

READY_S = 120.0
STOP_S = 90.0
QUESTION_S = 120.0
DELIVERED_S = 120.0
NEXT_BATCHES = 2
"""A Bluetooth stack confirms a value before the gateway commits it. The gateway commits in order, so the value is in
one of the next two batches."""


def program(name: str) -> str:
    """Return the path of one of the project's console scripts, in the environment that runs the tests."""
    return str(Path(sys.executable).with_name(name))


class DemoFailed(AssertionError):
    """The demo or a command beside it did not do what was asked; says what it printed."""


@dataclass
class RunningDemo:
    """A running demo. `facts` is the content of `demo.json`, which is read on each access because pids change."""

    state_dir: Path
    process: asyncio.subprocess.Process
    log_file: Path
    kills: Counter[str] = field(default_factory=Counter)
    """Number of kills by part."""
    _stopped: bool = field(default=False)

    @property
    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads((self.state_dir / "demo.json").read_text())
        return facts

    def pid(self, part: str) -> int:
        return int(self.facts["pids"][part])

    async def kill(self, part: str, within_s: float = WITHIN_S) -> None:
        """Send SIGKILL to the process of a part, which therefore cannot clean up, as in a power cut.

        If the part is being restarted, wait up to `within_s` for its new process.
        """

        def struck() -> bool:
            pid = self.pid(part)
            if pid == 0:  # a pid of 0 would signal our own process group
                return False
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                return False
            return True

        await eventually(struck, within_s=within_s, what=f"a living {part} to kill")
        self.kills[part] += 1

    @property
    def ended_with(self) -> int | None:
        """Return the exit code of the demo, or None while it runs."""
        return self.process.returncode

    async def status(self) -> dict[str, Any] | None:
        """Return the gateway's status from its control socket; None where the gateway does not respond."""
        return await query_gateway(self.state_dir / "gateway" / "control.sock", "status")

    async def acknowledged(self) -> dict[str, tuple[int, int]]:
        """Return, for each lane, the number of batches that the gateway has committed and the number that the cloud has
        acknowledged. The result is empty while the gateway does not respond or has no open store."""
        status = await self.status()
        if status is None or status["store"]["state"] == StoreState.FULL:
            return {}
        return {name: (lane["last"], lane["acked"]) for name, lane in status["lanes"].items()}

    async def delivered(self, within_s: float = DELIVERED_S) -> None:
        """Wait until all that the devices' witness files have at the time of the call is in the cloud. Devices must be
        running: the wait includes the next `NEXT_BATCHES` numeric batches."""
        found = await eventually(self.acknowledged, within_s=within_s, poll_s=0.1, what="the gateway responds")
        wanted = {lane: last + (NEXT_BATCHES if lane == "numeric" else 0) for lane, (last, _) in found.items()}

        async def all_is_acknowledged() -> bool:
            now = await self.acknowledged()
            return bool(now) and all(now[lane][1] >= number for lane, number in wanted.items())

        await eventually(all_is_acknowledged, within_s=within_s, poll_s=0.1, what="all is delivered")

    async def ended(self, within_s: float = STOP_S) -> int:
        """Wait until a demo that was started with `--for` ends by itself; return its exit code."""
        try:
            async with asyncio.timeout(within_s):
                code = await self.process.wait()
        except TimeoutError:
            raise DemoFailed(f"the demo did not end within {within_s} s:\n{self.tail()}") from None
        self._stopped = True
        return code

    async def stop(self) -> None:
        if self._stopped or self.process.returncode is not None:
            return
        self.process.terminate()
        code = await self.ended()
        if code != 0:
            raise DemoFailed(f"the demo ended with {code}:\n{self.tail()}")

    def tail(self) -> str:
        logs = [self.log_file, *sorted((self.state_dir / "log").glob("*.log"))]
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}" for log in logs if log.exists())

    async def cloud_commands(self, *commands: str) -> list[Any]:
        """Run `argus-cloud` commands with the option `--json` in the test's process; return the output of each."""
        return [json.loads(await self._argus_cloud(*shlex.split(command))) for command in commands]

    async def exported(self, *arguments: str) -> list[dict[str, Any]]:
        """Return the rows of `argus-cloud observations export ARGUMENTS`."""
        text = await self._argus_cloud("observations", "export", *arguments)
        return [json.loads(line) for line in text.splitlines()]

    def cloud_of_an_integrator(self) -> RunningCloud:
        """Return the demo's cloud with an app and a crew member of their own, which the samples of the documentation
        use."""
        facts = self.facts
        tenant, organization = facts["tenant_id"], facts["organization_id"]
        ports = {host: int(facts[f"{host}_url"].rpartition(":")[2]) for host in HOSTS}
        cloud = RunningCloud(self.state_dir, facts["cloud_db_url"], ports=ports)
        whose = ["--tenant", tenant, "--organization", organization, "--id"]
        *_, app = cloud.commands(
            ["crew", "add", *whose, "usr_1", "--role", "paramedic", "--json"],
            ["apps", "add", *whose, "app_north", "--name", "Integrator", *SCOPES, "--json"],
        )
        cloud.apps["north"] = App("north", tenant, organization, app["client_id"], app["client_secret"])
        return cloud

    async def _argus_cloud(self, *words: str) -> str:
        try:
            return await asyncio.to_thread(argus_cloud, self.state_dir / "cloud.toml", *words, "--json")
        except AssertionError as error:
            raise DemoFailed(str(error)) from None


async def run(*argv: str, within_s: float = QUESTION_S) -> str:
    """Run a command to its end and return its output. Raises `DemoFailed` when its exit code is not 0."""
    process = await asyncio.create_subprocess_exec(
        *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(within_s):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise DemoFailed(f"{argv[0]} did not end within {within_s} s") from None
    if process.returncode != 0:
        raise DemoFailed(f"{' '.join(argv)} ended with {process.returncode}:\n{err.decode()[-3000:]}")
    return out.decode()


async def start_demo(state_dir: Path, *arguments: str, within_s: float = READY_S) -> RunningDemo:
    """Start a demo, and return once it has written `demo.json`, which it does when all its parts are ready."""
    state_dir.mkdir(parents=True, exist_ok=True)
    log_file = state_dir.with_name(state_dir.name + ".demo.log")
    (state_dir / "demo.json").unlink(missing_ok=True)
    with log_file.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            program("argus-sim"), "demo", "--headless", "--state", str(state_dir), *arguments, stdout=log, stderr=log
        )
    demo = RunningDemo(state_dir, process, log_file)
    try:
        async with asyncio.timeout(within_s):
            while not (state_dir / "demo.json").exists():
                if process.returncode is not None:
                    raise DemoFailed(f"the demo ended with {process.returncode} before it was ready:\n{demo.tail()}")
                await asyncio.sleep(0.1)
    except TimeoutError:
        tail = demo.tail()
        await demo.stop()
        raise DemoFailed(f"the demo was not ready within {within_s} s:\n{tail}") from None
    return demo


def samples_in_order(rows: Sequence[dict[str, Any]], type_name: str) -> list[int]:
    """Return the raw samples of all rows of one channel type, in the order of the rows."""
    return [sample for row in rows if row["type"] == type_name for sample in row["samples"]]


def lanes(rows: Sequence[dict[str, Any]]) -> Iterator[tuple[tuple[str, str, str], list[dict[str, Any]]]]:
    """Group rows by (device, epoch, lane); yield each group with its rows in the order of (sequence, index)."""
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault((row["device"]["system_id"], row["epoch"], row["lane"]), []).append(row)
    for key, members in sorted(found.items()):
        yield key, sorted(members, key=lambda row: (row["sequence"], row["index"]))
