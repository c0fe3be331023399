"""An operator's confirmation that a device which only names itself is the device that it claims to be.

A device over TCP is served with the flag `unverified_link` on its values. Acceptance removes the flag from later
values, and lets a device that also has a cable be used over TCP. Stored values keep their flag: the record states what
was known then. Acceptance and revocation are durable before the operator reads that they are done, and both are events.
The acceptance of a device ends by itself when it first connects by a cable or a bond: the operator did not know of that
device.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from gateway.buffer import Buffer
from gateway.sessions.devices.roster import KnownDevice, Roster
from gateway.sessions.journal import Journal
from gateway.sessions.session import Session
from gateway.transports.clock import Clock


class Acceptance:
    """Acceptance of devices for one gateway. `sessions` returns the running sessions."""

    def __init__(
        self,
        roster: Roster,
        store: Buffer,
        journal: Journal,
        clock: Clock,
        sessions: Callable[[], Sequence[Session]] = lambda: (),
    ) -> None:
        self._roster = roster
        self._store = store
        self._journal = journal
        self._clock = clock
        self._sessions = sessions

    async def accept(self, system_id: str) -> bool:
        """Accept a device. Return whether it was not accepted before. Raises StoreFull."""
        known = self._roster.device(system_id)
        if known.accepted_us is not None:
            return False
        await self._decide(replace(known, accepted_us=self._clock.wall_us()), "device.accepted")
        return True

    async def revoke(self, system_id: str) -> bool:
        """Revoke the acceptance of a device. Return whether it was accepted before. A link that may no longer use the
        id ends. Raises StoreFull."""
        known = self._roster.device(system_id)
        if known.accepted_us is None:
            return False
        known = replace(known, accepted_us=None)
        await self._decide(known, "device.acceptance_revoked")
        for session in self._sessions_of(system_id):
            if not known.allows(session.link_class):
                await session.release()
        return True

    async def _decide(self, known: KnownDevice, event: str) -> None:
        await self._store.remember_device(
            known.system_id, known.model, link_class=known.link_class.value, accepted_us=known.accepted_us
        )
        self._roster.met(known)
        for session in self._sessions_of(known.system_id):
            session.update_verification()
        await self._journal.record(event, known.system_id, link_class=known.link_class.value)

    def _sessions_of(self, system_id: str) -> list[Session]:
        sessions = self._sessions()
        return [each for each in sessions if each.device is not None and each.device.ref.system_id == system_id]
