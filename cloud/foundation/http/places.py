"""Choose the connection to close when a new client connects and the number of connections is at its limit.

A connection waits for its client until a head or a body has arrived, or a response has been read. One client could
occupy all connections in this way. So the address with the most waiting connections loses one of them. A connection
without a request in progress is closed first, since nothing is lost with it. If there are several such connections, the
one that has waited longest is closed.

Every operation takes constant time, so that a flood of connections does not cause a flood of work. A connection whose
request is being served stays in its list and is only marked as served, since nearly all soon wait again. The search for
a connection to close removes the marked ones that it meets.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)


class _AddressPlaces(Generic[Item]):
    """The waiting connections from one address, in order of arrival. Those in `idle` have no request in progress."""

    __slots__ = ("idle", "in_progress")

    def __init__(self) -> None:
        self.idle: dict[Item, None] = {}
        self.in_progress: dict[Item, None] = {}

    def __len__(self) -> int:
        return len(self.idle) + len(self.in_progress)


class Places(Generic[Item]):
    """The connections of one server on which the client must act next: send a request or read a response."""

    def __init__(self) -> None:
        self._address_of: dict[Item, str] = {}
        self._waiting: dict[str, _AddressPlaces[Item]] = {}
        self._ranks: dict[int, dict[str, None]] = {}  # number of connections → the addresses that hold so many
        self._most = 0
        self._served: set[Item] = set()

    def __len__(self) -> int:
        return len(self._address_of) - len(self._served)

    def wait(self, item: Item, address: str, *, in_progress: bool) -> None:
        """Record that a connection waits for its client. `in_progress` is True when the client must send a body or read
        a response, False before its next request."""
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
        """Record that a request of the connection is being served, so the connection does not wait for its client."""
        if item in self._address_of:
            self._served.add(item)

    def leave(self, item: Item) -> None:
        """Remove a connection that has ended. Nothing happens for an unknown connection."""
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
        """Return the waiting connection to close to make room for a new client, or None when none is waiting."""
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
