"""The agent's responses to a manager that reads and enables scanners, sets the clock, and requests data."""

from collections.abc import Sequence

import pytest

from protocols.device_time import DeviceTime, TimeKind
from protocols.errors import LocalProtocolError
from protocols.ieee11073.apdu import MessageTag
from protocols.ieee11073.apdu import actions as modes
from protocols.ieee11073.apdu.actions import ActionType, DataRequestResult
from protocols.ieee11073.apdu.data import ErrorValue, EventReportResult, EventType, RejectProblem
from protocols.ieee11073.association.agent_clock import SettableClock
from protocols.ieee11073.association.agent_data_requests import DataScope, ServedRequests
from protocols.ieee11073.association.agent_events import ScannerSwitched
from protocols.ieee11073.association.agent_service import Acted, AgentService, Refusal, Refused, Rejected, Silent
from protocols.ieee11073.association.events import Released
from protocols.ieee11073.association.settings import AgentSettings
from protocols.ieee11073.association.states import State
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.objects import episodic_scanner, numeric
from protocols.ieee11073.dim.reports import Reading, ScanReport, fixed_report, grouped_report
from protocols.ieee11073.mder import encode
from tests.builders.agent_requests import (
    action,
    attributes_read,
    data_request,
    data_response,
    enable,
    get,
    message_of,
    operating_agent,
    response_of,
    set_,
)
from tests.builders.ieee11073_apdus import report_response, rlre, roer, rorj
from tests.builders.ieee11073_corpus import apdu
from tests.builders.ieee11073_devices import BPM, HEART_RATE, OXIMETER, ecg_configuration, minute

ECG = ecg_configuration(samples=2)
SCANNER = 3
GROUP = [(Reading(1, bytes(4)), Reading(2, 70.0))]
ALL_KINDS = 0x8EF0
"""Every SUPPORTS_… bit."""
START = modes.MODE_START


def test_scanner_may_report_only_after_it_is_enabled() -> None:
    agent = operating_agent(ECG)
    assert attributes_read(response_of(agent, get(SCANNER)))[Attribute.OPERATIONAL_STATE] == b"\x00\x00"
    with pytest.raises(LocalProtocolError, match="not enabled"):
        agent.report(grouped_report(ECG, SCANNER, GROUP), confirmed=False, now_s=0.0)
    assert agent.receive(enable(SCANNER), 0.0) == [ScannerSwitched(SCANNER, enabled=True)]
    assert agent.to_send() == bytes.fromhex(
        "E7000014 0012 0001 0205 000C 0003 0001 0006 0953 0002 0001".replace(" ", "")
    )
    agent.report(grouped_report(ECG, SCANNER, GROUP), confirmed=False, now_s=0.0)
    assert agent.receive(set_(SCANNER, (3, Attribute.OPERATIONAL_STATE, b"\x00\x00")), 0.0) == [
        ScannerSwitched(SCANNER, enabled=False)
    ]


def test_enabled_scanner_is_disabled_when_its_association_ends() -> None:
    agent = operating_agent(ECG)
    response_of(agent, enable(SCANNER))
    agent.receive(bytes.fromhex("E60000020000"), 0.0)
    assert not agent.scanner_enabled(SCANNER)


def test_unconfirmed_set_is_executed_without_a_response() -> None:
    agent = operating_agent(ECG)
    assert response_of(agent, enable(SCANNER, confirmed=False)) == b""
    assert agent.scanner_enabled(SCANNER)


def test_scanners_of_an_agent_start_enabled_when_its_settings_enable_them() -> None:
    agent = operating_agent(ECG, settings=AgentSettings(scanners_start_enabled=True))
    assert agent.scanner_enabled(SCANNER)


@pytest.mark.parametrize(
    "modification",
    [(0, Attribute.CONFIRM_MODE, b"\0\0"), (1, Attribute.OPERATIONAL_STATE, b"\0\1"), (0, 2387, b"\0\2")],
    ids=["another attribute", "added to", "neither enabled nor disabled"],
)
def test_scanner_refuses_a_set_of_any_attribute_except_its_operational_state(
    modification: tuple[int, int, bytes],
) -> None:
    agent = operating_agent(ECG)
    assert response_of(agent, set_(SCANNER, modification)) == roer(1, ErrorValue.NOT_ALLOWED_BY_OBJECT)
    assert not agent.scanner_enabled(SCANNER)


def test_set_of_an_operational_state_of_wrong_length_is_rejected_as_badly_structured() -> None:
    octets = set_(SCANNER, (0, Attribute.OPERATIONAL_STATE, b"\1"))
    assert response_of(operating_agent(ECG), octets) == rorj(1, RejectProblem.BADLY_STRUCTURED_APDU)


def test_get_of_a_scanner_returns_only_the_requested_attributes() -> None:
    agent = operating_agent(ECG)
    told = attributes_read(response_of(agent, get(SCANNER, Attribute.REPORTING_INTERVAL, 9999)))
    assert told == {Attribute.REPORTING_INTERVAL: (256).to_bytes(4, "big")}


@pytest.mark.parametrize(("timeout_s", "deadline_s"), [(None, 4.0), (7.5, 8.5)])
def test_confirmed_report_times_out_after_the_confirm_timeout_of_its_scanner(
    timeout_s: float | None, deadline_s: float
) -> None:
    rate = numeric(2, HEART_RATE, BPM)
    scanner = episodic_scanner(SCANNER, (rate,), interval_min_s=0.5, confirmed=True, confirm_timeout_s=timeout_s)
    configuration = Configuration(0x4005, (rate, scanner))
    agent = operating_agent(configuration, settings=AgentSettings(to_cer_s=3.0))
    response_of(agent, enable(SCANNER))
    agent.report(fixed_report(configuration, [Reading(2, 70.0)], scanner=SCANNER), confirmed=True, now_s=1.0)
    assert agent.deadline_s == deadline_s


# The clock.


def clock(refusal: Refusal | None = None, kind: TimeKind = TimeKind.ABSOLUTE) -> tuple[SettableClock, list[DeviceTime]]:
    """Return a settable clock for an agent, and the list of times that managers requested. The agent accepts each of
    these requests if `refusal` is None, and rejects it with `refusal` otherwise."""
    times: list[DeviceTime] = []

    def set_clock(time: DeviceTime) -> Refusal | None:
        times.append(time)
        return refusal

    return SettableClock(set_clock, kind), times


def test_set_time_request_sets_the_clock_of_the_agent() -> None:
    setting, times = clock()
    assert response_of(operating_agent(OXIMETER, setting), apdu("e18")) == apdu("e19")
    assert [time.text() for time in times] == ["2026-03-01T14:25:00.000"]


def test_base_offset_clock_is_set_only_by_the_set_base_offset_time_action() -> None:
    setting, times = clock(kind=TimeKind.BASE_OFFSET)
    agent = operating_agent(OXIMETER, setting)
    octets = bytes.fromhex("D46740381314FED4")
    assert (
        message_of(response_of(agent, action(ActionType.SET_BASE_OFFSET_TIME, octets))).message
        is MessageTag.ACTION_RESULT
    )
    assert times == [DeviceTime(TimeKind.BASE_OFFSET, octets)]
    assert response_of(agent, apdu("e18")) == roer(9, ErrorValue.NO_SUCH_ACTION)


@pytest.mark.parametrize(
    ("refusal", "answer"),
    [
        (Refused(ErrorValue.NOT_ALLOWED_BY_OBJECT, 1000), bytes.fromhex("E700000E000C00090300000600180002 03E8")),
        (Rejected(RejectProblem.RESOURCE_LIMITATION), rorj(9, RejectProblem.RESOURCE_LIMITATION)),
        (Silent(), b""),
    ],
    ids=["busy", "no room", "silence"],
)
def test_refused_set_time_request_gets_an_error_or_a_reject_or_no_response_as_configured(
    refusal: Refusal, answer: bytes
) -> None:
    assert response_of(operating_agent(OXIMETER, clock(refusal)[0]), apdu("e18")) == answer


def test_set_time_request_with_an_impossible_date_is_refused() -> None:
    setting, times = clock()
    octets = action(ActionType.SET_TIME, bytes.fromhex("2026130114250000 00000000"))
    assert response_of(operating_agent(OXIMETER, setting), octets) == roer(1, ErrorValue.NOT_ALLOWED_BY_OBJECT)
    assert times == []
    short = action(ActionType.SET_TIME, bytes(11))
    assert response_of(operating_agent(OXIMETER, setting), short) == rorj(1, RejectProblem.BADLY_STRUCTURED_APDU)


def test_unconfirmed_action_is_executed_without_a_response() -> None:
    setting, times = clock()
    octets = action(ActionType.SET_TIME, bytes.fromhex("2026030114250000 00000000"), confirmed=False)
    assert response_of(operating_agent(OXIMETER, setting), octets) == b""
    assert len(times) == 1


@pytest.mark.parametrize(
    ("octets", "error"),
    [
        (action(ActionType.SET_TIME, bytes(12)), ErrorValue.NO_SUCH_ACTION),
        (action(ActionType.SEG_CLR, bytes(6), handle=1), ErrorValue.INVALID_OBJECT_INSTANCE),
        (action(ActionType.SEG_CLR, bytes(6), handle=9), ErrorValue.NO_SUCH_OBJECT_INSTANCE),
        (set_(1, (0, 2387, b"\0\1")), ErrorValue.INVALID_OBJECT_INSTANCE),
        (set_(0, (0, 2387, b"\0\1")), ErrorValue.INVALID_OBJECT_INSTANCE),
        (enable(9), ErrorValue.NO_SUCH_OBJECT_INSTANCE),
    ],
)
def test_request_for_an_absent_object_or_action_gets_the_matching_error_value(octets: bytes, error: ErrorValue) -> None:
    assert response_of(operating_agent(OXIMETER), octets) == roer(1, error)


# Data requests.


def requests(
    supports: int = ALL_KINDS, *, persons: Sequence[int] = (), flows_max: int = 2, continuation: bool = True
) -> tuple[ServedRequests, list[DataScope]]:
    """Return the agent's service for data requests, and the list of the scopes that were requested from it.

    The service responds to a single request with one report. `supports` are the supported kinds of request.
    """
    scopes: list[DataScope] = []

    def current(scope: DataScope) -> ScanReport | None:
        scopes.append(scope)
        readings = Reading(1, 98.0, minute(0)), Reading(10, 72.0, minute(0))
        covered = [reading for reading in readings if scope.covers(reading.handle)]
        return fixed_report(OXIMETER, covered) if covered else None

    return ServedRequests(
        current, supports=supports, persons=persons, flows_max=flows_max, continuation=continuation
    ), scopes


def test_unlimited_data_request_runs_until_the_manager_stops_it() -> None:
    serving, _ = requests()
    agent = operating_agent(OXIMETER, serving)
    assert response_of(agent, apdu("e20")) == apdu("e21")
    assert [flow.data_req_id for flow in serving.flows(1e6)] == [1]
    reading = Reading(1, 98.0, minute(0)), Reading(10, 72.0, minute(0))
    agent.report(fixed_report(OXIMETER, reading), confirmed=False, now_s=1.0, data_req_id=1)
    assert agent.to_send()[22:26] == bytes.fromhex("0001 0000")
    assert data_response(response_of(agent, data_request(0))).data_req_result is DataRequestResult.NO_ERROR
    assert serving.flows(0.0) == ()


def test_single_response_data_request_gets_a_response_that_contains_the_report() -> None:
    serving, _ = requests()
    mode = START | modes.MODE_SCOPE_HANDLE | modes.MODE_SINGLE_RESPONSE
    told = data_response(
        response_of(operating_agent(OXIMETER, serving), data_request(mode, request_id=7, handles=[10]))
    )
    assert (told.data_req_result, told.event_type) == (DataRequestResult.NO_ERROR, EventType.SCAN_REPORT_FIXED)
    assert told.event_info[:8].hex() == "00070000" + "0001000e"
    assert serving.flows(0.0) == ()


def test_data_request_for_a_time_period_can_be_continued_before_it_ends() -> None:
    serving, _ = requests()
    agent = operating_agent(OXIMETER, serving)
    response_of(agent, data_request(START | modes.MODE_SCOPE_ALL | modes.MODE_TIME_PERIOD, for_s=2.0), 10.0)
    assert serving.flows(11.9)
    response_of(agent, data_request(modes.MODE_CONTINUATION, for_s=3.0), 11.9)
    assert serving.flows(14.8)
    assert not serving.flows(15.0)


def test_data_request_for_an_object_class_covers_the_objects_of_that_class() -> None:
    serving, scopes = requests()
    mode = START | modes.MODE_SCOPE_CLASS | modes.MODE_SINGLE_RESPONSE
    response_of(operating_agent(OXIMETER, serving), data_request(mode, object_class=6))
    assert scopes == [DataScope(frozenset({1, 10}), None)]


def test_data_request_for_one_person_covers_no_other_person() -> None:
    serving, scopes = requests(persons=(1, 2))
    mode = START | modes.MODE_SCOPE_ALL | modes.MODE_SINGLE_RESPONSE | modes.MODE_PERSON_ID
    response_of(operating_agent(OXIMETER, serving), data_request(mode, person=2))
    (scope,) = scopes
    assert scope.covers(1, 2)
    assert not scope.covers(1, 1)
    assert not scope.covers(1)


ALL_ALWAYS = START | modes.MODE_SCOPE_ALL | modes.MODE_TIME_NO_LIMIT
_R = DataRequestResult


@pytest.mark.parametrize(
    ("result", "supports", "request_octets"),
    [
        (_R.UNSPECIFIC_ERROR, ALL_KINDS, data_request(START | 0x0280, handles=[3])),
        (_R.NO_STOP_SUPPORT, ALL_KINDS & ~modes.SUPPORTS_STOP, data_request(0)),
        (_R.NO_SCOPE_ALL_SUPPORT, ALL_KINDS & ~modes.SUPPORTS_SCOPE_ALL, data_request(ALL_ALWAYS)),
        (_R.NO_SCOPE_CLASS_SUPPORT, ALL_KINDS & ~modes.SUPPORTS_SCOPE_CLASS, data_request(START | 0x0420)),
        (_R.NO_SCOPE_HANDLE_SUPPORT, ALL_KINDS & ~modes.SUPPORTS_SCOPE_HANDLE, data_request(START | 0x0220)),
        (_R.NO_SINGLE_RESPONSE_SUPPORT, ALL_KINDS & ~modes.SUPPORTS_SINGLE_RESPONSE, data_request(START | 0x0880)),
        (_R.NO_TIME_PERIOD_SUPPORT, ALL_KINDS & ~modes.SUPPORTS_TIME_PERIOD, data_request(START | 0x0840)),
        (_R.NO_TIME_NO_LIMIT_SUPPORT, ALL_KINDS & ~modes.SUPPORTS_TIME_NO_LIMIT, data_request(ALL_ALWAYS)),
        (_R.NO_PERSON_ID_SUPPORT, ALL_KINDS & ~modes.SUPPORTS_PERSON_ID, data_request(ALL_ALWAYS | 8, person=1)),
        (_R.UNKNOWN_PERSON_ID, ALL_KINDS, data_request(ALL_ALWAYS | 8, person=1)),
        (_R.UNKNOWN_CLASS, ALL_KINDS, data_request(START | 0x0420, object_class=9)),
        (_R.UNKNOWN_HANDLE, ALL_KINDS, data_request(START | 0x0220, handles=[1, 2])),
        (_R.UNSUPPORTED_SCOPE_COMBINATION, ALL_KINDS, data_request(START | 0x0C20)),
        (_R.UNSUPPORTED_MODE_COMBINATION, ALL_KINDS, data_request(START | 0x0860)),
        (_R.INVALID_REQUEST_ID, ALL_KINDS, data_request(ALL_ALWAYS, request_id=0xF000)),
        (_R.INVALID_REQUEST_ID, ALL_KINDS, data_request(0, request_id=5)),
        (_R.INVALID_REQUEST_ID, ALL_KINDS, data_request(modes.MODE_CONTINUATION, request_id=5)),
    ],
    ids=lambda given: given.name if isinstance(given, DataRequestResult) else "",
)
def test_refused_data_request_gets_the_result_code_for_the_reason(
    result: DataRequestResult, supports: int, request_octets: bytes
) -> None:
    serving, _ = requests(supports)
    if result is DataRequestResult.UNSPECIFIC_ERROR:
        agent = operating_agent(ECG, serving)
    else:
        agent = operating_agent(OXIMETER, serving)
    told = data_response(response_of(agent, request_octets))
    assert (told.data_req_result, told.event_type, told.event_info) == (result, 0, b"")


def test_data_request_over_the_flow_limit_or_with_a_used_request_id_is_refused() -> None:
    serving, _ = requests(flows_max=1, continuation=False)
    agent = operating_agent(OXIMETER, serving)
    response_of(agent, data_request(ALL_ALWAYS, request_id=1))
    again, another, longer = (
        data_response(response_of(agent, octets)).data_req_result
        for octets in (
            data_request(ALL_ALWAYS, request_id=1),
            data_request(ALL_ALWAYS, request_id=2),
            data_request(modes.MODE_CONTINUATION),
        )
    )
    assert (again, another, longer) == (
        _R.INVALID_REQUEST_ID,
        _R.TOO_MANY_MANAGER_FLOWS,
        _R.CONTINUATION_NOT_SUPPORTED,
    )


def test_association_request_announces_the_supported_data_request_modes() -> None:
    serving, _ = requests(flows_max=2)
    agent = operating_agent(OXIMETER, serving)
    agent.receive(bytes.fromhex("E60000020000"), 0.0)
    agent.associate(0.0)
    assert agent.to_send()[46:50].hex() == "8ef1" + "01" + "02"


# Reports that a service makes, and the end.


class Memory(AgentService):
    """A stand-in for a PM-store, which sends two segment events when a manager requests an action of handle 1."""

    def __init__(self) -> None:
        self.answers: list[object] = []

    def act(self, handle: int, action_type: int, args: bytes) -> Acted | None:
        return Acted(then=self._send) if handle == 1 else None

    def _send(self) -> None:
        for info in (b"\0\1", b"\0\2"):
            self.port.confirm(
                1, EventType.SEGMENT_DATA, info, to_s=5.0, done=lambda received: self.answers.append(received.body)
            )


def test_confirmed_segment_events_are_sent_one_at_a_time_after_the_action_response() -> None:
    memory = Memory()
    agent = operating_agent(OXIMETER, memory)
    sent = response_of(agent, action(ActionType.SEG_TRIG_XFER, b"\0\1", handle=1), 2.0)
    answer, first = sent[:18], sent[18:]
    assert message_of(answer).message is MessageTag.ACTION_RESULT
    assert (first[-2:], agent.deadline_s, agent.can_confirm) == (b"\0\1", 7.0, False)
    second = response_of(agent, report_response(0, EventType.SEGMENT_DATA, handle=1), 3.0)
    assert second[-2:] == b"\0\2"
    response_of(agent, report_response(1, EventType.SEGMENT_DATA, handle=1), 4.0)
    assert [type(body) for body in memory.answers] == [EventReportResult] * 2
    assert agent.can_confirm


def test_reconfigured_agent_releases_and_associates_with_the_new_configuration() -> None:
    agent = operating_agent(OXIMETER)
    agent.reconfigure((ECG,), 1.0)
    assert agent.to_send() == bytes.fromhex("E40000020002")
    assert agent.receive(rlre(), 1.1) == [Released()]
    agent.associate(1.2)
    assert agent.to_send()[44:46] == ECG.config_id.to_bytes(2, "big")
    assert agent.state is State.ASSOCIATING


def test_agent_reconfigured_outside_an_association_sends_no_apdu() -> None:
    agent = operating_agent(OXIMETER)
    agent.receive(bytes.fromhex("E60000020000"), 0.0)
    assert agent.reconfigure((ECG,), 1.0) == []
    assert agent.to_send() == b""
    with pytest.raises(LocalProtocolError):
        agent.reconfigure((), 1.0)


def test_undecodable_action_arguments_are_rejected_as_badly_structured() -> None:
    serving, _ = requests()
    octets = action(ActionType.DATA_REQUEST, encode(ECG.objects[0])[:3])
    assert response_of(operating_agent(OXIMETER, serving), octets) == rorj(1, RejectProblem.BADLY_STRUCTURED_APDU)
