"""The devices that this gateway has met: who they are, and the configurations that they once explained to us.

A configuration is asked for once; at the next association, of this run or a later one, the device is accepted at once
(manager row 2.9). The core needs the answer while it decides, without waiting, so the roster is in memory, loaded
at start; what was learned is made durable by the session that learned it. Losing one costs a question, never a
measurement.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from protocols.ieee11073.association.configurations import RememberedConfigurations

DEVICES_MAX = 256
"""Devices remembered in memory; a vehicle meets some dozens in its life. The least recently met is forgotten first."""

TOLD_EVERY_US = 60_000_000
"""How far behind the durable "last seen" of a device may be."""


@dataclass(slots=True)
class KnownDevice:
    """`system_id` in lower-case hex. Names are as the device gave them; empty while it has not."""

    system_id: str
    model: str = ""
    manufacturer: str = ""
    serial_number: str = ""
    last_seen_us: int | None = None


class Roster(RememberedConfigurations):
    """In memory, for one event loop. Is the core's `ConfigurationStore`; what it doubts stays in the file until the
    device has explained itself anew, so a restart meanwhile only asks once more."""

    def __init__(self) -> None:
        super().__init__()
        self._met: OrderedDict[str, KnownDevice] = OrderedDict()
        self._told: dict[str, tuple[str, int]] = {}

    def load(self, configurations: Iterable[tuple[bytes, int, bytes]], devices: Iterable[KnownDevice]) -> None:
        """What was durable when the gateway started."""
        for system_id, config_id, octets in configurations:
            self.remember(system_id, config_id, octets)
        for device in devices:
            self.met(device)

    def met(self, device: KnownDevice) -> bool:
        """Whether the store should be told: of a new device, of a new name, and of its presence once a minute. A device
        that comes and goes all the time must not turn into as many writes to the disk."""
        self._met[device.system_id] = device
        self._met.move_to_end(device.system_id)
        while len(self._met) > DEVICES_MAX:
            self._told.pop(self._met.popitem(last=False)[0], None)
        model, seen_us = self._told.get(device.system_id, (None, 0))
        now_us = device.last_seen_us or 0
        if device.model == model and abs(now_us - seen_us) < TOLD_EVERY_US:
            return False
        self._told[device.system_id] = (device.model, now_us)
        return True

    def device(self, system_id: str) -> KnownDevice:
        """The device, new ones without a name."""
        return self._met.get(system_id) or KnownDevice(system_id)

    def devices(self) -> list[KnownDevice]:
        """Most recently met last."""
        return list(self._met.values())
