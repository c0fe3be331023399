"""Record the 20601 association events that need no action by the session: write them to the journal, and count them.

The type checker proves that every type of event is handled. Events of the agent role never occur in a gateway. If one
does occur, it is logged as a bug.
"""

from typing import assert_never

import structlog

from gateway.sessions.devices.presence import DevicePresence
from gateway.sessions.journal import Journal
from gateway.sessions.session import Counts
from protocols.deviation import Deviation
from protocols.ieee11073.association import events, manager_events
from protocols.ieee11073.association.agent_events import AgentEvent

Remark = (
    manager_events.MdsChanged
    | manager_events.AttributesReported
    | manager_events.ReportsLost
    | manager_events.ReportNotTaken
    | Deviation
    | events.Rejected
    | manager_events.ScannerState
    | manager_events.ScannerNotSwitched
    | manager_events.ScannerSilent
    | manager_events.ScannerResumed
    | manager_events.DataFlowStarted
    | manager_events.DataFlowEnded
    | manager_events.DataRequestRefused
    | manager_events.ClockRead
    | manager_events.ClockCommanded
    | manager_events.ClockSet
    | manager_events.ClockNotSet
    | AgentEvent
)
"""Events that change nothing in the session."""

log = structlog.get_logger()


class AssociationNotes:
    """Recorder of those events of one session that need no action by the session. `Remark` lists their types."""

    def __init__(self, journal: Journal, presence: DevicePresence, counts: Counts, link: str) -> None:
        self._journal = journal
        self._presence = presence
        self._counts = counts
        self._link = link

    async def note(self, event: Remark) -> None:
        journal, system_id, link = self._journal, self._presence.system_id, self._link
        if isinstance(event, AgentEvent):
            log.error("session.event_of_an_agent", link=link, what=type(event).__name__)
            return
        match event:
            case manager_events.ReportsLost():
                self._counts.lost += event.count
                await journal.record(
                    "reports.lost", system_id, count=event.count, after=event.after_report_no, link=link
                )
            case manager_events.ReportNotTaken():
                self._counts.refused += 1
            case Deviation():
                self._counts.deviations += 1
                await journal.record(
                    "device.deviation",
                    system_id,
                    key=event.key or None,
                    sentence=event.sentence,
                    clause=event.clause,
                    link=link,
                )
            case events.Rejected():
                await journal.record("device.rejected", None, reason=event.reason.name.lower(), link=link)
            case manager_events.ScannerSilent():
                await journal.record(
                    "scanner.fell_silent", system_id, scanner=event.handle, silent_s=round(event.silent_s, 1)
                )
            case manager_events.ScannerResumed():
                await journal.record("scanner.resumed", system_id, scanner=event.handle)
            case manager_events.ScannerState():
                await journal.record("scanner.switched", system_id, scanner=event.handle, enabled=event.enabled)
            case manager_events.ScannerNotSwitched():
                await journal.record(
                    "scanner.not_switched", system_id, scanner=event.handle, enable=event.enable, why=event.why
                )
            case manager_events.DataFlowStarted():
                await journal.record("data.flow_started", system_id, request=event.data_req_id)
            case manager_events.DataFlowEnded():
                await journal.record("data.flow_ended", system_id, request=event.data_req_id, reports=event.reports)
            case manager_events.DataRequestRefused():
                await journal.record("data.request_refused", system_id, request=event.data_req_id, why=event.why)
            case manager_events.MdsChanged() | manager_events.AttributesReported():
                pass  # recorded in the device's history (`HistoryRecorder`)
            case (
                manager_events.ClockRead()
                | manager_events.ClockCommanded()
                | manager_events.ClockSet()
                | manager_events.ClockNotSet()
            ):
                pass  # recorded in the device's clock, its history and the event lane (`ClockKeeping`)
            case _:
                assert_never(event)
