"""The devices that this gateway has met: who they are, and the configurations that they once explained to us.

A configuration is asked for once; at the next association, of this run or a later one, the device is accepted at once
(manager row 2.9). The core needs the answer while it decides, without waiting, so the roster is in memory, loaded
at start; what was learned is made durable by the session that learned it. Losing one costs a question, never a
measurement.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

DEVICES_MAX = 256
"""Devices remembered in memory; a vehicle meets some dozens in its life. The least recently met is forgotten first."""
CONFIGURATIONS_MAX = 8
"""Configurations kept of one device: a device offers a few, and a new firmware a few more."""


@dataclass(slots=True)
class KnownDevice:
    """`system_id` in lower-case hex. Names are as the device gave them; empty while it has not."""

    system_id: str
    model: str = ""
    manufacturer: str = ""
    serial_number: str = ""
    last_seen_us: int | None = None


class Roster:
    """In memory, for one event loop. Is the core's `ConfigurationStore`."""

    def __init__(self) -> None:
        self._configurations: OrderedDict[bytes, OrderedDict[int, bytes]] = OrderedDict()
        self._devices: OrderedDict[str, KnownDevice] = OrderedDict()

    def load(self, configurations: Iterable[tuple[bytes, int, bytes]], devices: Iterable[KnownDevice]) -> None:
        """What was durable when the gateway started."""
        for system_id, config_id, octets in configurations:
            self.remember(system_id, config_id, octets)
        for device in devices:
            self.met(device)

    def find(self, system_id: bytes, config_id: int) -> bytes | None:
        """The encoded ConfigObjectList that this device sent under this id, None if it never did."""
        known = self._configurations.get(system_id)
        return None if known is None else known.get(config_id)

    def remember(self, system_id: bytes, config_id: int, octets: bytes) -> None:
        known = self._configurations.setdefault(system_id, OrderedDict())
        known[config_id] = octets
        known.move_to_end(config_id)
        self._configurations.move_to_end(system_id)
        while len(known) > CONFIGURATIONS_MAX:
            known.popitem(last=False)
        while len(self._configurations) > DEVICES_MAX:
            self._configurations.popitem(last=False)

    def met(self, device: KnownDevice) -> None:
        self._devices[device.system_id] = device
        self._devices.move_to_end(device.system_id)
        while len(self._devices) > DEVICES_MAX:
            self._devices.popitem(last=False)

    def device(self, system_id: str) -> KnownDevice:
        """The device, new ones without a name."""
        return self._devices.get(system_id) or KnownDevice(system_id)

    def devices(self) -> list[KnownDevice]:
        """Most recently met last."""
        return list(self._devices.values())
