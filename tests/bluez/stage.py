"""The programs that the stories (the test cases) use inside the guest: D-Bus, bluetoothd, the radio, simulated devices
and the gateway.

The simulated radio is this kernel's Bluetooth adapter, and the gateway is the real one with its real command line. All
files are in one folder in memory; files that are needed after the run are also written to the results. bluetoothd runs
without systemd, so a story that kills it also restarts it, as systemd would.
"""

import asyncio
import json
import shutil
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from dbus_fast import BusType
from dbus_fast.aio import MessageBus

from gateway.cli.provision import provisioned
from gateway.settings import load
from simulators.ble.kinds import ble_address_of, ble_description_of
from tests.bluez.usb_adapter import UsbAdapter
from tests.harness.eventually import eventually
from tests.harness.gateway_process import Finished, Vehicle, argus_gateway
from tests.harness.radio_control import request

BLUETOOTHD = "/usr/libexec/bluetooth/bluetoothd"
UDEVD = "/usr/lib/systemd/systemd-udevd"
RULES = Path(__file__).parents[2] / "systemd" / "70-argus-serial.rules"
SERIAL_PORT = Path("/dev/argus/usb-1209-2a01-A10K3XYZ-00")
"""The serial port in the gateway's settings, under the name that the shipped udev rules give it. It is absent until
the adapter is plugged in."""
GENERIC_DRIVER = Path("/sys/bus/usb-serial/drivers/generic/new_id")
RESULTS = Path("/mnt")
PATIENCE_S = 60.0
"""Timeout of a wait. It is long, because the guest has only one processor."""
LOOK_EVERY_S = 0.5


class Device:
    """A simulated device in its own process. Its witness is a file of the measurements that it took and sent."""

    def __init__(self, stage: "Stage", kind: str, *options: str, unit: int = 1) -> None:
        self.kind = kind
        self.address = ble_address_of(kind, unit)
        self.system_id = ble_description_of(kind, unit).system_id.hex()
        self.witness = stage.folder / f"{kind}-{unit}.witness"
        self._log = RESULTS / f"{kind}-{unit}.log"
        self.bonds = stage.folder / f"{kind}-{unit}.bonds"
        self._argv = (
            str(Path(sys.executable).with_name("argus-sim")),
            *("ble", kind, "--unit", str(unit), "--radio", str(stage.radio_socket), "--witness", str(self.witness)),
            *("--memory", str(stage.folder / f"{kind}-{unit}.memory"), "--bonds", str(self.bonds), *options),
        )
        self._process: asyncio.subprocess.Process | None = None

    async def on(self) -> "Device":
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(*self._argv, stdout=log, stderr=log)
        return self

    async def off(self) -> None:
        """Kill the device's process, as if its battery were removed."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()

    def connections(self) -> int:
        """Return the number of connections to the device since boot; devices of the same kind and unit share the
        count."""
        return self._log.read_text(errors="replace").count("peripheral.connected")

    def told(self, *whats: str) -> list[str]:
        """Return the lines of the witness whose first word is one of `whats`, such as "notified" or "confirmed"."""
        lines = self.witness.read_text().splitlines() if self.witness.exists() else []
        return [line for line in lines if line.partition(" ")[0] in whats]


class Stage:
    """The running programs of one boot, which all test cases share.

    `observed` prints an observation, which must be a fact that a reader can check.
    """

    def __init__(self) -> None:
        self.folder = Path("/run/argus")
        self.radio_socket = self.folder / "radio"
        self._control = self.folder / "radio-control"
        self._daemons: dict[str, asyncio.subprocess.Process] = {}
        self._devices: list[Device] = []
        self.vehicle: Vehicle

    async def open(self) -> None:
        self.folder.mkdir(parents=True)
        await self._start("bluetoothd", BLUETOOTHD, "-n")
        await self._start(
            "radio", str(Path(sys.executable).with_name("argus-sim")), "ble", "radio",
            "--socket", str(self.radio_socket), "--control", str(self._control), "--vhci",
        )  # fmt: skip
        await eventually(self._powered, within_s=PATIENCE_S, poll_s=LOOK_EVERY_S, what="an adapter in BlueZ")
        self.vehicle = Vehicle(
            self.folder, more_settings=f'[[serial]]\npath = "{SERIAL_PORT}"\nframing = "hdlc"\n[ble]\n'
        )
        self.vehicle.log = RESULTS / "gateway.log"
        provisioned(load(self.vehicle.config))
        await self.vehicle.start()

    async def close(self) -> None:
        for device in self._devices:
            await device.off()
        if self.vehicle.running:
            await self.vehicle.stop()
        for process in self._daemons.values():
            with suppress(ProcessLookupError):
                process.kill()
        with suppress(OSError):
            shutil.copy(self.vehicle.config, RESULTS / "gateway.toml")

    def observed(self, sentence: str) -> None:
        print(f"    {sentence}", flush=True)

    async def device(self, kind: str, *options: str, unit: int = 1) -> Device:
        """Switch a simulated device on, and return it; `close` switches it off."""
        made = Device(self, kind, *options, unit=unit)
        self._devices.append(made)
        return await made.on()

    # The radio.

    async def mishap(self, question: str, **details: Any) -> None:
        await request(self._control, question, **details)

    # The stack.

    async def kill_bluetoothd(self) -> None:
        process = self._daemons.pop("bluetoothd")
        process.kill()
        await process.wait()

    async def start_bluetoothd(self) -> None:
        await self._start("bluetoothd", BLUETOOTHD, "-n")

    async def _start(self, name: str, *argv: str) -> None:
        with (RESULTS / f"{name}.log").open("ab") as log:
            self._daemons[name] = await asyncio.create_subprocess_exec(*argv, stdout=log, stderr=log)

    # Serial adapters.

    async def start_udev(self) -> None:
        """Start Debian's udevd with Debian's own rules and the shipped ones."""
        rules = Path("/run/udev/rules.d")
        rules.mkdir(parents=True)
        shutil.copy(RULES, rules)
        await self._start("udevd", UDEVD)
        await eventually(Path("/run/udev/control").exists, within_s=PATIENCE_S, what="udevd listens")

    async def udev_properties(self, node: Path) -> dict[str, str]:
        """Return udev's properties of a device node."""
        out = await self._output("udevadm", "info", "--query=property", f"--name={node}")
        return dict(line.split("=", 1) for line in out.splitlines() if "=" in line)

    async def may_open(self, node: Path, *, group: str) -> bool:
        """Return whether an unprivileged user whose only supplementary group is `group` may read and write the device
        node."""
        rights = ("setpriv", "--reuid=nobody", "--regid=nogroup", f"--groups={group}")
        process = await asyncio.create_subprocess_exec(*rights, "test", "-r", str(node), "-a", "-w", str(node))
        return await process.wait() == 0

    async def wired_device(self, kind: str, port: str) -> None:
        """Run a simulated 20601 agent at the device's end of a serial adapter."""
        program = str(Path(sys.executable).with_name("argus-sim"))
        await self._start(f"wired-{kind}", program, "agent", kind, "--serial", port)

    async def serves_serial_port(self, *, yes: bool = True) -> dict[str, Any]:
        """Wait until the gateway has an association on its serial port; with `yes` false, until it has no such
        association. Return the gateway's status."""

        async def so() -> dict[str, Any] | None:
            status = await self.vehicle.status()
            links = [each["link"] for each in status["sessions"] if each["device"] is not None]
            return status if (f"serial:{SERIAL_PORT}" in links) is yes else None

        what = f"the device on {SERIAL_PORT} is {'served' if yes else 'gone'}"
        return await eventually(so, within_s=PATIENCE_S, poll_s=LOOK_EVERY_S, what=what)

    def claim_for_generic_driver(self, adapter: UsbAdapter) -> None:
        """Assign the adapter's vendor and product id to the kernel's generic serial driver, since no other driver knows
        them."""
        GENERIC_DRIVER.write_text(f"{adapter.vendor_id:04x} {adapter.product_id:04x}")

    async def _output(self, *argv: str) -> str:
        process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        assert process.returncode == 0, argv
        return out.decode()

    async def _powered(self) -> bool:
        """Return whether BlueZ has an adapter. The adapter need not be powered, since the gateway powers it."""
        for process in self._daemons.values():
            assert process.returncode is None
        with suppress(Exception):  # the daemon is starting
            bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
            try:
                await bus.introspect("org.bluez", "/org/bluez/hci0", timeout=2.0)
            finally:
                bus.disconnect()
            return True
        return False

    # The gateway.

    async def ble(self, command: str, *arguments: str) -> Finished:
        """Run `argus-gateway ble COMMAND …` with the settings of this gateway, and return its result."""
        return await argus_gateway("--config", self.vehicle.config, "ble", command, *arguments)

    async def pair(self, device: Device, *options: str) -> None:
        """Pair a device by `argus-gateway ble pair --yes`, which needs no reply of a person; fail if
        the command fails."""
        done = await self.ble("pair", device.address, "--yes", "--json", *options)
        assert done.code == 0, done.err

    async def heard(self, device: Device) -> dict[str, Any]:
        """Wait until a scan of the gateway finds the device; return the device's row of `ble scan`."""

        async def row() -> dict[str, Any] | None:
            done = await self.ble("scan", "--json", "--for", "2")
            return next((each for each in done.json_lines() if each["address"] == device.address), None)

        return await eventually(row, within_s=PATIENCE_S, poll_s=LOOK_EVERY_S, what=f"the gateway hears {device.kind}")

    async def listed(self, device: Device) -> dict[str, Any]:
        """Return the device's row of `ble list`; the device must be paired."""
        done = await self.ble("list", "--json")
        assert done.code == 0, done.err
        return next(each for each in done.json_lines() if each["address"] == device.address)

    async def rows(self, device: Device) -> list[dict[str, Any]]:
        """Return every observation of the device in the gateway's store."""
        done = await argus_gateway(
            "--config", self.vehicle.config, "observations", "--json", "--device", device.system_id
        )
        assert done.code == 0, done.err
        return [json.loads(line) for line in done.out.splitlines()]

    async def readings(self, device: Device, more_than: int = 0, of: str | None = None) -> list[dict[str, Any]]:
        """Wait until the gateway's store has more than `more_than` observations of the device, of type `of` if given;
        return them."""

        async def enough() -> list[dict[str, Any]]:
            rows = [row for row in await self.rows(device) if of is None or row["type"] == of]
            return rows if len(rows) > more_than else []

        what = f"more than {more_than} observations of the {device.kind}"
        return await eventually(enough, within_s=PATIENCE_S, poll_s=LOOK_EVERY_S, what=what)

    async def connected(self, device: Device, *, yes: bool = True) -> dict[str, Any]:
        """Wait until the gateway is connected to the device; with `yes` false, until it is disconnected. Return the
        device's row of `ble list`."""

        async def so() -> dict[str, Any] | None:
            row = await self.listed(device)
            return row if bool(row["connected"]) is yes else None

        what = f"the {device.kind} is {'connected' if yes else 'gone'}"
        return await eventually(so, within_s=PATIENCE_S, poll_s=LOOK_EVERY_S, what=what)


def twice(rows: list[dict[str, Any]]) -> list[Any]:
    """Return (epoch, lane, sequence, index) of each observation that appears more than once."""
    seen = Counter((row["epoch"], row["lane"], row["sequence"], row["index"]) for row in rows)
    return [key for key, count in seen.items() if count > 1]
