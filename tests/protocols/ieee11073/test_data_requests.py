"""Data is requested in the modes that a device supports: once, for a time, or without limit; automatically if it sends
nothing by itself."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from protocols.deviation import Deviation
from protocols.errors import LocalProtocolError
from protocols.ieee11073.apdu import actions as modes
from protocols.ieee11073.apdu.actions import DataRequest
from protocols.ieee11073.apdu.association import REQUEST_INIT_AGENT
from protocols.ieee11073.apdu.data import EventType, RejectProblem
from protocols.ieee11073.association import (
    DataFlowEnded,
    DataFlowStarted,
    DataRequestRefused,
    ManagerSettings,
    ReportReceived,
    State,
)
from protocols.ieee11073.association.agent_data_requests import DataScope, ServedRequests
from protocols.ieee11073.association.data_requests import DataWanted, Reach
from protocols.ieee11073.dim import Reading, ScanReport, fixed_report
from protocols.ieee11073.mder import decode
from tests.builders.ieee11073_apdus import abrt, event_report, rorj
from tests.builders.ieee11073_corpus import apdu
from tests.builders.ieee11073_devices import OXIMETER, minute
from tests.builders.ieee11073_pair import association_pair
from tests.builders.requests_device import Asked, Device, acted, data_response, device

ALL_MODES = 0x8EF1
READINGS = (Reading(1, 98.0, minute(0)), Reading(10, 72.0, minute(0)))


def answering(modes_supported: int = ALL_MODES, flows: int = 2, *, settings: ManagerSettings | None = None) -> Device:
    return device(OXIMETER, modes=modes_supported, flows=flows, settings=settings)


def report_info(data_req_id: int, number: int = 0) -> bytes:
    return data_req_id.to_bytes(2, "big") + number.to_bytes(2, "big") + fixed_report(OXIMETER, READINGS).observations


def started(played: Device, wanted: DataWanted | None = None) -> int:
    data_req_id = played.manager.data_requests.request(wanted or DataWanted(), now_s=played.now_s)
    (asked,) = played.asked()
    assert played.says(data_response(asked)) == [DataFlowStarted(data_req_id)]
    return data_req_id


def request_of(played: Device) -> DataRequest:
    (asked,) = played.asked()
    return decode(DataRequest, asked.body.action_info_args)


def test_unlimited_data_request_equals_the_bytes_of_the_reference_and_starts_a_flow() -> None:
    played = answering()
    data_req_id = played.manager.data_requests.request(DataWanted(), now_s=0.0)
    (asked,) = played.asked()
    example = bytearray(apdu("e20"))
    example[6:8] = asked.invoke_id.to_bytes(2, "big")
    assert asked.octets == bytes(example)
    answer = bytearray(apdu("e21"))
    answer[6:8] = asked.invoke_id.to_bytes(2, "big")
    assert played.says(bytes(answer)) == [DataFlowStarted(data_req_id)]


def test_reports_are_counted_for_the_data_request_that_they_name() -> None:
    played = answering()
    first, second = started(played), started(played, DataWanted(handles=(1,)))
    for number in range(3):
        info = report_info(second, number)
        played.says(event_report(EventType.SCAN_REPORT_FIXED, info, confirmed=False))
    assert played.manager.data_requests.flows == {first: 0, second: 3}


def test_single_response_is_received_as_a_report_and_ends_its_flow() -> None:
    played = answering()
    data_req_id = played.manager.data_requests.request(DataWanted(reach=Reach.ONCE), now_s=0.0)
    (asked,) = played.asked()
    info = report_info(data_req_id)
    report, begun, ended = played.says(data_response(asked, event_type=EventType.SCAN_REPORT_FIXED, event_info=info))
    assert isinstance(report, ReportReceived)
    assert [observation.value for observation in report.observations] == [98.0, 72.0]
    assert (begun, ended) == (DataFlowStarted(data_req_id), DataFlowEnded(data_req_id, reports=1))
    assert played.manager.data_requests.flows == {}


@pytest.mark.parametrize(
    ("wanted", "mode", "rest"),
    [
        (DataWanted(reach=Reach.PERIOD, period_s=2.5), 0x8840, (20_000, 0xFFFF, 0, ())),
        (DataWanted(reach=Reach.ONCE, object_class=6), 0x8480, (0, 0xFFFF, 6, ())),
        (DataWanted(handles=(1, 10)), 0x8220, (0, 0xFFFF, 0, (1, 10))),
        (DataWanted(person=2), 0x8828, (0, 2, 0, ())),
    ],
)
def test_data_request_mode_bits_match_the_requested_scope_and_duration(
    wanted: DataWanted, mode: int, rest: tuple[object, ...]
) -> None:
    played = answering()
    played.manager.data_requests.request(wanted, now_s=0.0)
    request = request_of(played)
    handles = tuple(entry.obj_handle for entry in request.data_req_obj_handle_list)
    assert request.data_req_mode == mode
    assert (request.data_req_time, request.data_req_person_id, request.data_req_class, handles) == rest


@pytest.mark.parametrize(
    ("wanted", "missing"),
    [
        (DataWanted(), modes.SUPPORTS_SCOPE_ALL),
        (DataWanted(), modes.SUPPORTS_TIME_NO_LIMIT),
        (DataWanted(object_class=6), modes.SUPPORTS_SCOPE_CLASS),
        (DataWanted(handles=(1,)), modes.SUPPORTS_SCOPE_HANDLE),
        (DataWanted(reach=Reach.ONCE), modes.SUPPORTS_SINGLE_RESPONSE),
        (DataWanted(reach=Reach.PERIOD, period_s=1.0), modes.SUPPORTS_TIME_PERIOD),
        (DataWanted(person=1), modes.SUPPORTS_PERSON_ID),
    ],
)
def test_data_request_that_a_device_does_not_accept_is_never_sent(wanted: DataWanted, missing: int) -> None:
    played = answering(ALL_MODES & ~missing)
    with pytest.raises(LocalProtocolError, match="does not take"):
        played.manager.data_requests.request(wanted, now_s=0.0)
    assert played.asked() == []


def test_contradictory_data_requests_and_too_many_flows_are_local_errors() -> None:
    requests = answering(flows=1).manager.data_requests
    for wanted in (
        DataWanted(handles=(1,), object_class=6),
        DataWanted(reach=Reach.PERIOD),
        DataWanted(reach=Reach.PERIOD, period_s=600_000.0),
    ):
        with pytest.raises(LocalProtocolError):
            requests.request(wanted, now_s=0.0)
    requests.request(DataWanted(), now_s=0.0)
    with pytest.raises(LocalProtocolError, match="at one time"):
        requests.request(DataWanted(), now_s=0.0)


def test_flow_is_stopped_by_a_data_request_with_the_start_bit_clear() -> None:
    played = answering()
    data_req_id = started(played)
    played.manager.data_requests.stop(data_req_id, now_s=1.0)
    (asked,) = played.asked()
    request = decode(DataRequest, asked.body.action_info_args)
    assert (request.data_req_id, request.data_req_mode) == (data_req_id, 0x0820)
    assert played.says(data_response(asked)) == [DataFlowEnded(data_req_id, reports=0)]
    with pytest.raises(LocalProtocolError, match="stands"):
        played.manager.data_requests.stop(data_req_id, now_s=2.0)


def test_stop_is_not_sent_to_a_device_without_stop_support() -> None:
    played = answering(ALL_MODES & ~modes.SUPPORTS_STOP)
    with pytest.raises(LocalProtocolError, match="does not take a stop"):
        played.manager.data_requests.stop(started(played), now_s=1.0)


def test_flow_for_a_time_period_ends_by_itself_and_later_if_prolonged() -> None:
    played = answering()
    data_req_id = started(played, DataWanted(reach=Reach.PERIOD, period_s=10.0))
    played.waits(8.0)
    played.manager.data_requests.prolong(data_req_id, now_s=8.0)
    (asked,) = played.asked()
    assert decode(DataRequest, asked.body.action_info_args).data_req_mode == 0xC840
    played.says(data_response(asked))
    assert played.waits(9.0) == []
    assert played.waits(1.0) == [DataFlowEnded(data_req_id, reports=0)]


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
    answer: Callable[[Asked], bytes], why: str
) -> None:
    played = answering()
    data_req_id = played.manager.data_requests.request(DataWanted(), now_s=0.0)
    (asked,) = played.asked()
    told = played.says(answer(asked))
    assert DataRequestRefused(data_req_id, why) in told
    assert any(isinstance(event, Deviation) for event in told)
    assert played.manager.data_requests.flows == {}
    assert played.manager.state is State.OPERATING


def test_data_request_without_a_response_is_reported_and_the_association_continues() -> None:
    played = answering()
    data_req_id = played.manager.data_requests.request(DataWanted(), now_s=0.0)
    assert DataRequestRefused(data_req_id, "it was not answered in time") in played.waits(3.0)
    assert played.manager.state is State.OPERATING


def test_device_without_agent_initiated_reports_gets_an_unlimited_data_request() -> None:
    played = answering(ALL_MODES & ~REQUEST_INIT_AGENT)
    assert request_of(played).data_req_mode == 0x8820


def test_device_that_supports_only_time_periods_gets_continued_data_requests() -> None:
    played = answering(modes.SUPPORTS_SCOPE_ALL | modes.SUPPORTS_TIME_PERIOD)
    (asked,) = played.asked()
    request = decode(DataRequest, asked.body.action_info_args)
    assert (request.data_req_mode, request.data_req_time) == (0x8840, 3600 * 8000)
    played.says(data_response(asked))
    for _ in range(3):
        assert played.waits(2700.0) == []
        (asked,) = played.asked()
        again = decode(DataRequest, asked.body.action_info_args)
        assert again == replace(request, data_req_mode=0xC840)
        played.says(data_response(asked))


@pytest.mark.parametrize(
    ("modes_supported", "flows", "settings"),
    [
        (ALL_MODES, 1, None),
        (ALL_MODES & ~REQUEST_INIT_AGENT, 0, None),
        (modes.SUPPORTS_SINGLE_RESPONSE, 1, None),
        (ALL_MODES & ~REQUEST_INIT_AGENT, 1, ManagerSettings(request_data=False)),
    ],
    ids=["it reports by itself", "it takes no request", "it cannot be asked for all", "it is not wanted"],
)
def test_no_data_request_is_sent_by_default(modes_supported: int, flows: int, settings: ManagerSettings | None) -> None:
    assert answering(modes_supported, flows, settings=settings).asked() == []


def test_data_flows_end_with_their_association() -> None:
    played = answering()
    started(played)
    played.says(abrt())
    assert (played.manager.data_requests.flows, played.manager.deadline_s) == ({}, None)
    with pytest.raises(LocalProtocolError):
        played.manager.data_requests.request(DataWanted(), now_s=1.0)


def test_agent_serves_the_data_requests_of_the_manager() -> None:
    def current(scope: DataScope) -> ScanReport:
        return fixed_report(OXIMETER, [reading for reading in READINGS if scope.covers(reading.handle)])

    serving = ServedRequests(current, supports=ALL_MODES, persons=(), flows_max=2)
    pair = association_pair(OXIMETER, services=(serving,)).associate()
    requests = pair.manager.data_requests
    requests.request(DataWanted(reach=Reach.ONCE, handles=(10,)), now_s=1.0)
    flow = requests.request(DataWanted(), now_s=1.0)
    pair.exchange()
    (report,) = [event for event in pair.manager_events if isinstance(event, ReportReceived)]
    assert [observation.channel.handle for observation in report.observations] == [10]
    pair.agent.report(fixed_report(OXIMETER, READINGS), confirmed=True, now_s=2.0, data_req_id=flow)
    pair.exchange()
    assert requests.flows == {flow: 1}
