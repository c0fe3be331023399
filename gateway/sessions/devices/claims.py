"""Claims of system ids: the decision which link may use an id when two links claim it.

**A weaker link never takes an id.** A device belongs to the strongest class of link over which it was ever known
(`link_class`). A TCP agent that claims the id of a cabled or bonded device is refused, even while that device is silent
or absent, because over TCP an id proves nothing. A cable or a bonded link takes the id from a TCP agent at once. A
device that an operator has accepted (`devices accept`) may claim its id over TCP while no stronger link uses the id.

**Between links of equal class, a newcomer gets the id only if the previous link has been silent.** A device that lost
power returns on a new link while the previous one stays half-open, perhaps for minutes. Refusing the new link would
lose the patient's values, so a link that is silent for `SILENT_S` counts as dead. But two devices with one id may both
send (cheap devices leave the factory with the same id). If the newcomer always got the id, they would replace each
other for ever; if both stayed, two patients' values would carry one name. So the first device keeps the id, the second
is sent an ABRT, and events show both facts to an operator.
"""

import asyncio
from enum import Enum
from typing import Protocol

from gateway.sessions.devices.link_class import LinkClass
from gateway.sessions.devices.roster import Roster
from gateway.transports.clock import Clock

SILENT_S = 5.0
"""Silence after which a link counts as dead. A monitor sends every second, and a device needs longer than this to
restart. A quiet thermometer that loses its id loses no value."""


GRACE_S = 1.0
"""Time for the gateway to notice the end of the previous link, since a device may connect again faster than that."""


class Verdict(Enum):
    """The result of a session's claim to use a system id."""

    HELD = "held"
    """The claimant may use the id now."""
    TALKS_ELSEWHERE = "talks elsewhere"
    """A device with this id is connected on another link."""
    WEAKER_LINK = "weaker link"
    """The id belongs to a device that this gateway knows by a stronger link, such as a cable or a bond."""


class Claimant(Protocol):
    """A session that may use a system id."""

    @property
    def left(self) -> asyncio.Event:
        """Event that is set while the session uses no system id."""

    @property
    def last_byte_s(self) -> float:
        """Monotonic time at which the session's device last sent anything."""

    @property
    def link_class(self) -> LinkClass:
        """Class of the session's link, which states how well the link identifies the device."""

    async def yield_id(self) -> None:
        """End the association and the link, because another session now uses the device's system id."""


class Claims:
    """Registry of the system ids in use, each with the session that uses it. `roster` has the link class of every
    device."""

    def __init__(self, clock: Clock, roster: Roster) -> None:
        self._clock = clock
        self._roster = roster
        self._holders: dict[str, Claimant] = {}

    def holder(self, system_id: str) -> Claimant | None:
        return self._holders.get(system_id)

    async def claim(self, system_id: str, claimant: Claimant) -> Verdict:
        """Decide whether `claimant` may use `system_id`. If another session loses the id, end its association before
        returning."""
        if not self._roster.device(system_id).allows(claimant.link_class):
            return Verdict.WEAKER_LINK
        holder = self._holders.get(system_id)
        if holder is not None and holder is not claimant and not await self._yields(holder, claimant.link_class):
            weaker = claimant.link_class.rank < holder.link_class.rank
            return Verdict.WEAKER_LINK if weaker else Verdict.TALKS_ELSEWHERE
        if self._holders.get(system_id, holder) is not holder:
            return Verdict.TALKS_ELSEWHERE
        self._holders[system_id] = claimant
        if holder is not None and holder is not claimant and not holder.left.is_set():
            await holder.yield_id()
        return Verdict.HELD

    async def _yields(self, holder: Claimant, claiming: LinkClass) -> bool:
        """Return whether the session `holder` loses its system id to a link of class `claiming`, or gives up the id by
        itself within `GRACE_S`."""
        if claiming.rank > holder.link_class.rank:
            return True
        now_s = self._clock.monotonic_s()
        if claiming.rank == holder.link_class.rank and now_s - holder.last_byte_s >= SILENT_S:
            return True
        try:
            async with self._clock.timeout_at(now_s + GRACE_S):
                await holder.left.wait()
        except TimeoutError:
            return False
        return True

    def leave(self, system_id: str, claimant: Claimant) -> bool:
        """Release `system_id` after the association of `claimant` has ended. Return False if another session uses the
        id already."""
        if self._holders.get(system_id) is not claimant:
            return False
        del self._holders[system_id]
        return True
