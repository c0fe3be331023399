"""Record deviations and uninterpreted values of a GATT device: in its history with bytes, and as events without bytes.

A device that breaks a rule breaks it in each of its thousand values. So each kind of deviation is recorded once per
link, and every occurrence is counted. Bytes may be a patient's values and are only stored in the sealed history.
"""

from gateway.sessions.devices.presence import DevicePresence
from gateway.sessions.journal import Journal
from gateway.sessions.session import Counts
from protocols.ble.interpretation import Uninterpreted
from protocols.deviation import Deviation
from protocols.errors import RemoteProtocolError

KINDS_MAX = 128
"""Maximum number of kinds of deviation that are recorded per link; this is enough to describe a device with more."""


class GattNotes:
    """Recorder of deviations and uninterpreted values of one session."""

    def __init__(self, journal: Journal, presence: DevicePresence, counts: Counts, link: str) -> None:
        self._journal = journal
        self._presence = presence
        self._counts = counts
        self._link = link
        self._recorded: set[tuple[str, str]] = set()

    async def record_malformed(self, what: str, error: RemoteProtocolError, octets: bytes, at_us: int) -> None:
        """Record, as a deviation, that a value could not be decoded. `what`: name of the value's characteristic."""
        where = "" if error.at is None else f" at byte {error.at}"
        await self.record_deviation(Deviation(f"{what}: {error.reason}{where}", error.clause, octets), at_us)

    async def record_deviation(self, deviation: Deviation, at_us: int) -> None:
        self._counts.deviations += 1
        if not self._is_new(deviation.sentence, deviation.clause):
            return
        self._presence.recorder.record(deviation, at_us)
        await self._journal.record(
            "device.deviation",
            self._presence.system_id,
            key=None,
            sentence=deviation.sentence,
            clause=deviation.clause,
            link=self._link,
        )

    async def record_uninterpreted(self, what: str, event: Uninterpreted, at_us: int) -> None:
        sentence = f"{what}: {event.why}"
        if not self._is_new(sentence, ""):
            return
        self._presence.recorder.record(Deviation(sentence, "", event.octets), at_us)
        await self._journal.record(
            "device.value_not_understood",
            self._presence.system_id,
            characteristic=f"0x{event.characteristic:04X}",
            why=event.why,
            link=self._link,
        )

    def _is_new(self, sentence: str, clause: str) -> bool:
        kind = sentence, clause
        if kind in self._recorded or len(self._recorded) >= KINDS_MAX:
            return False
        self._recorded.add(kind)
        return True
