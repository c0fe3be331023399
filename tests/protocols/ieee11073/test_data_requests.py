"""A device that reports only on request gets one data request for all its objects.

The request has no time limit. If the device supports only time periods, the request is repeated for each period.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from protocols.deviation import Deviation
from protocols.ieee11073.apdu import actions as modes
from protocols.ieee11073.apdu.actions import DataRequest
from protocols.ieee11073.apdu.association import REQUEST_INIT_AGENT
from protocols.ieee11073.apdu.data import EventType, RejectProblem
from protocols.ieee11073.association.agent_data_requests import DataScope, ServedRequests
from protocols.ieee11073.association.data_requests import DATA_REQ_ID
from protocols.ieee11073.association.manager_events import (
    DataFlowEnded,
    DataFlowStarted,
    DataRequestRefused,
    ReportReceived,
)
from protocols.ieee11073.association.settings import AgentSettings, ManagerSettings
from protocols.ieee11073.association.states import State
from protocols.ieee11073.dim.reports import Reading, ScanReport, fixed_report
from protocols.ieee11073.mder import decode
from tests.builders.ieee11073_apdus import abrt, event_report, rorj
from tests.builders.ieee11073_corpus import apdu
from tests.builders.ieee11073_devices import OXIMETER, minute
from tests.builders.ieee11073_pair import association_pair
from tests.builders.requests_device import Device, Requested, acted, data_response, device

ALL_MODES = 0x8EF1
ON_REQUEST = ALL_MODES & ~REQUEST_INIT_AGENT
ONLY_PERIODS = modes.SUPPORTS_SCOPE_ALL | modes.SUPPORTS_TIME_PERIOD
READINGS = (Reading(1, 98.0, minute(0)), Reading(10, 72.0, minute(0)))


def answering(modes_supported: int = ON_REQUEST, flows: int = 1, *, settings: ManagerSettings | None = None) -> Device:
    return device(OXIMETER, modes=modes_supported, flows=flows, settings=settings)


def report_info(data_req_id: int, number: int = 0) -> bytes:
    return data_req_id.to_bytes(2, "big") + number.to_bytes(2, "big") + fixed_report(OXIMETER, READINGS).observations


def test_unlimited_data_request_equals_the_bytes_of_the_reference() -> None:
    played = answering()
    (asked,) = played.asked()
    example = bytearray(apdu("e20"))
    example[6:8] = asked.invoke_id.to_bytes(2, "big")
    assert asked.octets == bytes(example)
    answer = bytearray(apdu("e21"))
    answer[6:8] = asked.invoke_id.to_bytes(2, "big")
    assert played.emit(bytes(answer)) == [DataFlowStarted(DATA_REQ_ID)]


def test_report_inside_the_response_to_a_data_request_is_decoded() -> None:
    played = answering()
    (asked,) = played.asked()
    info = report_info(DATA_REQ_ID)
    report, begun = played.emit(data_response(asked, event_type=EventType.SCAN_REPORT_FIXED, event_info=info))
    assert isinstance(report, ReportReceived)
    assert [observation.value for observation in report.observations] == [98.0, 72.0]
    assert begun == DataFlowStarted(DATA_REQ_ID)


def test_data_flow_ends_at_the_end_of_its_time_period_when_its_continuation_is_refused() -> None:
    played = answering(ONLY_PERIODS)
    (asked,) = played.asked()
    played.emit(data_response(asked))
    for number in range(3):
        info = report_info(DATA_REQ_ID, number)
        played.emit(event_report(EventType.SCAN_REPORT_FIXED, info, confirmed=False))
    assert played.waits(2700.0) == []
    (asked,) = played.asked()
    assert DataRequestRefused(DATA_REQ_ID, "too-many-manager-flows (16)") in played.emit(data_response(asked, 16))
    assert played.waits(899.0) == []
    assert played.waits(1.0) == [DataFlowEnded(DATA_REQ_ID, reports=3)]
    assert played.manager.deadline_s is None


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda asked: data_response(asked, 16), "too-many-manager-flows (16)"),
        (lambda asked: data_response(asked, 99), "unnamed-99 (99)"),
        (
            lambda asked: rorj(asked.invoke_id, RejectProblem.UNRECOGNIZED_OPERATION),
            "RORJ unrecognized-operation (101)",
        ),
        (lambda asked: acted(asked, b"\0\0"), "its answer cannot be read"),
        (lambda asked: data_response(asked, event_type=3356, event_info=b"\0"), "its answer cannot be read"),
        (lambda asked: data_response(asked, event_type=3357, event_info=bytes(7)), "its answer cannot be read"),
    ],
)
def test_refused_data_request_is_reported_with_its_reason_and_the_association_continues(
    answer: Callable[[Requested], bytes], why: str
) -> None:
    played = answering()
    (asked,) = played.asked()
    told = played.emit(answer(asked))
    assert DataRequestRefused(DATA_REQ_ID, why) in told
    assert any(isinstance(event, Deviation) for event in told)
    assert played.manager.state is State.OPERATING


def test_data_request_without_a_response_is_reported_and_the_association_continues() -> None:
    played = answering()
    assert DataRequestRefused(DATA_REQ_ID, "it was not answered in time") in played.waits(3.0)
    assert played.manager.state is State.OPERATING


def test_data_request_is_continued_for_a_device_that_supports_only_time_periods() -> None:
    played = answering(ONLY_PERIODS)
    (asked,) = played.asked()
    request = decode(DataRequest, asked.body.action_info_args)
    assert (request.data_req_mode, request.data_req_time) == (0x8840, 3600 * 8000)
    played.emit(data_response(asked))
    for _ in range(3):
        assert played.waits(2700.0) == []
        (asked,) = played.asked()
        again = decode(DataRequest, asked.body.action_info_args)
        assert again == replace(request, data_req_mode=0xC840)
        played.emit(data_response(asked))


@pytest.mark.parametrize(
    ("modes_supported", "flows", "settings"),
    [
        (ALL_MODES, 1, None),
        (ON_REQUEST, 0, None),
        (modes.SUPPORTS_SINGLE_RESPONSE, 1, None),
        (ON_REQUEST, 1, ManagerSettings(request_data=False)),
    ],
    ids=["it reports by itself", "it takes no request", "it cannot be asked for all", "it is not wanted"],
)
def test_no_data_request_is_sent_by_default(modes_supported: int, flows: int, settings: ManagerSettings | None) -> None:
    assert answering(modes_supported, flows, settings=settings).asked() == []


def test_data_flow_ends_when_the_association_ends() -> None:
    played = answering(ONLY_PERIODS)
    (asked,) = played.asked()
    played.emit(data_response(asked))
    played.emit(abrt())
    assert played.manager.deadline_s is None


def test_agent_sends_the_data_that_the_manager_requests() -> None:
    def current(scope: DataScope) -> ScanReport:
        return fixed_report(OXIMETER, [reading for reading in READINGS if scope.covers(reading.handle)])

    serving = ServedRequests(current, supports=ON_REQUEST, persons=(), flows_max=2)
    settings = AgentSettings(reports_unasked=False)
    pair = association_pair(OXIMETER, services=(serving,), agent_settings=settings).associate()
    assert DataFlowStarted(DATA_REQ_ID) in pair.manager_events
    pair.agent.report(fixed_report(OXIMETER, READINGS), confirmed=True, now_s=2.0, data_req_id=DATA_REQ_ID)
    pair.exchange()
    (report,) = [event for event in pair.manager_events if isinstance(event, ReportReceived)]
    assert [observation.channel.handle for observation in report.observations] == [1, 10]
