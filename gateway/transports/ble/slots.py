"""Places for links on one adapter: an adapter holds only so many at once (5 on some chips, 7 on others; misbehaviour
14), and a connect beyond that fails in ways that look like a broken device.

The device that has waited longest goes first; a device that an operator is pairing goes before all others. Only a
device that is in range requests a place (`central`), so an absent one holds none. Where more devices are in range
than there are places, none is starved: a device that has sent nothing for a while gives its place to one that waits,
and queues again behind the others; for an operator it does so sooner. A device that measures is never interrupted.

Places know no links; the taker of a place gives it back.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(eq=False, slots=True)
class Place:
    """One link's place, held by a device."""

    address: str
    _back: Callable[["Place"], None] = field(repr=False)
    held: bool = True

    def give_back(self) -> None:
        """Give the place back. May be called again."""
        if self.held:
            self.held = False
            self._back(self)


class Slots:
    """Places for `limit` ≥ 1 links at once. `crowded()` is called when a device has to wait."""

    def __init__(self, limit: int, crowded: Callable[[], None] = lambda: None) -> None:
        assert limit >= 1
        self.limit = limit
        self._crowded = crowded
        self._held: set[Place] = set()
        self._queue: deque[tuple[str, asyncio.Future[Place]]] = deque()
        self._urgent = 0

    @property
    def urgent(self) -> bool:
        """True while a device waits that goes before all others."""
        return self._urgent > 0

    @property
    def held(self) -> int:
        """Number of places that are taken."""
        return len(self._held)

    @property
    def queued(self) -> tuple[str, ...]:
        """Addresses that wait for a place, the next one first."""
        return tuple(address for address, future in self._queue if not future.done())

    async def take(self, address: str, *, first: bool = False) -> Place:
        """Wait for this device's turn and return a place. `first`: before all others. Cancel-safe."""
        if len(self._held) < self.limit and not self.queued:
            return self._hold(address)
        future: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        entry = (address, future)
        if first:
            self._queue.appendleft(entry)
        else:
            self._queue.append(entry)
        self._urgent += first
        self._crowded()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                future.result().give_back()
            raise
        finally:
            self._urgent -= first
            if entry in self._queue:
                self._queue.remove(entry)

    def _hold(self, address: str) -> Place:
        place = Place(address, self._given_back)
        self._held.add(place)
        return place

    def _given_back(self, place: Place) -> None:
        self._held.discard(place)
        while self._queue and len(self._held) < self.limit:
            address, future = self._queue.popleft()
            if not future.done():
                future.set_result(self._hold(address))
