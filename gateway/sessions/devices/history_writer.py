"""Makes the device reports durable, a few at a time: one commit per turn, and none where nothing changed.

A report that is lost at a power cut costs an engineer a minute of counts, so nothing waits for these writes.
"""

import structlog

from gateway.buffer import Buffer
from gateway.buffer.errors import StoreFull
from gateway.sessions.devices.history import DeviceHistories, encode_history
from gateway.transports.clock import Clock

TURN_S = 5.0

log = structlog.get_logger()


class HistoryWriter:
    """Writer of histories to one store."""

    def __init__(self, histories: DeviceHistories, store: Buffer, clock: Clock) -> None:
        self._histories = histories
        self._store = store
        self._clock = clock

    async def run(self) -> None:
        while True:
            await self.write()
            await self._clock.sleep_until(self._clock.monotonic_s() + TURN_S)

    async def write(self, *, all_of_them: bool = False) -> None:
        """Write what is due, or everything that changed (at a stop). On a full disk histories stay in memory."""
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
