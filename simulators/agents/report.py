"""One report that a simulated device made, and the bounded memory in which it waits for its answer.

A confirmed report belongs to the device until the manager has answered it: it is sent one at a time (window 1), kept
over every loss of the link, and sent again in the next association. Memory is bounded as in a real device: when it is
full the oldest report goes, and the count of what went is told. The report being answered is never the one that goes,
because its answer may be on the way. Does not send and does not know the protocol's numbers.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Self

from protocols.device_time import DeviceTime
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.reports import Reading, ScanReport, fixed_report, variable_report
from simulators.agents.device import Measured

REPORTS_MAX: Final = 20_000
OCTETS_MAX: Final = 32 << 20
"""Twenty minutes of a twelve-lead recorder at 1000 Hz."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`number` counts from 1 over the life of the agent and identifies the report in the witness; the protocol's own
    report number starts anew in each association. All observations of a report carry the same `device_time`."""

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
    def octets(self) -> int:
        """Its size on the wire, near enough for a memory limit."""
        return 40 + len(self.scan.observations)


def scan_of(
    configuration: Configuration, readings: Sequence[Reading], *, variable: bool, scanner: int | None = None
) -> ScanReport:
    """The readings in the form that their device uses."""
    build = variable_report if variable else fixed_report
    return build(configuration, readings, scanner=scanner)


class Outbox:
    """First in, first out. `dropped` counts reports that the memory had no room for."""

    def __init__(
        self,
        *,
        reports_max: int = REPORTS_MAX,
        octets_max: int = OCTETS_MAX,
        on_dropped: Callable[[Report], None] = lambda report: None,
    ) -> None:
        self._waiting: deque[Report] = deque()
        self._reports_max = reports_max
        self._octets_max = octets_max
        self._octets = 0
        self._on_dropped = on_dropped
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def octets(self) -> int:
        return self._octets

    @property
    def head(self) -> Report | None:
        """The report to send, or the one whose answer is awaited."""
        return self._waiting[0] if self._waiting else None

    def put(self, report: Report) -> None:
        self._waiting.append(report)
        self._octets += report.octets
        while len(self._waiting) > 2 and (len(self._waiting) > self._reports_max or self._octets > self._octets_max):
            # The head may be on its way: the one behind it is the oldest that can be let go.
            oldest = self._waiting[1]
            del self._waiting[1]
            self._octets -= oldest.octets
            self.dropped += 1
            self._on_dropped(oldest)

    def done(self) -> Report:
        """The head is answered, or given up: it leaves."""
        report = self._waiting.popleft()
        self._octets -= report.octets
        return report
