"""Connections that wait for their client, by address, and the choice of one to close when every place is taken.

A connection waits for its client while a head or a body has yet to arrive and while a response has yet to be read. The
client decides how long that lasts, so one client could hold these places against all others. The connection that gives
way belongs to the address that holds most such places. Of its connections, those without a request in progress are
first, since nothing is lost with them, and then those that have waited longest. An address that holds one place never
gives way to another that holds many.

Each change costs the same however many connections there are, so that a flood of them does not become a flood of work.
A connection whose request is being served is only marked, since nearly all of them wait again at once; it is removed
when the search for a place meets it.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)


class _AddressPlaces(Generic[Item]):
    """The connections of one address that wait for their client, each group in the order of arrival."""

    __slots__ = ("idle", "in_progress")

    def __init__(self) -> None:
        self.idle: dict[Item, None] = {}
        self.in_progress: dict[Item, None] = {}

    def __len__(self) -> int:
        return len(self.idle) + len(self.in_progress)


class Places(Generic[Item]):
    """The connections of one listener that wait for their client."""

    def __init__(self) -> None:
        self._address_of: dict[Item, str] = {}
        self._waiting: dict[str, _AddressPlaces[Item]] = {}
        self._ranks: dict[int, dict[str, None]] = {}  # number of connections → the addresses that hold so many
        self._most = 0
        self._served: set[Item] = set()

    def __len__(self) -> int:
        return len(self._address_of) - len(self._served)

    def wait(self, item: Item, address: str, *, in_progress: bool) -> None:
        """Record that the connection waits for its client; `in_progress`: during a request or its response."""
        waiting = self._waiting.get(address)
        if waiting is None:
            waiting = self._waiting[address] = _AddressPlaces()
        group = waiting.in_progress if in_progress else waiting.idle
        if item in self._address_of:
            self._served.discard(item)
            waiting.idle.pop(item, None)
            waiting.in_progress.pop(item, None)
            group[item] = None
            return
        self._address_of[item] = address
        group[item] = None
        self._rank(address, len(waiting) - 1, len(waiting))

    def serve(self, item: Item) -> None:
        """Mark the connection as served: it does not wait for its client while its request is being processed."""
        if item in self._address_of:
            self._served.add(item)

    def leave(self, item: Item) -> None:
        """Remove a connection; without effect on an unknown one."""
        self._served.discard(item)
        address = self._address_of.pop(item, None)
        if address is None:
            return
        waiting = self._waiting[address]
        waiting.idle.pop(item, None)
        waiting.in_progress.pop(item, None)
        self._rank(address, len(waiting) + 1, len(waiting))
        if not waiting:
            del self._waiting[address]

    def first_to_give_way(self) -> Item | None:
        """Return the connection that is the first to give way; None when none waits for its client."""
        while addresses := self._ranks.get(self._most):
            waiting = self._waiting[next(iter(addresses))]
            found = next(iter(waiting.idle or waiting.in_progress))
            if found not in self._served:
                return found
            self.leave(found)  # it is added again when it waits again
        return None

    def _rank(self, address: str, before: int, after: int) -> None:
        if before:
            peers = self._ranks[before]
            del peers[address]
            if not peers:
                del self._ranks[before]
        if after:
            self._ranks.setdefault(after, {})[address] = None
        if after > before:
            self._most = max(self._most, after)
        elif before == self._most and before not in self._ranks:
            self._most = after  # the address itself has this rank, or none is left
