"""A report of a simulated device, and the bounded memory of reports that wait for their response.

A confirmed report belongs to the device until the manager has acknowledged it: it is sent one at a time (window 1),
kept over every loss of the link, and sent again in the next association. Memory is bounded as in a real device: when it
is full the oldest report is dropped and counted. The report in flight is never dropped, because its response may be in
transit. This module does not send and does not use the protocol's numbers.
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
    """A report. `number` counts from 1 over the life of the agent and identifies the report in the witness file; the
    protocol's own report number restarts in each association. All observations of a report carry the same
    `device_time`."""

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
        """Return its approximate size on the wire, for the memory limit."""
        return 40 + len(self.scan.observations)


def scan_of(
    configuration: Configuration, readings: Sequence[Reading], *, variable: bool, scanner: int | None = None
) -> ScanReport:
    """Return the readings in the form that their device uses."""
    build = variable_report if variable else fixed_report
    return build(configuration, readings, scanner=scanner)


class Outbox:
    """A queue, first in, first out."""

    def __init__(self, *, reports_max: int = REPORTS_MAX, bytes_max: int = BYTES_MAX) -> None:
        self._pending: deque[Report] = deque()
        self._reports_max = reports_max
        self._bytes_max = bytes_max
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def head(self) -> Report | None:
        """Return the report to send, or the one in flight."""
        return self._pending[0] if self._pending else None

    def put(self, report: Report) -> int:
        """Add a report; return how many were dropped because it was full."""
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
        """Remove the head: it was acknowledged, or given up."""
        report = self._pending.popleft()
        self._bytes -= report.size_bytes
        return report
