"""Store of the configurations that devices sent in earlier associations.

In memory and synchronous, because an AARQ is answered at once; making it durable is the gateway's, which fills it at
start and stores each `ConfigurationAgreed`.
"""

from collections import OrderedDict
from typing import Protocol

from protocols.bounded_map import BoundedMap

DEVICES_MAX = 256
"""Devices whose configurations are kept, the least recently met are forgotten first; a vehicle meets some dozens."""
CONFIGURATIONS_MAX = 8
"""Configurations kept of one device: a device offers a few, and a new firmware a few more."""


class ConfigurationStore(Protocol):
    """Configurations by the device's system id and its configuration id; the bytes are an encoded ConfigObjectList."""

    def find(self, system_id: bytes, config_id: int) -> bytes | None: ...

    def remember(self, system_id: bytes, config_id: int, data: bytes) -> None: ...

    def doubt(self, system_id: bytes, config_id: int) -> bool:
        """Doubt a configuration that does not explain a report. True: it is forgotten, so that the device has to send
        it again. False: the device sent the same again already, so its reports deviate by habit."""


class RememberedConfigurations:
    """A `ConfigurationStore` in memory."""

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
        """Return the device whose configurations are forgotten first."""
        return next(iter(self._devices))

    def doubt(self, system_id: bytes, config_id: int) -> bool:
        data = self.find(system_id, config_id)
        if data is None or self._doubted.get((system_id, config_id)) == data:
            return False
        self._doubted[system_id, config_id] = data
        del self._devices[system_id][config_id]
        return True
