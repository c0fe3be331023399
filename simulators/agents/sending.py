"""What a simulated device has measured and not yet handed over, and its way to the manager.

Confirmed reports leave one at a time from a bounded outbox, are written to the witness when they are answered, and stay
over every loss. A refusal for want of room is a pause; other refusals count, because a report that is refused for ever
would block all that follow. Unconfirmed ones go when the association stands and nothing waits, else they are gone and
counted. A report of a scanner needs the scanner enabled, and a device that reports only when it is asked needs a
request that covers the report: until then a confirmed one waits.

Does not associate and does not measure (`agent`).
"""

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog

from gateway.transports.clock import Clock
from protocols.ieee11073.apdu.data import DATA_REQUEST_AGENT_INITIATED, RejectProblem
from protocols.ieee11073.association import AgentAssociation, ReportRefused, State
from protocols.ieee11073.association.agent_data_requests import ServedRequests
from simulators.agents.behaviour import Asked
from simulators.agents.device import Description
from simulators.agents.report import Outbox, Report
from simulators.agents.witness import Witness

log = structlog.get_logger(__name__)

REFUSALS_MAX: Final = 3
"""Refusals, other than for want of room, after which a report is given up: repeating it would block all that follow."""
FULL_PAUSE_S: Final = 1.0
"""A manager whose store is full is asked again after this."""


@dataclass(slots=True)
class AgentStatus:
    """What a terminal view shows; counts since the start."""

    link: str = ""
    associated: bool = False
    associations: int = 0
    measured: int = 0
    answered: int = 0
    repeated: int = 0
    waiting: int = 0
    dropped: int = 0
    withheld: int = 0
    """Unconfirmed reports of a scanner that nobody had enabled."""
    given_up: int = 0
    clock_set: int = 0
    trouble: str = ""


class Sending:
    """`association` is the one that stands or is being asked for, None without a link."""

    def __init__(
        self,
        description: Description,
        clock: Clock,
        status: AgentStatus,
        *,
        witness: Witness | None,
        requests: ServedRequests | None,
        asked: Asked,
        wake: asyncio.Event,
    ) -> None:
        """`wake` is set when a pause begins, at whose end somebody has to `offer` again."""
        self.association: AgentAssociation | None = None
        self.settled = asyncio.Event()
        """Something was answered, given up or lost."""
        self.pause_until_s = 0.0
        self._wake = wake
        self._description = description
        self._clock = clock
        self._status = status
        self._witness = witness
        self._requests = requests
        self._asked = asked
        self._outbox = Outbox(on_dropped=self._note_dropped)
        self._sent: tuple[int, Report] | None = None
        self._last_sent = 0
        self._refusals = 0

    def __len__(self) -> int:
        """Confirmed reports that wait."""
        return len(self._outbox)

    def take(self, report: Report, *, confirmed: bool) -> bool:
        """A report was made. True: it is on its way already, unconfirmed."""
        sent = False
        if confirmed:
            self._outbox.put(report)
        elif not self._scanner_ready(report):
            self._status.withheld += 1
        elif self.association is not None and self.association.state is State.OPERATING and not self._outbox:
            self.association.report(report.scan, confirmed=False, now_s=self._clock.monotonic_s())
            sent = True
        else:
            self._note_dropped(report)
        self._status.waiting = len(self._outbox)
        return sent

    def offer(self) -> bool:
        """Sends the head of the outbox, when nothing is under way and the manager is ready for it. True: sent."""
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

    async def answered(self, invoke_id: int) -> None:
        """The manager has this one."""
        if self._sent is None or self._sent[0] != invoke_id:
            return
        report = self._outbox.done()
        assert report is self._sent[1], "the report that was answered is the one that was sent"
        self._sent, self._refusals = None, 0
        self._status.answered += 1
        self._status.waiting = len(self._outbox)
        self.settled.set()
        if self._witness is not None:
            await asyncio.to_thread(self._witness.answered, self._description.system_id, report, invoke_id)

    def refused(self, event: ReportRefused) -> None:
        """The manager did not take it."""
        if self._sent is None or self._sent[0] != event.invoke_id:
            return
        self._sent = None
        if event.rejected and event.reason == RejectProblem.RESOURCE_LIMITATION:
            self.pause_until_s = self._clock.monotonic_s() + FULL_PAUSE_S
            self._wake.set()
            return
        self._refusals += 1
        if self._refusals >= REFUSALS_MAX:
            report = self._outbox.done()
            self._refusals = 0
            self._status.given_up += 1
            self._status.waiting = len(self._outbox)
            self.settled.set()
            name = self._description.model
            log.warning("agent.report_given_up", device=name, report=report.number, reason=int(event.reason))

    def lost(self) -> None:
        """What was under way will not be answered any more."""
        self._sent = None
        self.settled.set()

    def _note_dropped(self, report: Report) -> None:
        self._status.dropped += 1

    def _scanner_ready(self, report: Report) -> bool:
        scanner, association = report.scan.handle, self.association
        return not scanner or (association is not None and association.scanner_enabled(scanner))

    def _request_id(self, report: Report, now_s: float) -> int | None:
        """Under which request a report goes; None: under none, so it waits."""
        for flow in self._requests.flows(now_s) if self._requests is not None else ():
            if all(flow.scope.covers(handle) for handle in report.handles):
                return flow.data_req_id
        return None if self._asked is Asked.ONLY else DATA_REQUEST_AGENT_INITIATED
