"""The devices that this gateway knows: their identity, and the configurations that they once sent.

A configuration is requested once; at the next association, of this run or a later one, the device is accepted at once
(manager row 2.9). The core needs it at once while it decides, so the roster is in memory, loaded at start. The session
that learned a configuration makes it durable. Losing one costs a request, never a measurement.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.sessions.devices.link_class import LinkClass
from protocols.ieee11073.association.configurations import RememberedConfigurations

DEVICES_MAX = 256
"""Maximum of devices remembered in memory; a vehicle meets some dozens in its life. The least recently met unverified
one is dropped first, so that invented ids replace each other and no device of the vehicle."""

STORE_EVERY_US = 60_000_000
"""The longest lag of the durable "last seen" of a device."""


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A known device. `system_id` in lower-case hex. Names are as the device gave them; empty while it has not.
    `link_class` is the strongest by which it was known, `accepted_us` when an operator accepted it over a link that
    proves nothing."""

    system_id: str
    model: str = ""
    manufacturer: str = ""
    serial_number: str = ""
    last_seen_us: int | None = None
    link_class: LinkClass = LinkClass.UNKNOWN
    accepted_us: int | None = None

    def allows(self, link_class: LinkClass) -> bool:
        """Return whether a link of this class may claim the device's id."""
        return link_class.rank >= self.link_class.rank or self.accepted_us is not None

    @property
    def is_verified(self) -> bool:
        """True when a cable, a pairing or an operator confirms the id."""
        return self.accepted_us is not None or self.link_class.proves_device or self.link_class is LinkClass.PAIRED


class Roster(RememberedConfigurations):
    """The roster in memory, for one event loop. It is the core's `ConfigurationStore`. A configuration that the core
    doubts stays in the file until the device has sent it again, so a restart meanwhile only costs another query."""

    def __init__(self) -> None:
        super().__init__()
        self._met: OrderedDict[str, KnownDevice] = OrderedDict()
        self._stored: dict[str, tuple[object, int]] = {}

    def load(self, configurations: Iterable[tuple[bytes, int, bytes]], devices: Iterable[KnownDevice]) -> None:
        """Load what was durable when the gateway started."""
        for device in devices:
            self.met(device)
        for system_id, config_id, configuration in configurations:
            self.remember(system_id, config_id, configuration)

    def met(self, device: KnownDevice) -> bool:
        """Add a device that was met. Return whether the store should record it: a new device, a new name or class, and
        its presence once a minute. A device that connects and disconnects all the time must not cause as many writes to
        the disk."""
        self._met[device.system_id] = device
        self._met.move_to_end(device.system_id)
        while len(self._met) > DEVICES_MAX:
            unverified = (each.system_id for each in self._met.values() if not each.is_verified)
            gone = next(unverified, None) or next(iter(self._met))
            del self._met[gone]
            self._stored.pop(gone, None)
        said = (device.model, device.link_class, device.accepted_us)
        known, seen_us = self._stored.get(device.system_id, (None, 0))
        now_us = device.last_seen_us or 0
        is_forgotten = device.system_id not in self._met  # verified devices hold all places
        if is_forgotten or (said == known and abs(now_us - seen_us) < STORE_EVERY_US):
            return False
        self._stored[device.system_id] = (said, now_us)
        return True

    def device(self, system_id: str) -> KnownDevice:
        """Return the device; a new one has no name."""
        return self._met.get(system_id) or KnownDevice(system_id)

    def is_verified(self, system_id: str) -> bool:
        """Return whether a cable, a pairing or an operator confirms this id."""
        return self.device(system_id).is_verified

    def _least_wanted(self) -> bytes:
        unverified = (each for each in self._devices if not self.is_verified(each.hex()))
        return next(unverified, None) or super()._least_wanted()

    def devices(self) -> list[KnownDevice]:
        """Return the devices, most recently met last."""
        return list(self._met.values())
