"""Where a manager finds the configurations that devices once sent, and puts what it learns.

In memory and synchronous, because an AARQ is answered at once; making it durable is the gateway's, which fills it at
start and stores what `ConfigurationAgreed` tells.
"""

from collections import OrderedDict
from typing import Protocol

DEVICES_MAX = 256
"""Devices whose configurations are kept, the least recently met are forgotten first; a vehicle meets some dozens."""
CONFIGURATIONS_MAX = 8
"""Configurations kept of one device: a device offers a few, and a new firmware a few more."""


class ConfigurationStore(Protocol):
    """By the device's system id and its configuration id; the bytes are an encoded ConfigObjectList."""

    def find(self, system_id: bytes, config_id: int) -> bytes | None: ...

    def remember(self, system_id: bytes, config_id: int, octets: bytes) -> None: ...

    def doubt(self, system_id: bytes, config_id: int) -> bool:
        """What the device reports does not fit. True: it is forgotten, so that the device is asked again. False: the
        device was asked for that already and said the same, so it is a habit and no change."""


class RememberedConfigurations:
    """A `ConfigurationStore` in memory."""

    def __init__(self) -> None:
        self._devices: OrderedDict[bytes, OrderedDict[int, bytes]] = OrderedDict()
        self._doubted: OrderedDict[tuple[bytes, int], bytes] = OrderedDict()

    def find(self, system_id: bytes, config_id: int) -> bytes | None:
        known = self._devices.get(system_id)
        return None if known is None else known.get(config_id)

    def remember(self, system_id: bytes, config_id: int, octets: bytes) -> None:
        known = self._devices.setdefault(system_id, OrderedDict())
        known[config_id] = octets
        known.move_to_end(config_id)
        self._devices.move_to_end(system_id)
        while len(known) > CONFIGURATIONS_MAX:
            known.popitem(last=False)
        while len(self._devices) > DEVICES_MAX:
            del self._devices[self._least_wanted()]

    def _least_wanted(self) -> bytes:
        """The device whose configurations are forgotten first."""
        return next(iter(self._devices))

    def doubt(self, system_id: bytes, config_id: int) -> bool:
        octets = self.find(system_id, config_id)
        if octets is None or self._doubted.get((system_id, config_id)) == octets:
            return False
        self._doubted[system_id, config_id] = octets
        while len(self._doubted) > DEVICES_MAX:
            self._doubted.popitem(last=False)
        del self._devices[system_id][config_id]
        return True
