"""Distinguishes two reasons for which the cloud holds batches of this epoch (one life of the store) that this store
never wrote: the store was restored from an older copy, or a copy of this gateway is in service.

Nothing on the disk can decide this, since a disk image copies everything. But a second gateway would connect with our
name, which is the MQTT client id, and the broker would end our session. So for `patience_s` this gateway stays
connected and sends nothing in the affected lanes. If another client takes over our session, the lanes stay blocked
until an operator decides. If not, this store was restored, and begins a new epoch.

If a second gateway is offline during the wait, the cloud detects that gateway later, by live batches of an epoch that
has a successor.
"""

import asyncio

from gateway.transports.clock import Clock

RIVAL_S = 3600.0
"""Time for which a take-over counts as the sign of another gateway. Its longest wait between two attempts is a
minute."""


class ForkWatch:
    """Watches, over all connections of one uplink, for a second gateway with the same name."""

    def __init__(self, clock: Clock, patience_s: float) -> None:
        self._clock = clock
        self._patience_s = patience_s
        self._found = asyncio.Event()
        self._taken_over_s = float("-inf")

    @property
    def has_rival(self) -> bool:
        """True when another client took over our session within the last RIVAL_S."""
        return self._clock.monotonic_s() - self._taken_over_s < RIVAL_S

    def begin(self) -> None:
        """Start a connection, and discard what `find` recorded on an earlier connection."""
        self._found.clear()

    def find(self) -> None:
        """Record that the cloud and this store hold different batches of one lane."""
        self._found.set()

    def take_over(self) -> None:
        """Record that the broker ended our session because another client connected with our name."""
        self._taken_over_s = self._clock.monotonic_s()

    async def stay_alone(self) -> None:
        """Wait for a call of `find`, and then `patience_s` longer. Return if no other client has taken over our
        session; otherwise wait again."""
        while True:
            await self._found.wait()
            self._found.clear()
            await self._clock.sleep_until(self._clock.monotonic_s() + self._patience_s)
            if not self.has_rival:
                return
