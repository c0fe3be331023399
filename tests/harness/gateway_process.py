"""The real `argus-gateway`: provisioned in a folder, run as a process, queried, stopped, killed.

Tests run the console script that an operator types, from the environment that runs the tests.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from typer.testing import CliRunner

from gateway.cli import app
from gateway.cli.provision import provisioned
from gateway.console.control import ControlUnavailable, query
from gateway.settings import load
from simulators.demo.free_ports import free_port
from tests.harness.broker import Broker
from tests.harness.eventually import WITHIN_S, eventually

PROGRAM = str(Path(sys.executable).with_name("argus-gateway"))


@dataclass(frozen=True, slots=True)
class Finished:
    """The exit code and the output of a command that has ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)

    def json_lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class Command:
    """A running `argus-gateway` command."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    def interrupt(self) -> None:
        """Send SIGINT, as Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    async def end(self) -> Finished:
        out, err = await self._process.communicate()
        assert self._process.returncode is not None
        return Finished(self._process.returncode, out.decode(), err.decode())


async def begun(*arguments: str | Path) -> Command:
    """Start `argus-gateway ARGUMENTS` and return the running command without waiting for its end."""
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "COLUMNS": "100"},
    )
    return Command(process)


async def argus_gateway(*arguments: str | Path) -> Finished:
    """Run `argus-gateway ARGUMENTS` to its end."""
    return await (await begun(*arguments)).end()


async def invoke(*arguments: str | Path) -> Finished:
    """Run the command `argus-gateway ARGUMENTS` in this process and in a thread of its own, so that a test's devices
    stay connected. For tests of a command's output: an interpreter's start costs ten times the command."""
    runner, words = CliRunner(), [str(argument) for argument in arguments]
    logging_before = structlog.get_config()
    # The runner replaces the standard output of the whole process, to which the test's devices log meanwhile.
    structlog.configure(logger_factory=lambda *names: structlog.PrintLogger(sys.__stderr__))
    try:
        result = await asyncio.to_thread(runner.invoke, app, words, env={"COLUMNS": "100"})
    finally:
        structlog.configure(**logging_before)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Finished(result.exit_code, result.stdout, result.stderr)


class Vehicle:
    """A gateway's settings file, its state folder, and the gateway process that uses them."""

    def __init__(
        self,
        folder: Path,
        broker: Broker | None = None,
        *,
        more_settings: str = "",
    ) -> None:
        self.config = folder / "gateway.toml"
        self.state_dir = folder / "state"
        self.address = ("127.0.0.1", free_port())
        self.witness = folder / "witness"
        self.log = folder / "gateway.log"
        self.control_path = self.state_dir / "control.sock"
        self._process: asyncio.subprocess.Process | None = None
        mqtt = ""
        if broker is not None:
            password_file = broker.password_file("gw_test")
            mqtt = f'[mqtt]\nurl = "{broker.url}"\nusername = "gw_test"\npassword_file = "{password_file}"\n'
        self.config.write_text(
            f"""[gateway]
id = "gw_test"
tenant = "ten_test"
vehicle = "veh_test"
state_dir = "state"
[tcp]
listen = "127.0.0.1:{self.address[1]}"
[buffer]
witness_file = "witness"
{mqtt}{more_settings}"""
        )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def command(self, *arguments: str | Path) -> Finished:
        """Run `argus-gateway COMMAND ARGUMENTS` with this gateway's settings; the first argument is COMMAND."""
        command, *rest = arguments
        return await argus_gateway("--config", self.config, command, *rest)

    async def invoke(self, *arguments: str | Path) -> Finished:
        """Run a command with this gateway's settings in the test's process; see the function `invoke`."""
        return await invoke("--config", self.config, *arguments)

    async def provision(self) -> dict[str, Any]:
        finished = await self.invoke("provision", "--json")
        assert finished.code == 0, finished.err
        provisioned: dict[str, Any] = finished.json()
        return provisioned

    async def start(self, environment: dict[str, str] | None = None, program: Sequence[str] = (PROGRAM,)) -> None:
        """Start the gateway, which must not be running, and return when it responds.

        `environment` is added to the test's own; `program` replaces the console script `argus-gateway`.
        """
        assert self._process is None
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *program,
                "--config",
                str(self.config),
                "run",
                stdout=log,
                stderr=log,
                env={**os.environ, **(environment or {})},
            )
        await eventually(self._responds, what="the gateway answers")

    async def status(self) -> dict[str, Any]:
        return await query(self.control_path, "status")

    async def kill(self) -> None:
        """Kill the gateway (SIGKILL) and wait until the process has ended."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """Send the gateway SIGTERM and wait for its end; return the exit code."""
        return await self._end(signal.SIGTERM)

    @property
    def has_ended(self) -> bool:
        """Return whether the process has ended by itself."""
        return self._process is not None and self._process.returncode is not None

    async def ended(self) -> int:
        """Wait up to `WITHIN_S` for the process to end; return its exit code."""
        process, self._process = self._process, None
        assert process is not None
        return await asyncio.wait_for(process.wait(), WITHIN_S)

    async def _end(self, how: signal.Signals) -> int:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(how)
        return await self.ended()

    async def _responds(self) -> bool:
        assert self._process is not None
        assert self._process.returncode is None, self.log.read_text()
        try:
            return bool((await self.status())["running"])
        except ControlUnavailable:
            return False

    @property
    def running(self) -> bool:
        return self._process is not None


@asynccontextmanager
async def vehicle(folder: Path, broker: Broker | None = None, *, started: bool = True) -> AsyncIterator[Vehicle]:
    """Provision a gateway in `folder` and run it if `started`; kill it after the block."""
    async with provisioned_vehicle(Vehicle(folder, broker), started=started) as made:
        yield made


@asynccontextmanager
async def provisioned_vehicle(made: Vehicle, *, started: bool = True) -> AsyncIterator[Vehicle]:
    """Provision this gateway and run it if `started`; kill it after the block."""
    provisioned(load(made.config))
    if started:
        await made.start()
    try:
        yield made
    finally:
        if made.running:
            await made.kill()
