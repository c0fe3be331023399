"""Store of the configurations that devices sent in earlier associations. It is in memory and synchronous, because an
AARQ needs its response at once. The gateway fills the store at start and saves each `ConfigurationAgreed`.
"""

from collections import OrderedDict
from typing import Protocol

from protocols.bounded_map import BoundedMap

DEVICES_MAX = 256
"""Limit of devices; the device seen longest ago is evicted first. A vehicle sees a few dozen."""
CONFIGURATIONS_MAX = 8
"""Limit of configurations kept for one device: a device offers a few, and a new firmware a few more."""


class ConfigurationStore(Protocol):
    """Store that maps the system id of a device and a configuration id to an encoded ConfigObjectList."""

    def find(self, system_id: bytes, config_id: int) -> bytes | None: ...

    def remember(self, system_id: bytes, config_id: int, data: bytes) -> None: ...

    def doubt(self, system_id: bytes, config_id: int) -> bool:
        """Remove the stored configuration identified by `config_id`, because a report of the device contradicts it.
        Return whether the configuration was removed. If the device then sends the same configuration again, it is not
        removed a second time, because removing it would not end the contradiction."""


class RememberedConfigurations:
    """A `ConfigurationStore` in memory, limited to `DEVICES_MAX` devices."""

    def __init__(self) -> None:
        self._devices: OrderedDict[bytes, BoundedMap[int, bytes]] = OrderedDict()
        self._doubted: BoundedMap[tuple[bytes, int], bytes] = BoundedMap(DEVICES_MAX)

    def find(self, system_id: bytes, config_id: int) -> bytes | None:
        known = self._devices.get(system_id)
        return None if known is None else known.get(config_id)

    def remember(self, system_id: bytes, config_id: int, data: bytes) -> None:
        self._devices.setdefault(system_id, BoundedMap(CONFIGURATIONS_MAX))[config_id] = data
        self._devices.move_to_end(system_id)
        while len(self._devices) > DEVICES_MAX:
            del self._devices[self._least_wanted()]

    def _least_wanted(self) -> bytes:
        """Return the system id of the device that is evicted next."""
        return next(iter(self._devices))

    def doubt(self, system_id: bytes, config_id: int) -> bool:
        data = self.find(system_id, config_id)
        if data is None or self._doubted.get((system_id, config_id)) == data:
            return False
        self._doubted[system_id, config_id] = data
        del self._devices[system_id][config_id]
        return True
