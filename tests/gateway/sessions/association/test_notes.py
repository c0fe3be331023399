"""Every kind of association event is handled and logged in the gateway's journal."""

from pathlib import Path
from typing import get_args

import pytest

from gateway.sessions.association.notes import AssociationNotes
from gateway.sessions.association.session import _NotedEvent
from gateway.sessions.session import Counts
from protocols.ieee11073.association import events, manager_events
from protocols.ieee11073.association.segment_events import SegmentDataReceived
from tests.builders.gateway_device import device
from tests.builders.gateway_sessions import sessions
from tests.harness.eventually import eventually

NOTED = {
    "scanner.switched": manager_events.ScannerState(3, enabled=True),
    "scanner.not_switched": manager_events.ScannerNotSwitched(3, enable=True, why="the device refused"),
    "data.flow_started": manager_events.DataFlowStarted(0x0101),
    "data.flow_ended": manager_events.DataFlowEnded(0x0101, reports=4),
    "data.request_refused": manager_events.DataRequestRefused(0x0101, why="the device was silent"),
}


@pytest.mark.finding("edge-C9")
def test_every_kind_of_association_event_is_handled() -> None:
    assert set(get_args(events.Event)) == set(get_args(_NotedEvent)) | {
        manager_events.ReportReceived,
        SegmentDataReceived,
    }


@pytest.mark.finding("edge-C9")
@pytest.mark.parametrize("name", NOTED)
async def test_association_event_of_each_kind_is_logged_in_the_gateway_journal(tmp_path: Path, name: str) -> None:
    async with sessions(tmp_path) as gateway, device(gateway.address):
        (session,) = gateway.supervisor.sessions
        await eventually(lambda: session.device is not None)
        notes = AssociationNotes(gateway.context.journal, session._presence, Counts(), session.link.name)
        await notes.note(NOTED[name])
        await gateway.event(name)
