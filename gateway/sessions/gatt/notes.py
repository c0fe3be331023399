"""What a GATT device did that its service does not allow, and what it said that we do not understand: told once a link
each, in its report with the octets, in the event lane without them.

Values arrive by the thousand, and a device that breaks a rule breaks it in each of them, so a kind is told once. What
is counted is every one. Octets may hold a patient's values and go into the sealed report alone.
"""

from gateway.sessions.devices.presence import Attendance
from gateway.sessions.journal import Journal
from gateway.sessions.session import Counts
from protocols.ble.interpretation import Uninterpreted
from protocols.deviation import Deviation
from protocols.errors import RemoteProtocolError

KINDS_MAX = 128
"""Kinds of one link that are told; a device that finds more ways than this is told to be odd already."""


class GattNotes:
    """Of one session."""

    def __init__(self, journal: Journal, here: Attendance, counts: Counts, link: str) -> None:
        self._journal = journal
        self._here = here
        self._counts = counts
        self._link = link
        self._told: set[tuple[str, str]] = set()

    async def malformed(self, what: str, error: RemoteProtocolError, octets: bytes, at_us: int) -> None:
        """A value of `what` (a characteristic's name) broke its own form."""
        where = "" if error.at is None else f" at byte {error.at}"
        await self.deviated(Deviation(f"{what}: {error.reason}{where}", error.clause, octets), at_us)

    async def deviated(self, deviation: Deviation, at_us: int) -> None:
        self._counts.deviations += 1
        if not self._is_new(deviation.sentence, deviation.clause):
            return
        self._here.keeping.noted(deviation, at_us)
        await self._journal.write(
            "device.deviation",
            self._here.system_id,
            key=None,
            sentence=deviation.sentence,
            clause=deviation.clause,
            link=self._link,
        )

    async def not_understood(self, what: str, event: Uninterpreted, at_us: int) -> None:
        sentence = f"{what}: {event.why}"
        if not self._is_new(sentence, ""):
            return
        self._here.keeping.noted(Deviation(sentence, "", event.octets), at_us)
        await self._journal.write(
            "device.value_not_understood",
            self._here.system_id,
            characteristic=f"0x{event.characteristic:04X}",
            why=event.why,
            link=self._link,
        )

    def _is_new(self, sentence: str, clause: str) -> bool:
        kind = sentence, clause
        if kind in self._told or len(self._told) >= KINDS_MAX:
            return False
        self._told.add(kind)
        return True
