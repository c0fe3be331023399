"""A vehicle with Bluetooth, as processes: a radio, a gateway that uses it, and a person who types `argus-gateway ble`
commands.

The Bluetooth devices run in the test's own process on the same radio, so killing the gateway leaves them running.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.transports.clock import SystemClock
from simulators.ble.assembly import build_peripheral
from simulators.ble.behaviour import BleBehaviour
from simulators.ble.peripheral import Peripheral, PeripheralOptions
from simulators.physiology.patient import Patient
from simulators.scenarios import scenario_of
from tests.harness.eventually import WITHIN_S, eventually
from tests.harness.gateway_process import PROGRAM, Finished, Vehicle, provisioned_vehicle
from tests.harness.radio_control import is_responding


@asynccontextmanager
async def radio_process(folder: Path) -> AsyncIterator[Path]:
    """Run a virtual radio as a process; yield the path of the socket that gateways and devices connect to."""
    socket, control = folder / "radio.sock", folder / "radio-control.sock"
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("argus-sim")),
        *("ble", "radio", "--socket", str(socket), "--control", str(control)),
    )

    async def responds() -> bool:
        assert process.returncode is None, "the radio has ended"
        return await is_responding(control)

    try:
        await eventually(responds, what="the radio responds")
        yield socket
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@asynccontextmanager
async def ble_vehicle(
    folder: Path, radio: Path, *, started: bool = True, more_settings: str = ""
) -> AsyncIterator[Vehicle]:
    """Provision a gateway whose Bluetooth adapter is the virtual radio at the socket `radio`; run it if `started`."""
    made = Vehicle(folder, more_settings=f'[ble]\nadapter = "{radio}"\n{more_settings}')
    stack = 'ble_backend = "simulators.ble.backend:VirtualRadio"\n'
    made.config.write_text(stack + made.config.read_text())
    async with provisioned_vehicle(made, started=started):
        yield made


@asynccontextmanager
async def on_air(
    radio: Path, kind: str = "oximeter", *, unit: int = 1, behaviour: BleBehaviour | None = None
) -> AsyncIterator[Peripheral]:
    """Run a simulated device of this kind on the radio; yield it once it is on air, and stop it after the block."""
    made = build_peripheral(
        kind,
        Patient(7, scenario_of("stable")),
        radio,
        SystemClock(),
        options=PeripheralOptions(behaviour=behaviour or BleBehaviour()),
        unit=unit,
    )
    running = asyncio.create_task(made.run())
    try:
        await eventually(lambda: made.status.on_air)
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


class AtTheConsole:
    """A running command, and a person who types into its standard input. `shown` is all output read so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.shown = ""

    async def until_shown(self, text: str) -> None:
        """Read the output until it contains `text`; fail after `WITHIN_S` or when the output ends."""
        assert self._process.stdout is not None
        async with asyncio.timeout(WITHIN_S):
            while text not in self.shown:
                octets = await self._process.stdout.read(1024)
                assert octets, f"it ended without {text!r}: {self.shown}"
                self.shown += octets.decode()

    def type(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())

    def hang_up(self) -> None:
        """Kill the command, as if its terminal had been closed."""
        self._process.kill()

    async def end(self) -> Finished:
        out, err = await self._process.communicate()
        assert self._process.returncode is not None
        return Finished(self._process.returncode, self.shown + out.decode(), err.decode())


async def at_the_console(made: Vehicle, *arguments: str) -> AtTheConsole:
    """Start `argus-gateway ble ARGUMENTS`; a test types into the returned object as a person at the keyboard."""
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        "--config",
        str(made.config),
        "ble",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "COLUMNS": "110", "PYTHONUNBUFFERED": "1"},
    )
    return AtTheConsole(process)


async def ble(made: Vehicle, *arguments: str) -> Finished:
    """Run `argus-gateway ble ARGUMENTS` without input until it ends; return its exit code and output."""
    console = await at_the_console(made, *arguments)
    return await console.end()
