"""Limit the memory for unfinished request bodies, since the bodies on all connections together could exceed the
process's limit.

When the limit is reached, the address that uses most memory loses its largest unfinished body, which is refused with
503. A body that arrived together with its head is not counted, since it is read at once.
"""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)

BODIES_BYTES_MAX = 256 * 1024 * 1024
"""An eighth of the systemd unit's `MemoryMax`: 256 of the largest usual bodies, or 32 uploads of 8 MiB. A body needs
two copies for a moment. A handler that keeps a complete body while it waits limits the number of such bodies itself."""


class BodyRoom(Generic[Item]):
    """Counts the bytes of unfinished bodies by address. `give_way` ends a connection whose body is refused."""

    def __init__(self, give_way: Callable[[Item], None], *, bytes_max: int = BODIES_BYTES_MAX) -> None:
        self._give_way = give_way
        self._bytes_max = bytes_max
        self._held: dict[str, dict[Item, int]] = {}
        self._by_address: dict[str, int] = {}
        self.held_bytes = 0

    def take(self, item: Item, address: str, count: int) -> None:
        """Count `count` more bytes of the body on connection `item`, and refuse bodies while the limit is exceeded."""
        held = self._held.setdefault(address, {})
        held[item] = held.get(item, 0) + count
        self._by_address[address] = self._by_address.get(address, 0) + count
        self.held_bytes += count
        while self.held_bytes > self._bytes_max:
            greediest = max(self._by_address, key=self._by_address.__getitem__)
            bodies = self._held[greediest]
            largest = max(bodies, key=bodies.__getitem__)
            self.release(largest, greediest)
            self._give_way(largest)

    def release(self, item: Item, address: str) -> None:
        """Stop counting the body on connection `item`, because it is complete or refused. If no body is counted on this
        connection, do nothing."""
        held = self._held.get(address, {})
        count = held.pop(item, 0)
        self.held_bytes -= count
        if address in self._by_address:
            self._by_address[address] -= count
        if not held:
            self._held.pop(address, None)
            self._by_address.pop(address, None)
