"""Where a manager finds the configurations that devices once sent, and puts what it learns.

In memory and synchronous, because an AARQ is answered at once; making it durable is the gateway's, which fills it at
start and stores what `ConfigurationAgreed` tells.
"""

from typing import Protocol

REMEMBERED_MAX = 256
"""Configurations of that many devices are kept in memory, the oldest go first; a vehicle has some dozens."""


class ConfigurationStore(Protocol):
    """By the device's system id and its configuration id; the octets are an encoded ConfigObjectList."""

    def find(self, system_id: bytes, config_id: int) -> bytes | None: ...

    def remember(self, system_id: bytes, config_id: int, octets: bytes) -> None: ...


class RememberedConfigurations:
    """A `ConfigurationStore` in memory."""

    def __init__(self) -> None:
        self._octets: dict[tuple[bytes, int], bytes] = {}

    def find(self, system_id: bytes, config_id: int) -> bytes | None:
        return self._octets.get((system_id, config_id))

    def remember(self, system_id: bytes, config_id: int, octets: bytes) -> None:
        self._octets.pop((system_id, config_id), None)
        while len(self._octets) >= REMEMBERED_MAX:
            self._octets.pop(next(iter(self._octets)))
        self._octets[system_id, config_id] = octets
