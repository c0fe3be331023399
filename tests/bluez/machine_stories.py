"""Stories (test cases) about the vehicle's computer: the state of the kernel's clock, and udev's names for a serial
adapter.

The shipped udev rules run in a real udevd, for a USB adapter that the guest's kernel enumerates; see `usb_adapter`.
"""

import grp
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.bluez.kernel_clock import discipline
from tests.bluez.stage import LOOK_EVERY_S, PATIENCE_S, SERIAL_PORT, Stage
from tests.bluez.usb_adapter import UsbAdapter
from tests.harness.eventually import eventually

MONITOR = UsbAdapter("monitor", "acm", 0, 0x1209, 0x2A01, "A10K3XYZ")
CHEAP = UsbAdapter("cheap", "gser", 1, 0x1209, 0x2A02)
LINKS = Path("/dev/argus")


async def read_kernel_clock(stage: Stage) -> None:
    """The gateway reports a synchronised clock only while a time service disciplines the kernel's clock."""

    async def synchronised() -> bool:
        return bool((await stage.vehicle.status())["clock"]["synchronised"])

    assert not await synchronised()
    discipline(True)
    await eventually(synchronised, within_s=PATIENCE_S, poll_s=LOOK_EVERY_S, what="the gateway's clock is synchronised")
    discipline(False)

    async def lost() -> bool:
        return not await synchronised()

    await eventually(lost, within_s=PATIENCE_S, poll_s=LOOK_EVERY_S, what="the gateway's clock is unsynchronised again")
    stage.observed("status: not synchronised at boot, then synchronised, then not")


async def name_adapter_with_serial_number(stage: Stage) -> None:
    """udev applies the shipped rules (names, group, mode), and the gateway connects to the adapter's device."""
    await stage.start_udev()
    MONITOR.make()
    MONITOR.plug_in()
    own = await _link(SERIAL_PORT.name)
    place = await _link("port-*")
    node = own.resolve()
    assert place.resolve() == node
    about = node.stat()
    assert grp.getgrgid(about.st_gid).gr_name == "dialout"
    assert stat.S_IMODE(about.st_mode) == 0o660
    properties = await stage.udev_properties(node)
    assert properties["ID_MM_DEVICE_IGNORE"] == properties["ID_MM_PORT_IGNORE"] == "1"
    assert not await stage.may_open(node, group="nogroup")
    assert await stage.may_open(node, group="dialout")
    stage.observed(f"{node}: {own.name} and {place.name}, root:dialout 0660, kept from modem managers")
    await stage.wired_device("defibrillator", MONITOR.device_end)
    await stage.serves_serial_port()
    stage.observed(f"the gateway serves {own}")


async def name_adapter_without_serial_number(stage: Stage) -> None:
    """An adapter without a serial number gets only a name for its USB socket."""
    CHEAP.make()
    stage.claim_for_generic_driver(CHEAP)
    before = set(LINKS.iterdir())
    CHEAP.plug_in()

    async def more() -> set[Path]:
        return set(LINKS.iterdir()) - before

    (name,) = await eventually(more, within_s=PATIENCE_S, poll_s=LOOK_EVERY_S, what="a name for the second adapter")
    node = name.resolve()
    assert node.name.startswith("ttyUSB")
    assert name.name.startswith("port-")
    assert grp.getgrgid(node.stat().st_gid).gr_name == "dialout"
    assert stat.S_IMODE(node.stat().st_mode) == 0o660
    CHEAP.pull_out()
    stage.observed(f"{node}: {name.name}")


async def unplug_adapter(stage: Stage) -> None:
    """The names of an adapter disappear and return with it, and the gateway reconnects without a restart."""
    own = await _link(SERIAL_PORT.name)
    MONITOR.pull_out()
    await eventually(lambda: not own.is_symlink(), within_s=PATIENCE_S, what="the name is gone")
    await stage.serves_serial_port(yes=False)
    MONITOR.plug_in()
    await _link(own.name)
    await stage.serves_serial_port()
    stage.observed(f"{own.name} was gone and is back, and its device is served")


async def _link(pattern: str) -> Path:
    """Wait until udev has made exactly one name that matches this pattern in /dev/argus; return its path."""

    def found() -> list[Path]:
        return list(LINKS.glob(pattern))

    links = await eventually(found, within_s=PATIENCE_S, what=f"/dev/argus/{pattern}")
    (link,) = links
    return link


MACHINE_STORIES: tuple[Callable[[Stage], Awaitable[None]], ...] = (
    read_kernel_clock,
    name_adapter_with_serial_number,
    name_adapter_without_serial_number,
    unplug_adapter,
)
