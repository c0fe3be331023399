"""Report of a simulated device, and the bounded queue of reports that are not acknowledged.

Confirmed reports are sent one at a time (window 1), kept when the link is lost, and sent again in the next association.
Memory is bounded as in a real device: when it is full, the oldest report is dropped and counted. The report in flight
is never dropped, because its response may be in transit.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from protocols.device_time import DeviceTime
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.reports import Reading, ScanReport, fixed_report, variable_report
from simulators.agents.device import Measured

REPORTS_MAX: Final = 20_000
BYTES_MAX: Final = 32 << 20
"""Limit of the memory: twenty minutes of a twelve-lead recorder at 1000 Hz."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Report of a device. All observations have the time `device_time`. `number` counts the agent's reports from 1,
    also in the witness file (the list of acknowledged reports); the protocol's own number restarts in each association.
    """

    number: int
    device_time: DeviceTime
    handles: tuple[int, ...]
    scan: ScanReport

    @classmethod
    def of(cls, measured: Measured, configuration: Configuration, number: int) -> Self:
        return cls(
            number=number,
            device_time=measured.device_time,
            handles=tuple(dict.fromkeys(reading.handle for reading in measured.readings)),
            scan=scan_of(configuration, measured.readings, variable=measured.variable, scanner=measured.scanner),
        )

    @property
    def size_bytes(self) -> int:
        """Return the approximate size of the report on the wire, for the limit of the queue."""
        return 40 + len(self.scan.observations)


def scan_of(
    configuration: Configuration, readings: Sequence[Reading], *, variable: bool, scanner: int | None = None
) -> ScanReport:
    """Return the readings as a scan report, in variable or fixed form, of the scanner `scanner` (None: of the MDS)."""
    build = variable_report if variable else fixed_report
    return build(configuration, readings, scanner=scanner)


class Outbox:
    """First-in, first-out queue of unacknowledged reports, limited in number and in bytes."""

    def __init__(self, *, reports_max: int = REPORTS_MAX, bytes_max: int = BYTES_MAX) -> None:
        self._pending: deque[Report] = deque()
        self._reports_max = reports_max
        self._bytes_max = bytes_max
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def head(self) -> Report | None:
        """Return the oldest report, which is in flight or sent next; None where the queue is empty."""
        return self._pending[0] if self._pending else None

    def put(self, report: Report) -> int:
        """Add a report. Return the number of reports that were dropped because the queue was full."""
        self._pending.append(report)
        self._bytes += report.size_bytes
        dropped = 0
        while len(self._pending) > 2 and (len(self._pending) > self._reports_max or self._bytes > self._bytes_max):
            # The head may be in flight: the one after it is the oldest that can be dropped.
            self._bytes -= self._pending[1].size_bytes
            del self._pending[1]
            dropped += 1
        return dropped

    def pop(self) -> Report:
        """Remove and return the oldest report, which was acknowledged or given up."""
        report = self._pending.popleft()
        self._bytes -= report.size_bytes
        return report
