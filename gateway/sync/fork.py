"""Distinguishes a store that was replaced by an older copy from a gateway that is in service twice.

In both cases the cloud holds a later history of this epoch under our key than this store does. They differ in whether
another gateway is running now: it would connect under our name, which is the client id, and the broker would end our
session for it. So for `patience_s` we stay connected, send nothing of the forked lanes, and watch. After a take-over
there are two gateways: the lanes stay contested, and an operator decides. Without one, this store was restored, and it
begins a new epoch.

Nothing in the store or on the disk can decide this: a disk image holds all of it twice. A rival that was silent all the
time is found by the cloud when it returns: it sends live batches of an epoch that was succeeded.
"""

import asyncio

from gateway.transports.clock import Clock

RIVAL_S = 3600.0
"""Time for which a take-over counts as the sign of another gateway. Its longest wait between two attempts is a
minute."""


class ForkWatch:
    """Watch for a rival of one uplink, over all its connections."""

    def __init__(self, clock: Clock, patience_s: float) -> None:
        self._clock = clock
        self._patience_s = patience_s
        self._found = asyncio.Event()
        self._taken_over_s = float("-inf")

    @property
    def has_rival(self) -> bool:
        """True when another gateway connected under our name lately."""
        return self._clock.monotonic_s() - self._taken_over_s < RIVAL_S

    def begin(self) -> None:
        """Begin a connection. A fork that was found on the last one is found again."""
        self._found.clear()

    def find(self) -> None:
        """Record that the cloud holds another history of a lane."""
        self._found.set()

    def take_over(self) -> None:
        """Record that the broker ended our session for another client of our name."""
        self._taken_over_s = self._clock.monotonic_s()

    async def stay_alone(self) -> None:
        """Return when a fork was found and no other client took our place on this connection for `patience_s`."""
        while True:
            await self._found.wait()
            self._found.clear()
            await self._clock.sleep_until(self._clock.monotonic_s() + self._patience_s)
            if not self.has_rival:
                return
