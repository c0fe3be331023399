"""Bound on queued observations: a slow disk delays appends and slows the devices' links, and does not fill memory."""

import asyncio
from collections import deque


class Room:
    """Room in the buffer's queue for `observations_max` observations. Callers get room in the order
    of their requests."""

    def __init__(self, observations_max: int) -> None:
        self._observations_max = observations_max
        self._waiting = 0
        self._turns: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, count: int) -> None:
        """Reserve room in the queue for `count` observations; return when there is enough. `give` releases the room."""
        if not self._turns and self._fits(count):
            self._waiting += count
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._turns.append((count, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give(count)
            raise

    def give(self, count: int) -> None:
        """Release the room in the queue of `count` observations that were committed or refused."""
        self._waiting -= count
        while self._turns and (self._turns[0][1].cancelled() or self._fits(self._turns[0][0])):
            count, turn = self._turns.popleft()
            if not turn.done():
                self._waiting += count
                turn.set_result(None)

    def refuse_all(self, error: Exception) -> None:
        """Raise `error` in every caller that is blocked in `take`."""
        while self._turns:
            _, turn = self._turns.popleft()
            if not turn.done():
                turn.set_exception(error)

    def _fits(self, count: int) -> bool:
        """Return whether the queue has room for `count` observations now. When nothing is queued, any number fits."""
        return not self._waiting or self._waiting + count <= self._observations_max
