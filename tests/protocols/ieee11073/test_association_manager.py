"""The manager accepts, refuses, times out and ends associations, and acknowledges only reports that were delivered."""

import pytest

from protocols.deviation import Deviation
from protocols.ieee11073.apdu import decode_apdu
from protocols.ieee11073.apdu.association import Aare, AbortReason, AssociateResult
from protocols.ieee11073.apdu.data import ConfigReportRsp, ConfigResult, ErrorValue, EventType, RejectProblem
from protocols.ieee11073.association.events import (
    Aborted,
    Associated,
    ConfigurationAgreed,
    Event,
    LinkLost,
    Rejected,
    RejectReason,
)
from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.association.manager_events import ClockRead, MdsRead, ReportReceived
from protocols.ieee11073.association.settings import ManagerSettings
from protocols.ieee11073.association.states import State
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.reports import Reading, fixed_report
from protocols.ieee11073.mder import encode
from protocols.ieee11073.specializations import STANDARD_CONFIGURATIONS
from tests.builders.ieee11073_apdus import (
    aarq,
    abrt,
    config_report,
    event_report,
    get_response,
    report_response,
    rlre,
    rlrq,
    roer,
    rorj,
    scan_report,
)
from tests.builders.ieee11073_corpus import apdu, conversations
from tests.builders.ieee11073_devices import OXIMETER, manager, minute, operating_manager

PROBLEM, ERROR = RejectProblem, ErrorValue


def report(number: int = 0, *, confirmed: bool = True, invoke_id: int | None = None) -> bytes:
    readings = (Reading(1, 97.0, minute(number)), Reading(10, 60.0, minute(number)))
    invoke_id = 100 + number if invoke_id is None else invoke_id
    return scan_report(fixed_report(OXIMETER, readings), report_no=number, invoke_id=invoke_id, confirmed=confirmed)


def verdict(config_id: int, result: ConfigResult, invoke_id: int = 1) -> bytes:
    return report_response(invoke_id, EventType.CONFIG, info=encode(ConfigReportRsp(config_id, result)))


def reports_of(events: list[Event]) -> list[ReportReceived]:
    return [event for event in events if isinstance(event, ReportReceived)]


def deviations_of(events: list[Event]) -> list[str]:
    return [event.sentence for event in events if isinstance(event, Deviation)]


def waiting_for_config(settings: ManagerSettings | None = None) -> ManagerAssociation:
    waiting = manager(settings=settings)
    waiting.receive(aarq(0x4001), 0.0)
    waiting.to_send()
    return waiting


@pytest.mark.parametrize("name", conversations())
def test_manager_responses_equal_the_bytes_of_each_corpus_conversation(name: str) -> None:
    association = manager()
    expected, answered = b"", b""
    for sample in conversations()[name]:
        if sample.name == "manager":
            expected += sample.octets
            continue
        assert answered == expected
        for event in association.receive(sample.octets, 0.0):
            association.delivered(event)
        answered += association.to_send()
    assert answered == expected


# Association.


@pytest.mark.parametrize("configuration", STANDARD_CONFIGURATIONS, ids=lambda one: f"{one.config_id:04X}")
def test_known_standard_configuration_is_accepted_without_requesting_it_from_the_agent(
    configuration: Configuration,
) -> None:
    told = manager().receive(aarq(configuration.config_id), 0.0)
    assert [type(event) for event in told] == [Associated, ConfigurationAgreed]


@pytest.mark.parametrize("config_id", [0x0258, 0x4001, 0x7FFF])
def test_unknown_configuration_is_requested_from_the_agent(config_id: int) -> None:
    association = manager()
    (associated,) = association.receive(aarq(config_id), 0.0)
    assert associated == Associated(bytes.fromhex("1122334455667788"), config_id, configuration_known=False)
    assert association.to_send()[:6] == bytes.fromhex("E300002C0003")
    assert association.state is State.WAITING_FOR_CONFIG


def test_standard_configuration_is_requested_when_the_setting_to_accept_it_is_off() -> None:
    association = manager(settings=ManagerSettings(accept_standard_configurations=False))
    (associated,) = association.receive(aarq(0x0190), 0.0)
    assert isinstance(associated, Associated)
    assert not associated.configuration_known


@pytest.mark.parametrize(
    ("request_octets", "result", "reason"),
    [
        (aarq(0x4001, assoc_version=0x4000_0000), 8, RejectReason.UNSUPPORTED_ASSOCIATION_VERSION),
        (aarq(0x4001, data_proto_id=0xFFFF), 4, RejectReason.NO_COMMON_PROTOCOL),
        (aarq(0x4001, protocol_version=0x4000_0000), 5, RejectReason.NO_COMMON_PARAMETER),
        (aarq(0x4001, encoding_rules=0x2000), 5, RejectReason.NO_COMMON_PARAMETER),
        (aarq(0x4001, system_id=b"\x01\x02"), 1, RejectReason.PERMANENT),
    ],
)
def test_unacceptable_association_request_is_rejected_with_the_reason(
    request_octets: bytes, result: int, reason: RejectReason
) -> None:
    association = manager()
    told = association.receive(request_octets, 0.0)
    assert told[-1] == Rejected(reason)
    answer = decode_apdu(association.to_send())
    assert isinstance(answer, Aare)
    assert answer.result == AssociateResult(result)
    assert association.state is State.UNASSOCIATED
    association.receive(aarq(0x0190), 0.0)
    assert association.state is State.OPERATING


@pytest.mark.parametrize("octets", [report(), rlrq(), apdu("e2")], ids=["message", "release", "response"])
def test_message_outside_an_association_gets_an_abort_response(octets: bytes) -> None:
    association = manager()
    association.receive(octets, 0.0)
    assert association.to_send() == abrt()
    assert (association.state, association.closed) == (State.UNASSOCIATED, False)


@pytest.mark.parametrize("octets", [rlre(), abrt()])
def test_late_release_response_or_late_abort_is_ignored(octets: bytes) -> None:
    association = manager()
    assert association.receive(octets, 0.0) == []
    assert association.to_send() == b""


@pytest.mark.parametrize("octets", [aarq(0x4001), apdu("e2"), rlre()])
def test_association_request_or_response_in_the_operating_state_aborts_the_association(octets: bytes) -> None:
    association = operating_manager(OXIMETER)
    (*_, aborted) = association.receive(octets, 1.0)
    assert isinstance(aborted, Aborted)
    assert aborted.by_us
    assert association.to_send() == abrt()


# Configuration.


def test_manager_aborts_when_no_configuration_arrives_within_10_seconds() -> None:
    association = waiting_for_config()
    assert association.deadline_s == 10.0
    assert association.expire(9.9) == []
    assert association.state is State.WAITING_FOR_CONFIG
    (aborted,) = association.expire(10.0)
    assert isinstance(aborted, Aborted)
    assert (aborted.reason, aborted.by_us) == (AbortReason.CONFIGURATION_TIMEOUT, True)
    assert association.to_send() == abrt(AbortReason.CONFIGURATION_TIMEOUT)
    assert association.deadline_s is None


def test_report_that_arrives_before_the_configuration_is_refused() -> None:
    association = waiting_for_config()
    assert reports_of(association.receive(report(), 1.0)) == []
    assert association.to_send() == roer(100, ERROR.NO_SUCH_OBJECT_INSTANCE)
    assert association.deadline_s == 10.0


def test_agent_may_send_another_configuration_after_a_refused_configuration() -> None:
    association = waiting_for_config()
    association.receive(config_report(Configuration(0x0258, ()), invoke_id=1), 4.0)
    assert association.to_send() == verdict(0x0258, ConfigResult.STANDARD_CONFIG_UNKNOWN)
    assert association.deadline_s == 14.0
    association.receive(config_report(Configuration(0x4001, ()), invoke_id=2), 5.0)
    assert association.to_send() == verdict(0x4001, ConfigResult.UNSUPPORTED_CONFIG, 2)
    association.receive(config_report(OXIMETER, invoke_id=3), 6.0)
    assert association.to_send().startswith(verdict(0x4001, ConfigResult.ACCEPTED_CONFIG, 3))
    assert association.state is State.OPERATING


def test_empty_configuration_with_a_standard_id_selects_the_standard_configuration() -> None:
    association = waiting_for_config()
    told = association.receive(config_report(Configuration(0x0190, ())), 1.0)
    agreed = next(event for event in told if isinstance(event, ConfigurationAgreed))
    assert [channel.handle for channel in agreed.channels] == [1, 10]
    assert not agreed.learned


@pytest.mark.finding("edge-check-6")
def test_configuration_whose_id_differs_from_the_association_request_is_used_with_a_deviation() -> None:
    waiting = waiting_for_config()
    offered = Configuration(0x4002, STANDARD_CONFIGURATIONS[0].objects)
    events = waiting.receive(config_report(offered), 0.1)
    assert [event.config_id for event in events if isinstance(event, ConfigurationAgreed)] == [0x4002]
    (deviation,) = deviations_of(events)
    assert str(0x4001) in deviation
    assert str(0x4002) in deviation


def test_undecodable_configuration_is_rejected_and_the_manager_stays_in_waiting_for_config() -> None:
    association = waiting_for_config()
    association.receive(event_report(EventType.CONFIG, bytes.fromhex("4001 0001 0004 0006 0001"), invoke_id=5), 1.0)
    assert association.to_send() == rorj(5, PROBLEM.BADLY_STRUCTURED_APDU)
    assert association.state is State.WAITING_FOR_CONFIG


def test_association_is_aborted_when_the_limit_of_refused_configurations_is_reached() -> None:
    association = waiting_for_config(ManagerSettings(configurations_max=3))
    for number in range(3):
        assert association.state is State.WAITING_FOR_CONFIG
        told = association.receive(config_report(Configuration(0x4001, ()), invoke_id=number), 1.0)
    assert isinstance(told[-1], Aborted)
    assert association.to_send().endswith(abrt())


def test_configuration_with_a_duplicate_handle_is_rejected() -> None:
    association = waiting_for_config()
    twice = Configuration(0x4001, OXIMETER.objects + OXIMETER.objects)
    association.receive(config_report(twice), 1.0)
    assert association.to_send() == rorj(1, PROBLEM.BADLY_STRUCTURED_APDU)


# Get of the MDS.


def test_manager_aborts_when_a_get_request_gets_no_response_within_3_seconds() -> None:
    association = manager()
    association.receive(aarq(0x0190), 0.0)
    assert association.deadline_s == 3.0
    (aborted,) = association.expire(3.0)
    assert isinstance(aborted, Aborted)
    assert association.to_send().endswith(abrt(AbortReason.RESPONSE_TIMEOUT))


def test_agent_that_refuses_the_get_of_the_mds_stays_associated_with_a_deviation() -> None:
    association = manager()
    association.receive(aarq(0x0190), 0.0)
    told = association.receive(roer(0, ERROR.NO_SUCH_OBJECT_INSTANCE), 1.0)
    assert deviations_of(told) == ["the device does not say what it is"]
    assert (association.state, association.deadline_s) == (State.OPERATING, None)


def test_mds_attributes_are_decoded_into_the_device_identity() -> None:
    association = manager()
    association.receive(aarq(0x0190), 0.0)
    answer = apdu("e9")
    read, clock = association.receive(answer[:6] + b"\x00\x00" + answer[8:], 1.0)
    assert isinstance(read, MdsRead)
    identity = read.identity
    assert (identity.manufacturer, identity.model, identity.serial_number) == ("ACME", "OXI-1", "SN001234")
    assert (identity.config_id, identity.specializations) == (0x0190, (((8, 4100), 1),))
    assert identity.date_and_time is not None
    assert identity.date_and_time.text() == "2026-03-01T14:25:00.000"
    assert identity.time_info is not None
    assert identity.time_info.mds_time_cap_state == 0xC010
    assert association.device is identity
    assert clock == ClockRead((identity.date_and_time,), 0.0, 1.0)


def test_unrequested_response_aborts_the_association() -> None:
    association = operating_manager(OXIMETER)
    (*_, aborted) = association.receive(get_response(77), 1.0)
    assert isinstance(aborted, Aborted)
    assert association.to_send() == abrt()


# Absent features, and broken messages.


NO_REPORT = event_report(0x0D99, b"", invoke_id=14)


def test_event_report_of_unknown_type_is_rejected_as_unrecognized_operation() -> None:
    association = operating_manager(OXIMETER)
    told = association.receive(NO_REPORT, 1.0)
    assert deviations_of(told) == ["event reports of type 3481 are not taken"]
    assert association.to_send() == rorj(14, PROBLEM.UNRECOGNIZED_OPERATION)


def test_segment_data_of_an_absent_pm_store_is_refused() -> None:
    association = operating_manager(OXIMETER)
    association.receive(apdu("e26"), 1.0)
    assert association.to_send() == roer(13, ERROR.NO_SUCH_OBJECT_INSTANCE)


@pytest.mark.parametrize("name", ["e8", "e15", "e18"])
def test_get_or_set_or_action_request_of_an_agent_is_rejected_as_unrecognized_operation(name: str) -> None:
    association = operating_manager(OXIMETER)
    association.receive(apdu(name), 1.0)
    assert association.to_send() == rorj(int(apdu(name)[6:8].hex(), 16), PROBLEM.UNRECOGNIZED_OPERATION)


def test_unknown_message_type_is_rejected_as_an_unrecognized_apdu() -> None:
    association = operating_manager(OXIMETER)
    association.receive(bytes.fromhex("E7000008 0006 0042 0999 0000"), 1.0)
    assert association.to_send() == rorj(0x42, PROBLEM.UNRECOGNIZED_APDU)


def test_report_after_a_rejected_malformed_report_is_accepted() -> None:
    association = operating_manager(OXIMETER)
    broken = event_report(EventType.SCAN_REPORT_FIXED, bytes.fromhex("F000 0000 0001 0008 0001 0062"), invoke_id=9)
    association.receive(broken, 1.0)
    assert association.to_send() == rorj(9, PROBLEM.BADLY_STRUCTURED_APDU)
    assert len(reports_of(association.receive(report(), 1.0))) == 1


def test_association_is_aborted_when_the_limit_of_malformed_messages_is_reached() -> None:
    association = operating_manager(OXIMETER, ManagerSettings(malformed_max=3))
    for number in range(4):
        told = association.receive(bytes.fromhex("E7000008 0006 0042 0101 0000"), float(number))
    assert isinstance(told[-1], Aborted)
    assert association.to_send().endswith(abrt())


def test_bytes_without_an_apdu_header_abort_the_association_and_close_the_link() -> None:
    association = operating_manager(OXIMETER)
    told = association.receive(report() + b"HTTP/1.1", 1.0)
    assert isinstance(told[-1], Aborted)
    assert association.closed
    assert association.to_send() == abrt()
    assert association.receive(report(), 2.0) == []


def test_apdu_over_the_limit_aborts_with_buffer_overflow_and_closes_the_link() -> None:
    association = operating_manager(OXIMETER, ManagerSettings(apdu_bytes_max=1000))
    told = association.receive(bytes.fromhex("E700 0400"), 1.0)
    assert isinstance(told[-1], Aborted)
    assert (told[-1].reason, association.closed) == (AbortReason.BUFFER_OVERFLOW, True)
    assert association.to_send() == abrt(AbortReason.BUFFER_OVERFLOW)


def test_release_and_abort_and_timeout_have_no_effect_after_the_link_is_closed() -> None:
    association = operating_manager(OXIMETER)
    assert [type(event) for event in association.receive(b"", 1.0)] == [LinkLost]
    assert association.release(2.0) == association.abort() == association.expire(99.0) == []
    assert (association.to_send(), association.deadline_s) == (b"", None)


def test_deviation_is_reported_once_per_association() -> None:
    association = operating_manager(OXIMETER)
    told = association.receive(NO_REPORT + NO_REPORT, 1.0)
    assert len(deviations_of(told)) == 1
    association.receive(rlrq() + aarq(0x4001), 2.0)
    assert deviations_of(association.receive(NO_REPORT, 3.0)) == deviations_of(told)


def test_manager_aborts_when_its_release_request_gets_no_response_within_3_seconds() -> None:
    association = operating_manager(OXIMETER)
    association.release(1.0)
    assert association.to_send() == rlrq()
    assert association.receive(report(), 2.0) == []
    assert association.deadline_s == 4.0
    assert isinstance(association.expire(4.0)[-1], Aborted)
    assert association.state is State.UNASSOCIATED
