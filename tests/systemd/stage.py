"""The environment of the stories (test cases): the container, the installed product, and simulated devices.

The product is installed by the guide's commands. The settings are the shipped examples. Their host names resolve to the
container itself. The few values that two services on one machine cannot share are replaced.
"""

import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.harness.eventually import eventually
from tests.systemd.container import CommandFailed, Container, Finished
from tests.systemd.debian import PROJECT, debian_root, wheels
from tests.systemd.guide import commands

GATEWAY, CLOUD, BROKER = "argus-gateway", "argus-cloud", "mosquitto"
OURS = (GATEWAY, CLOUD)
RELEASE = "/usr/src/argus"
"""The folder in which the operator unpacked the release."""
WHEELS = "/usr/src/wheels"
SERIAL_LINE, DEVICE_END = "/dev/serial/by-id/usb-defibrillator", "/dev/argus-device-end"
"""The port that the example settings name, and the other end of its cable."""
TCP_LINK = "127.0.0.1:6024"
CREW_PAGE = "127.0.0.1:8081"
HOST_NAMES = ("broker.example.org", "auth.example.org", "api.example.org")
GUIDE_S_MAX = 180.0
"""Timeout of one block of the guide's commands; pip takes longest on a loaded machine."""
PATIENCE_S = 30.0
RECONNECT_S_MAX = 90.0
"""Timeout of a reconnection. A refused gateway waits longer before each attempt, up to a minute."""
LOOK_EVERY_S = 0.3
"""Pause between two polls, each of which starts a program in the container."""
_RELEASED = (
    "pyproject.toml",
    "README.md",
    "requirements",
    "cloud",
    "docs",
    "gateway",
    "protocols",
    "simulators",
    "systemd",
)


class Stage:
    """One installation on one machine, which all test cases share, from the first boot to the last power cut."""

    def __init__(self) -> None:
        self.box: Container
        self.provisioned: dict[str, Any] = {}

    async def open(self) -> None:
        root, packages = debian_root(_say), wheels(_say)
        self.box = Container(root)
        shutil.copytree(packages, self.box.path(WHEELS))
        for name in _RELEASED:
            source, target = PROJECT / name, self.box.path(RELEASE) / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
            else:
                shutil.copy(source, target)
        self.box.write("/etc/hosts", f"127.0.0.1 localhost {' '.join(HOST_NAMES)}\n")
        self.observed(f"booted, systemd says {await self.box.boot()}")

    async def close(self) -> None:
        await self.box.close()

    def observed(self, sentence: str) -> None:
        """Print an observation; it must be a fact that a reader can check."""
        print(f"    {sentence}", flush=True)

    # The guide.

    async def follow_guide(self, heading: str, block: int | None = None, *, any_code: bool = False) -> str:
        """Run the commands of a section in the guide, or only the commands of block number `block`, and return their
        output.

        The commands run as root in the folder of the release; pip installs from the folder of wheels.
        """
        blocks = commands(heading)
        out = ""
        for script in blocks if block is None else [blocks[block]]:
            before = f"set -e; cd {RELEASE}; export PIP_NO_INDEX=1 PIP_FIND_LINKS={WHEELS}\n"
            out += (await self.box.run("bash", "-c", before + script, within_s=GUIDE_S_MAX, any_code=any_code)).out
        return out

    async def installed_mb(self) -> int:
        """Return the size of the folder in which the product and its packages are installed."""
        return int((await self.box.run("du", "-sm", "/opt/argus")).out.split()[0])

    # Units.

    async def property_of(self, unit: str, name: str) -> str:
        return (await self.box.run("systemctl", "show", "--value", "-p", name, unit)).out.strip()

    async def main_pid(self, unit: str) -> int:
        """Return the process id of the unit's main process, or 0 if there is none."""
        return int(await self.property_of(unit, "MainPID"))

    async def start(self, unit: str) -> None:
        """Enable and start the unit by the guide's command, which returns once the unit has reported that it is
        ready."""
        try:
            await self.box.run("systemctl", "enable", "--now", unit, within_s=150)
        except CommandFailed as error:
            raise CommandFailed(f"{error}\n{await self.log_of(unit)}") from None

    async def signal(self, unit: str, name: str) -> int:
        """Wait until the unit is active, send a signal to its main process, and return the process id."""
        pid = await self.active(unit)
        await self.box.run("systemctl", "kill", "--kill-whom=main", f"--signal={name}", unit)
        return pid

    async def active(self, unit: str, *, other_than: int = 0) -> int:
        """Wait until the unit is active with a main process whose id is not `other_than`; return the process id."""

        async def so() -> int:
            pid = await self.main_pid(unit)
            return pid if pid != other_than and await self.property_of(unit, "ActiveState") == "active" else 0

        try:
            return await eventually(so, within_s=PATIENCE_S, poll_s=LOOK_EVERY_S, what=f"{unit} is active")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{await self.log_of(unit)}") from None

    async def drop_in(self, unit: str, name: str, *lines: str) -> None:
        """Write these lines into the drop-in file `name` of the unit, as `systemctl edit` does; without lines, remove
        the file."""
        path = self.box.path(f"/etc/systemd/system/{unit}.service.d/{name}.conf")
        if lines:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(("[Service]", *lines)) + "\n")
        else:
            path.unlink()
        await self.box.run("systemctl", "daemon-reload")

    async def log_of(self, unit: str, *, last: int = 40) -> str:
        return (await self.box.run("journalctl", "--no-pager", "-o", "cat", "-n", str(last), "-u", unit)).out

    async def log_holds(self, unit: str, pattern: str) -> str:
        """Wait until a line of the unit's log matches the regular expression; return the last such line."""

        async def line() -> str:
            found = re.findall(rf"^.*{pattern}.*$", await self.log_of(unit, last=400), re.MULTILINE)
            return found[-1] if found else ""

        return await eventually(line, within_s=PATIENCE_S, poll_s=LOOK_EVERY_S, what=f"{pattern} in the log of {unit}")

    # The product's own commands.

    async def gateway(self, *words: str, any_code: bool = False) -> Finished:
        """Run `argus-gateway …` as the user argus."""
        program = "/opt/argus/bin/argus-gateway"
        return await self.box.run("runuser", "-u", "argus", "--", program, *words, any_code=any_code)

    async def cloud(self, *words: str, any_code: bool = False) -> Finished:
        """Run `argus-cloud …` as the user argus-cloud."""
        program = "/opt/argus/bin/argus-cloud"
        return await self.box.run("runuser", "-u", "argus-cloud", "--", program, *words, any_code=any_code)

    async def status(self) -> dict[str, Any]:
        """Return the status that the running gateway reports."""
        status: dict[str, Any] = json.loads((await self.gateway("status", "--json")).out)
        assert status["running"], "the gateway runs"
        return status

    async def reach_cloud(self, *lanes: str, more_than: dict[str, int] | None = None) -> dict[str, int]:
        """Wait until, in each of these lanes, the cloud has acknowledged a batch with a sequence number above the
        lane's number in `more_than` (by default 0). Return the acknowledged sequence number of every lane."""
        before = more_than or {}

        async def acknowledged() -> dict[str, int]:
            marks = {lane: int(mark["acked"]) for lane, mark in (await self.status())["lanes"].items()}
            return marks if all(marks[lane] > before.get(lane, 0) for lane in lanes) else {}

        what = f"more than {before or 0} acknowledged in {', '.join(lanes)}"
        return await eventually(acknowledged, within_s=PATIENCE_S, poll_s=LOOK_EVERY_S, what=what)

    async def connected_to_broker(self, *, yes: bool = True) -> None:
        """Wait until the gateway is connected to the broker, or until it is disconnected if `yes` is false."""

        async def so() -> bool:
            return bool((await self.status())["uplink"]["connected"]) is yes

        what = f"the gateway is {'connected' if yes else 'disconnected'}"
        await eventually(so, within_s=RECONNECT_S_MAX, poll_s=LOOK_EVERY_S, what=what)

    # What surrounds the product.

    async def background(self, name: str, *command: str) -> None:
        """Run a program as a transient unit, so that it is restarted when it fails and ends with the container."""
        await self.box.run(
            "systemd-run", "--quiet", "--collect", f"--unit={name}", "--property=Restart=always", *command
        )

    async def plug_in_devices(self) -> None:
        """Run a simulated defibrillator on a serial line, and a simulated oximeter on the vehicle's network."""
        folders = f"mkdir -p {Path(SERIAL_LINE).parent}"
        line = f"socat pty,link={SERIAL_LINE},group=dialout,mode=660,raw,echo=0 pty,link={DEVICE_END},raw,echo=0"
        await self.background("serial-line", "sh", "-c", f"{folders}; exec {line}")
        program = "/opt/argus/bin/argus-sim"
        await self.background("defibrillator", program, "agent", "defibrillator", "--serial", DEVICE_END)
        await self.background("oximeter", program, "agent", "oximeter", "--tcp", TCP_LINK)

    async def admit_vehicle(self) -> None:
        """Register the tenant, the vehicle and the gateway of the example settings, and give the gateway its
        certificate."""
        names = "--tenant tnt_example --organization org_example"
        self.provisioned = json.loads((await self.gateway("provision", "--json")).out)
        lines = (
            "tenants add --id tnt_example --name Example",
            "organizations add --tenant tnt_example --id org_example --name Example",
            f"vehicles add {names} --id veh_example --name Example",
            f"gateways add {names} --vehicle veh_example --id gw_example --public-key {self.provisioned['public_key']}",
        )
        self.box.write("/etc/argus/fleet.batch", "\n".join(lines) + "\n")
        await self.cloud("batch", "/etc/argus/fleet.batch")
        identity, carried = "/var/lib/argus/identity", "/var/lib/argus-cloud/carried"
        await self.box.run("install", "-d", "-o", "argus-cloud", carried)
        await self.box.run("install", "-m", "0644", f"{identity}/client.csr", carried)
        files = ("--request", f"{carried}/client.csr", "--out", f"{carried}/client.crt")
        await self.cloud("broker", "certificate", "--tenant", "tnt_example", "--gateway", "gw_example", *files)
        await self.box.run("install", "-o", "argus", "-m", "0600", f"{carried}/client.crt", identity)

    def change_settings(self, file: str, replaced: Iterable[tuple[str, str]]) -> None:
        """Replace texts in a settings file. Each of `replaced` is (text, replacement); the text must occur exactly
        once."""
        path = self.box.path(f"/etc/argus/{file}")
        text = path.read_text()
        for old, new in replaced:
            assert text.count(old) == 1, f"{file} has {old!r} {text.count(old)} times"
            text = text.replace(old, new)
        path.write_text(text)


def _say(sentence: str) -> None:
    print(sentence, flush=True)
