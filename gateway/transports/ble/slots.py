"""Places for links on one adapter, which holds only a few links at once: 5 on some chips, 7 on others.

A connect beyond that number fails with errors that look like a broken device. The device that has waited longest gets
the next place; a device that an operator is pairing goes first. A device requests a place only after it has advertised
(`central`), so an absent device holds none. When more devices are in range than there are places, an idle link is
ended, and its device queues again behind the others. A link is ended after a shorter idle time when an operator's
pairing waits for a place. A device that sends measurements is never interrupted.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(eq=False, slots=True)
class Place:
    """The right of one device to one of the links that the adapter can hold at once."""

    address: str
    _back: Callable[["Place"], None] = field(repr=False)
    held: bool = True

    def give_back(self) -> None:
        """Release the place, so that a waiting device gets it. Repeated calls do nothing."""
        if self.held:
            self.held = False
            self._back(self)


class Slots:
    """Places of an adapter that holds at most `limit` ≥ 1 links. `crowded()` is called when a device has to wait."""

    def __init__(self, limit: int, crowded: Callable[[], None] = lambda: None) -> None:
        assert limit >= 1
        self.limit = limit
        self._crowded = crowded
        self._held: set[Place] = set()
        self._queue: deque[tuple[str, asyncio.Future[Place]]] = deque()
        self._urgent = 0

    @property
    def urgent(self) -> bool:
        """True while a device that an operator is pairing waits for a place."""
        return self._urgent > 0

    @property
    def held(self) -> int:
        """Number of the adapter's places for links that devices hold now."""
        return len(self._held)

    @property
    def queued(self) -> tuple[str, ...]:
        """Addresses of devices that wait for one of the adapter's places for links, the next one first."""
        return tuple(address for address, future in self._queue if not future.done())

    async def take(self, address: str, *, first: bool = False) -> Place:
        """Wait for a place for a link to this device. `first`: before all other waiting devices. Cancel-safe."""
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
