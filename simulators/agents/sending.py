"""Outbox of a simulated device: reports that the manager has not acknowledged, and the rules for sending them.

Confirmed reports are sent one at a time from a bounded outbox and kept when the link is lost. After its acknowledgement
a report is recorded in the witness file. If the manager's store is full, the device pauses and repeats the report.
After `REFUSALS_MAX` other refusals the device drops the report, because a refused report blocks all later ones.

An unconfirmed report is sent only in an association and with an empty outbox; otherwise it is dropped and counted. A
report of a scanner is sent only while the scanner is enabled. A device that reports only on request keeps a confirmed
report until a data request covers it.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog

from gateway.transports.clock import Clock
from protocols.ieee11073.apdu.data import DATA_REQUEST_AGENT_INITIATED, RejectProblem
from protocols.ieee11073.association.agent import AgentAssociation
from protocols.ieee11073.association.agent_data_requests import ServedRequests
from protocols.ieee11073.association.agent_events import ReportRefused
from protocols.ieee11073.association.states import State
from simulators.agents.behaviour import DataRequests
from simulators.agents.device import Description
from simulators.agents.report import Outbox, Report
from simulators.agents.witness import Witness

log = structlog.get_logger(__name__)

REFUSALS_MAX: Final = 3
"""Limit of refusals of one report, except those because the manager is full. The report is then dropped, since it would
block all later ones."""
FULL_PAUSE_S: Final = 1.0
"""Pause before the next report to a manager whose store is full."""


@dataclass(slots=True)
class AgentStatus:
    """Status of a device for a terminal view. The numbers count since the start."""

    link: str = ""
    associated: bool = False
    associations: int = 0
    measured: int = 0
    acknowledged: int = 0
    repeated: int = 0
    pending: int = 0
    dropped: int = 0
    withheld: int = 0
    """Unconfirmed reports of a scanner that was not enabled."""
    given_up: int = 0
    clock_set: int = 0
    trouble: str = ""


class Sending:
    """Outbox of one device, and the sender of its reports. `association` is the current or requested association, or
    None without a link."""

    def __init__(
        self,
        description: Description,
        clock: Clock,
        status: AgentStatus,
        *,
        witness: Witness | None,
        requests: ServedRequests | None,
        data_requests: DataRequests,
        wake: asyncio.Event,
    ) -> None:
        """Create an empty outbox. When a manager's store is full, sending pauses until `pause_until_s`. The event
        `wake` is set when a pause begins, and the caller must call `offer` when the pause ends."""
        self.association: AgentAssociation | None = None
        self.settled = asyncio.Event()
        """Set when a report was acknowledged, given up or lost."""
        self.pause_until_s = 0.0
        self._wake = wake
        self._description = description
        self._clock = clock
        self._status = status
        self._witness = witness
        self._requests = requests
        self._data_requests = data_requests
        self._outbox = Outbox()
        self._sent: tuple[int, Report] | None = None
        self._last_sent = 0
        self._refusals = 0

    def __len__(self) -> int:
        """Return the number of queued confirmed reports."""
        return len(self._outbox)

    def take(self, report: Report, *, confirmed: bool) -> bool:
        """Queue a confirmed report, or send an unconfirmed one. Return whether an unconfirmed report was sent."""
        sent = False
        if confirmed:
            self._status.dropped += self._outbox.put(report)
        elif not self._scanner_ready(report):
            self._status.withheld += 1
        elif self.association is not None and self.association.state is State.OPERATING and not self._outbox:
            self.association.report(report.scan, confirmed=False, now_s=self._clock.monotonic_s())
            sent = True
        else:
            self._status.dropped += 1
        self._status.pending = len(self._outbox)
        return sent

    def offer(self) -> bool:
        """Send the oldest queued report if no report is in flight and the manager can accept one. Return whether a
        report was sent."""
        association, report, now_s = self.association, self._outbox.head, self._clock.monotonic_s()
        if association is None or report is None or not association.can_confirm or now_s < self.pause_until_s:
            return False
        request_id = self._request_id(report, now_s)
        if request_id is None or not self._scanner_ready(report):
            return False
        self._sent = association.report(report.scan, confirmed=True, now_s=now_s, data_req_id=request_id), report
        self._status.repeated += report.number <= self._last_sent
        self._last_sent = max(self._last_sent, report.number)
        return True

    async def acknowledge(self, invoke_id: int) -> None:
        """Remove the acknowledged report from the outbox, and add it to the witness file (the list of acknowledged
        reports)."""
        if self._sent is None or self._sent[0] != invoke_id:
            return
        report = self._outbox.pop()
        assert report is self._sent[1], "the acknowledged report is the one that was sent"
        self._sent, self._refusals = None, 0
        self._status.acknowledged += 1
        self._status.pending = len(self._outbox)
        self.settled.set()
        if self._witness is not None:
            await asyncio.to_thread(self._witness.write, self._description.system_id, report, invoke_id)

    def refused(self, event: ReportRefused) -> None:
        """Process the manager's refusal of a report. If the manager's store is full, pause. For another reason, count
        the refusal, and drop the report after `REFUSALS_MAX` refusals."""
        if self._sent is None or self._sent[0] != event.invoke_id:
            return
        self._sent = None
        if event.rejected and event.reason == RejectProblem.RESOURCE_LIMITATION:
            self.pause_until_s = self._clock.monotonic_s() + FULL_PAUSE_S
            self._wake.set()
            return
        self._refusals += 1
        if self._refusals >= REFUSALS_MAX:
            report = self._outbox.pop()
            self._refusals = 0
            self._status.given_up += 1
            self._status.pending = len(self._outbox)
            self.settled.set()
            name = self._description.model
            log.warning("agent.report_given_up", device=name, report=report.number, reason=int(event.reason))

    def lost(self) -> None:
        """Mark the report in flight as unsent after a lost association; the next association repeats the report."""
        self._sent = None
        self.settled.set()

    def _scanner_ready(self, report: Report) -> bool:
        scanner, association = report.scan.handle, self.association
        return not scanner or (association is not None and association.scanner_enabled(scanner))

    def _request_id(self, report: Report, now_s: float) -> int | None:
        """Return the id of the manager's data request that covers the report, or else the id for reports without a
        request. Return None if the device reports only on request and no request covers the report."""
        for flow in self._requests.flows(now_s) if self._requests is not None else ():
            if all(flow.scope.covers(handle) for handle in report.handles):
                return flow.data_req_id
        return None if self._data_requests is DataRequests.ONLY else DATA_REQUEST_AGENT_INITIATED
