"""Acceptance: an operator confirms that a device which identifies itself over TCP really is that device.

Acceptance removes the flag `unverified_link` from later values, and allows a device that is also connected by a cable
to be used over TCP. Stored values keep their flag: the record states what was known when they were stored. Acceptance
and revocation are durable before the operator sees a confirmation, and both are recorded as events. An acceptance ends
by itself when the device first connects by a cable or with a bond, because the operator did not know of this stronger
link.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from gateway.buffer import Buffer
from gateway.sessions.devices.roster import KnownDevice, Roster
from gateway.sessions.journal import Journal
from gateway.sessions.session import Session
from gateway.transports.clock import Clock


class Acceptance:
    """Acceptance of devices by an operator, and its revocation. `sessions` returns the running sessions."""

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
        """Record that an operator accepts the device `system_id`. Return False if the device was accepted already.
        Raises StoreFull."""
        known = self._roster.device(system_id)
        if known.accepted_us is not None:
            return False
        await self._decide(replace(known, accepted_us=self._clock.wall_us()), "device.accepted")
        return True

    async def revoke(self, system_id: str) -> bool:
        """Revoke the acceptance of the device `system_id`, and end the sessions that are not allowed without it. Return
        False if the device was not accepted. Raises StoreFull."""
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
