"""Distinguishes a store that was replaced by an older copy from a gateway that is in service twice.

In both cases the cloud holds a later history of this epoch under our key than this store does. What differs is whether
another box is there now: it would connect under our name, which is the client id, and the broker would end our session
for it. So for `patience_s` we stay connected, send nothing of the forked lanes, and look. Taken over: there are two
boxes, the lanes stay contested, and a person decides. Left alone: this store was put back, and it begins a new epoch.

Not decided by anything in the store or on the disk: a disk image holds all of that twice. A rival that was silent all
the while is found by the cloud when it comes back: live batches of an epoch that was succeeded.
"""

import asyncio

from gateway.transports.clock import Clock

RIVAL_S = 3600.0
"""Time for which a take-over counts as the sign of another box. Its longest wait between two attempts is a minute."""


class ForkWatch:
    """Watch for a rival of one uplink, over all its connections."""

    def __init__(self, clock: Clock, patience_s: float) -> None:
        self._clock = clock
        self._patience_s = patience_s
        self._found = asyncio.Event()
        self._taken_over_s = float("-inf")

    @property
    def has_rival(self) -> bool:
        """Whether another box connected under our name lately."""
        return self._clock.monotonic_s() - self._taken_over_s < RIVAL_S

    def begin(self) -> None:
        """A connection begins; what was found on the last one is found again."""
        self._found.clear()

    def find(self) -> None:
        """The cloud holds another history of a lane."""
        self._found.set()

    def take_over(self) -> None:
        """The broker ended our session for another one of our name."""
        self._taken_over_s = self._clock.monotonic_s()

    async def stay_alone(self) -> None:
        """Return when a fork was found and no other client took our place on this connection for `patience_s`."""
        while True:
            await self._found.wait()
            self._found.clear()
            await self._clock.sleep_until(self._clock.monotonic_s() + self._patience_s)
            if not self.has_rival:
                return
