"""Makes the device reports durable, a few at a time: one commit a turn, and none where nothing changed.

A report that is lost with the power costs an engineer a minute of counts, so nothing waits for these writes.
"""

from collections.abc import Sequence
from typing import Protocol

import structlog

from gateway.buffer.errors import StoreFull
from gateway.sessions.devices.report import DeviceReports, encode_report
from gateway.transports.clock import Clock

TURN_S = 5.0

log = structlog.get_logger()


class ReportStore(Protocol):
    """The part of the buffer that this needs."""

    async def remember_device_reports(self, reports: Sequence[tuple[str, bytes]]) -> None: ...


class ReportWriter:
    """Over one store."""

    def __init__(self, reports: DeviceReports, store: ReportStore, clock: Clock) -> None:
        self._reports = reports
        self._store = store
        self._clock = clock

    async def run(self) -> None:
        while True:
            await self.write()
            await self._clock.sleep_until(self._clock.monotonic_s() + TURN_S)

    async def write(self, *, all_of_them: bool = False) -> None:
        """What is due, or everything that changed (at a stop). On a full disk reports wait in memory."""
        now_s = self._clock.monotonic_s()
        due = [
            (report.system_id, report.changes, encode_report(report))
            for report in self._reports.due(now_s, all_of_them=all_of_them)
        ]
        if not due:
            return
        try:
            await self._store.remember_device_reports([(system_id, octets) for system_id, _, octets in due])
        except StoreFull:
            log.warning("device_reports.not_written", reports=len(due))
            return
        self._reports.written([(system_id, changes) for system_id, changes, _ in due], now_s)
