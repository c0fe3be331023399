"""The histories of all devices: bounded in memory, and stored a few at a time.

Every `TURN_S` seconds the due histories are stored in one commit; where none is due, there is no commit. No caller
waits for these writes, because a power cut loses only about a minute of counts.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable

import structlog

from gateway.buffer import Buffer
from gateway.buffer.errors import StoreFull
from gateway.sessions.devices.history import DeviceHistory
from gateway.sessions.devices.history_encoding import decode_history, encode_history
from gateway.transports.clock import Clock

REPORTS_MAX = 256
"""Maximum number of devices with a history. The unverified device that was silent longest is dropped first."""
WRITTEN_EVERY_S = 60.0
"""Longest time for which a change of a history is only in memory."""
WRITTEN_AT_ONCE_MAX = 16
"""Maximum number of histories in one commit. Many devices with invented system ids are stored in later commits."""
TURN_S = 5.0

log = structlog.get_logger()


class DeviceHistories:
    """The histories of all devices, in memory. `is_verified` returns whether anything besides the device's own claim
    confirms a system id."""

    def __init__(self, is_verified: Callable[[str], bool] = lambda _: True) -> None:
        self._is_verified = is_verified
        self._histories: OrderedDict[str, DeviceHistory] = OrderedDict()
        self._written: dict[str, tuple[int, float]] = {}

    def load(self, octets: Iterable[bytes]) -> None:
        """Load the stored histories, oldest change first. A history that cannot be decoded is left out."""
        for each in octets:
            report = decode_history(each)
            if report is not None:
                self._histories[report.system_id] = report
                self._written[report.system_id] = (report.changes, 0.0)

    def of(self, system_id: str, at_us: int) -> DeviceHistory:
        """Return the history of the device `system_id`. If there is none, return a new history that
        begins at `at_us`."""
        report = self._histories.get(system_id)
        if report is None:
            report = self._histories[system_id] = DeviceHistory(system_id=system_id, first_us=at_us, last_us=at_us)
        self._histories.move_to_end(system_id)
        while len(self._histories) > REPORTS_MAX:
            unverified = (each for each in self._histories if not self._is_verified(each))
            gone = next(unverified, None) or next(iter(self._histories))
            del self._histories[gone]
            self._written.pop(gone, None)
        return report

    def find(self, system_id: str) -> DeviceHistory | None:
        return self._histories.get(system_id)

    def due(self, now_s: float, *, all_of_them: bool = False) -> list[DeviceHistory]:
        """Return the histories to store at monotonic `now_s`. Call `mark_written` after they are durable.

        With `all_of_them`, return every history with changes that are not stored. Otherwise return at most
        `WRITTEN_AT_ONCE_MAX` histories: new ones, and changed ones that were last stored at least `WRITTEN_EVERY_S`
        ago.
        """
        due = []
        for system_id, report in self._histories.items():
            changes, at_s = self._written.get(system_id, (-1, 0.0))
            fresh = system_id not in self._written
            if report.changes != changes and (fresh or all_of_them or now_s - at_s >= WRITTEN_EVERY_S):
                due.append(report)
        return due if all_of_them else due[:WRITTEN_AT_ONCE_MAX]

    def mark_written(self, reports: Iterable[tuple[str, int]], now_s: float) -> None:
        """Record that histories are durable. `reports`: for each history, the device's system id and the count of
        changes (`DeviceHistory.changes`) at the time of encoding."""
        for system_id, changes in reports:
            self._written[system_id] = (changes, now_s)


class HistoryWriter:
    """Writer of the histories to one store, at intervals."""

    def __init__(self, histories: DeviceHistories, store: Buffer, clock: Clock) -> None:
        self._histories = histories
        self._store = store
        self._clock = clock

    async def run(self) -> None:
        while True:
            await self.write()
            await self._clock.sleep_until(self._clock.monotonic_s() + TURN_S)

    async def write(self, *, all_of_them: bool = False) -> None:
        """Store the device histories that are due, or with `all_of_them` every changed history. If the store is full,
        the changes stay in memory."""
        now_s = self._clock.monotonic_s()
        due = [
            (report.system_id, report.changes, encode_history(report))
            for report in self._histories.due(now_s, all_of_them=all_of_them)
        ]
        if not due:
            return
        try:
            await self._store.remember_device_reports([(system_id, octets) for system_id, _, octets in due])
        except StoreFull:
            log.warning("device_reports.not_written", reports=len(due))
            return
        self._histories.mark_written([(system_id, changes) for system_id, changes, _ in due], now_s)
