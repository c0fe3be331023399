"""List the serial ports of this machine, with all their names and their USB adapters.

pyserial finds the ports and reads their USB data from sysfs; the stable names are links that udev makes. No port is
opened: opening changes the modem lines, which some devices take for an unplugged cable.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from serial.tools import list_ports

_LINK_FOLDERS = ("serial/by-id", "serial/by-path", "argus")
"""Folders of links below /dev. The first two are systemd's own, the third is made by systemd/70-argus-serial.rules."""
_NAMES_MAX = 1_000
"""Maximum of links that are read in one folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """The USB adapter of a port, as it identifies itself. Ids are four hexadecimal digits, as udev writes them."""

    vendor_id: str
    product_id: str
    vendor: str | None
    product: str | None
    serial_number: str | None
    location: str | None
    """The socket that it is plugged into, as the kernel counts: bus-port.port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPort:
    """One serial port. `node`: its device node, such as /dev/ttyUSB0. `names`: the stable links to the node."""

    node: str
    names: tuple[str, ...]
    adapter: Adapter | None


def found_ports(dev: Path = Path("/dev"), besides: Iterable[str] = ()) -> list[FoundPort]:
    """Return all serial ports, sorted by node. `besides`: further nodes to list if they exist (pseudo-terminals)."""
    adapters = {os.path.realpath(each.device): _adapter(each) for each in list_ports.comports()}
    names = _names(dev)
    nodes = sorted({*adapters, *(each for each in besides if os.path.exists(each))}, key=_in_order)
    return [
        FoundPort(node=node, names=tuple(sorted(names.get(node, ()))), adapter=adapters.get(node)) for node in nodes
    ]


def _names(dev: Path) -> dict[str, list[str]]:
    """Return a map of device nodes to the udev links below `dev` that point to them."""
    found: dict[str, list[str]] = {}
    for folder in _LINK_FOLDERS:
        try:
            links = sorted((dev / folder).iterdir())[:_NAMES_MAX]
        except OSError:  # no such adapter is plugged in, or no such rule installed
            continue
        for link in links:
            found.setdefault(os.path.realpath(link), []).append(str(link))
    return found


def _adapter(port: object) -> Adapter | None:
    vendor_id, product_id = getattr(port, "vid", None), getattr(port, "pid", None)
    if vendor_id is None or product_id is None:
        return None
    return Adapter(
        vendor_id=f"{vendor_id:04x}",
        product_id=f"{product_id:04x}",
        vendor=getattr(port, "manufacturer", None),
        product=getattr(port, "product", None),
        serial_number=getattr(port, "serial_number", None),
        location=getattr(port, "location", None),
    )


def _in_order(node: str) -> tuple[str, int]:
    """Return a sort key that puts ttyUSB2 before ttyUSB10."""
    name = node.rstrip("0123456789")
    return name, int(node[len(name) :] or 0)
