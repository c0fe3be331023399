"""The devices that this gateway knows: their identity, and the configurations that they once sent.

A device sends its configuration once; at its next association, in this run or a later one, the manager accepts the
device at once (20601 manager state table, row 2.9). The association core needs the configuration while it decides, so
the roster is in memory, loaded at start. A lost configuration is requested again.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.sessions.devices.link_class import LinkClass
from protocols.ieee11073.association.configurations import RememberedConfigurations

DEVICES_MAX = 256
"""Maximum number of devices in memory; a vehicle meets some dozens in its life. The unverified device that was met
longest ago is dropped first, so that invented ids replace only each other."""

STORE_EVERY_US = 60_000_000
"""Longest lag of the stored time at which a device was last seen."""


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A known device. Names are as the device reported them, and empty before that. `link_class`: strongest class of
    link over which the device was known. `accepted_us`: time at which an operator accepted the device over a link that
    proves nothing, or None."""

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
    """Known devices and their configurations, in memory. The association core uses the roster as its
    `ConfigurationStore`. When the core discards a configuration, the stored copy remains until the device has resent
    the configuration. A restart before that only causes another request."""

    def __init__(self) -> None:
        super().__init__()
        self._met: OrderedDict[str, KnownDevice] = OrderedDict()
        self._stored: dict[str, tuple[object, int]] = {}

    def load(self, configurations: Iterable[tuple[bytes, int, bytes]], devices: Iterable[KnownDevice]) -> None:
        """Load the configurations and devices that were durable when the gateway started."""
        for device in devices:
            self.met(device)
        for system_id, config_id, configuration in configurations:
            self.remember(system_id, config_id, configuration)

    def met(self, device: KnownDevice) -> bool:
        """Add a device that has connected. Return whether the caller must store the device: at once if the device, its
        model, class of link or acceptance is new, otherwise once a minute. So a device that reconnects all the time
        causes few writes."""
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
        is_forgotten = device.system_id not in self._met  # verified devices fill the map
        if is_forgotten or (said == known and abs(now_us - seen_us) < STORE_EVERY_US):
            return False
        self._stored[device.system_id] = (said, now_us)
        return True

    def device(self, system_id: str) -> KnownDevice:
        """Return the device with this system id; for an unknown id, a device without names."""
        return self._met.get(system_id) or KnownDevice(system_id)

    def is_verified(self, system_id: str) -> bool:
        return self.device(system_id).is_verified

    def _least_wanted(self) -> bytes:
        unverified = (each for each in self._devices if not self.is_verified(each.hex()))
        return next(unverified, None) or super()._least_wanted()

    def devices(self) -> list[KnownDevice]:
        """Return the known devices in the order of their latest contact, the most recent last."""
        return list(self._met.values())
