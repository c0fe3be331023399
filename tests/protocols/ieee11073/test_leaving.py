"""While an association is being released, requests in flight are completed and no new requests are sent.

A message that arrives before the release response starts no new request either.
"""

from protocols.ieee11073.apdu import MessageTag, encode_data
from protocols.ieee11073.apdu.data import EventReportResult, EventType
from protocols.ieee11073.apdu.pm_store import SegmentDataDescription, SegmentDataResult
from protocols.ieee11073.association.agent_pm_store import AgentPmStore
from protocols.ieee11073.association.events import Released
from protocols.ieee11073.association.states import State
from protocols.ieee11073.mder import encode
from tests.builders.agent_requests import operating_agent
from tests.builders.ieee11073_apdus import aarq, get_response, report_response, rlre, rlrq
from tests.builders.ieee11073_corpus import conversations
from tests.builders.ieee11073_devices import manager
from tests.builders.memory_devices import METER, STORE, HeldMemory, meter_segment

TRIGGER = bytes.fromhex("E7000010 000E 0001 0107 0008 0009 0C1C 0002 0001")
WHOLE = 0x8000 | 0x0080
"""The bits first-entry and manager-confirm."""


def test_agent_sends_no_further_segment_data_after_its_release_request() -> None:
    store = AgentPmStore(STORE, HeldMemory([meter_segment(1, [0, 1, 2])]), entries_per_event=1)
    agent = operating_agent(METER, store)
    agent.receive(TRIGGER, 0.0)
    assert agent.to_send()[20:].count(b"\x0d\x21") == 1  # the response, and the first event
    agent.release(0.1)
    assert agent.to_send() == rlrq()
    taken = SegmentDataResult(SegmentDataDescription(1, 0, 1, WHOLE))
    answer = EventReportResult(STORE, 0, EventType.SEGMENT_DATA, encode(taken))
    agent.receive(encode_data(0, MessageTag.EVENT_REPORT_RESULT, answer), 0.2)
    assert agent.to_send() == b""
    assert agent.receive(rlre(), 0.3)[-1] == Released()


def test_configuration_response_is_ignored_by_an_agent_that_has_requested_its_release() -> None:
    agent = operating_agent(METER)
    agent.release(0.1)
    agent.to_send()
    agent.receive(report_response(77, EventType.CONFIG), 0.2)
    assert agent.state is State.UNASSOCIATED  # a response without a request: row 9.26


def test_manager_sends_no_further_request_when_it_releases_before_it_has_read_the_mds() -> None:
    """A manager that knew the attributes would send this device requests for its scanner, its clock and its memory."""
    for name in ("scanner_forms", "ecg_scanner", "memory_fetched", "data_on_request"):
        said = [sample.octets for sample in conversations()[name] if sample.name == "agent"]
        leaving = manager()
        for octets in said[:2]:
            leaving.receive(octets, 0.0)
        assert leaving.state is State.OPERATING
        leaving.release(0.1)
        leaving.to_send()
        leaving.receive(get_response(0), 0.2)
        assert leaving.to_send() == b""
        assert leaving.receive(rlre(), 0.3)[-1] == Released()
        leaving.receive(aarq(0x0190), 1.0)
        assert leaving.state is State.OPERATING
