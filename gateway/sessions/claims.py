"""One system id, one conversation: who holds an id when two links claim it.

**Newest wins once the old one has been silent; otherwise the newcomer is refused.** A device that lost power comes back
on a new link while the old one hangs half-open, perhaps for minutes of TCP time-outs; refusing it would cost the
patient's values, so silence of `SILENT_S` is taken as death. But two devices with one id, both talking (cheap devices
leave the factory with the same id), would throw each other out for ever, and if both stayed, two patients' values would
carry one name. So the first keeps the id, the second is told off by an ABRT, and both facts are events that an operator
sees.
"""

import asyncio
from typing import Protocol

from gateway.transports.clock import Clock

SILENT_S = 5.0
"""A monitor sends every second; a device that restarts needs longer than this. A quiet thermometer loses nothing by
yielding."""


GRACE_S = 1.0
"""A device that breaks a link off and connects again may be faster than the end of its old link is seen: wait so
long."""


class Claimant(Protocol):
    """A session that may hold a system id."""

    @property
    def left(self) -> asyncio.Event:
        """Set while it holds none."""

    @property
    def last_octet_s(self) -> float:
        """When its device last sent anything; monotonic."""

    async def yield_id(self) -> None:
        """Give the id up: end the association and the link."""


class Claims:
    """Who holds which id."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._holders: dict[str, Claimant] = {}

    def holder(self, system_id: str) -> Claimant | None:
        return self._holders.get(system_id)

    async def claim(self, system_id: str, claimant: Claimant) -> bool:
        """True: `claimant` holds the id now, and a silent earlier holder has yielded. False: somebody else is
        talking."""
        holder = self._holders.get(system_id)
        if holder is not None and holder is not claimant and not await self._ended(holder):
            return False
        if self._holders.get(system_id, holder) is not holder:
            return False
        self._holders[system_id] = claimant
        if holder is not None and holder is not claimant and not holder.left.is_set():
            await holder.yield_id()
        return True

    async def _ended(self, holder: Claimant) -> bool:
        """Whether `holder` is silent, or leaves within the grace."""
        now_s = self._clock.monotonic_s()
        if now_s - holder.last_octet_s >= SILENT_S:
            return True
        try:
            async with self._clock.timeout_at(now_s + GRACE_S):
                await holder.left.wait()
        except TimeoutError:
            return False
        return True

    def leave(self, system_id: str, claimant: Claimant) -> bool:
        """The claimant's association ended. True: nobody holds the id now; False: it was somebody else's already."""
        if self._holders.get(system_id) is not claimant:
            return False
        del self._holders[system_id]
        return True
