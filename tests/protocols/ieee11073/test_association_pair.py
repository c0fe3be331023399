"""Argus' manager and agent together: association, configuration, reports and release."""

import pytest

from protocols.errors import LocalProtocolError
from protocols.ieee11073.apdu.association import AbortReason
from protocols.ieee11073.apdu.data import ErrorValue, RejectProblem
from protocols.ieee11073.association.agent_events import ConfigurationRequested, ReportAccepted, ReportRefused
from protocols.ieee11073.association.configurations import RememberedConfigurations
from protocols.ieee11073.association.events import Aborted, Associated, ConfigurationAgreed, Released
from protocols.ieee11073.association.manager_events import MdsRead, ReportReceived
from protocols.ieee11073.association.settings import AgentSettings
from protocols.ieee11073.association.states import State
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.objects import ava
from protocols.ieee11073.dim.reports import Reading, fixed_report, grouped_report
from protocols.ieee11073.specializations.standard import OXIMETER as STANDARD_OXIMETER
from tests.builders.ieee11073_apdus import AGENT_ID, MANAGER_ID, abrt, roer, rorj
from tests.builders.ieee11073_devices import OXIMETER, ecg_configuration, minute
from tests.builders.ieee11073_pair import Pair, association_pair

LINKS = pytest.mark.parametrize("step", [None, 1, 5], ids=["whole", "octet-by-octet", "five-octets"])


def report(pair: Pair, number: int, *, confirmed: bool = True) -> int:
    readings = (Reading(1, 90.0 + number, minute(number)), Reading(10, 60.0, minute(number)))
    invoke_id = pair.agent.report(fixed_report(OXIMETER, readings), confirmed=confirmed, now_s=pair.now_s)
    pair.exchange()
    return invoke_id


def saturations(pair: Pair) -> list[object]:
    return [event.observations[0].value for event in pair.manager_events if isinstance(event, ReportReceived)]


@LINKS
def test_configuration_and_mds_of_a_new_device_are_read_before_its_reports(step: int | None) -> None:
    model = ava(Attribute.SYSTEM_MODEL, bytes.fromhex("0004 41434D45 0006 4F58492D3120"))
    pair = association_pair(OXIMETER, step=step, mds_attributes=lambda: (model,)).associate()
    assert [type(event) for event in pair.manager_events] == [Associated, ConfigurationAgreed, MdsRead]
    assert [type(event) for event in pair.agent_events] == [Associated, ConfigurationRequested, ConfigurationAgreed]
    assert pair.manager.device is not None
    assert (pair.manager.device.manufacturer, pair.manager.device.model) == ("ACME", "OXI-1")
    ids = [report(pair, number) for number in range(3)]
    assert saturations(pair) == [90.0, 91.0, 92.0]
    assert [event for event in pair.agent_events if isinstance(event, ReportAccepted)] == [
        ReportAccepted(invoke_id, number) for number, invoke_id in enumerate(ids)
    ]
    pair.agent.release(pair.now_s)
    pair.exchange()
    assert isinstance(pair.manager_events[-1], Released)
    assert isinstance(pair.agent_events[-1], Released)


def test_learned_configuration_is_not_requested_in_the_next_association() -> None:
    remembered = RememberedConfigurations()
    association_pair(OXIMETER, remembered=remembered).associate()
    again = association_pair(OXIMETER, remembered=remembered).associate()
    assert again.manager_events[0] == Associated(AGENT_ID, OXIMETER.config_id, configuration_known=True)
    assert again.agent_events[0] == Associated(MANAGER_ID, OXIMETER.config_id, configuration_known=True)
    assert again.agent.state is State.OPERATING


def test_standard_configuration_is_accepted_without_requesting_it_from_the_agent() -> None:
    pair = association_pair(STANDARD_OXIMETER).associate()
    assert pair.agent.state is pair.manager.state is State.OPERATING
    assert ConfigurationRequested(0x0190) not in pair.agent_events


def test_agent_sends_its_second_configuration_when_the_first_is_refused() -> None:
    empty = Configuration(0x4010, ())
    pair = association_pair(empty, OXIMETER).associate()
    assert [event.config_id for event in pair.agent_events if isinstance(event, ConfigurationRequested)] == [
        0x4010,
        OXIMETER.config_id,
    ]
    assert pair.agent.state is State.OPERATING
    report(pair, 1)
    assert saturations(pair) == [91.0]


def test_agent_releases_the_association_when_all_its_configurations_are_refused() -> None:
    pair = association_pair(Configuration(0x4010, ())).associate()
    assert pair.agent.state is pair.manager.state is State.UNASSOCIATED
    assert bytes.fromhex("E400 0002 0001") in pair.sent_by_agent
    assert isinstance(pair.manager_events[-1], Released)


def test_agent_has_at_most_one_unacknowledged_confirmed_report() -> None:
    pair = association_pair(OXIMETER).associate()
    pair.delivers = False
    report(pair, 0)
    with pytest.raises(LocalProtocolError):
        report(pair, 1)
    assert not pair.agent.can_confirm
    report(pair, 2, confirmed=False)
    pair.manager.delivered(pair.manager_events[-2])
    pair.exchange()
    assert pair.agent.can_confirm


def test_association_ends_when_a_confirmed_report_is_not_acknowledged_in_time() -> None:
    pair = association_pair(OXIMETER, agent_settings=AgentSettings(to_cer_s=3.0)).associate()
    pair.delivers = False
    report(pair, 0)
    pair.run_until(2.9)
    assert pair.agent.state is State.OPERATING
    pair.run_until(3.0)
    assert pair.agent.state is pair.manager.state is State.UNASSOCIATED
    assert pair.sent_by_agent[-1] == abrt(AbortReason.RESPONSE_TIMEOUT)
    assert not [event for event in pair.agent_events if isinstance(event, ReportAccepted)]
    pair.manager.delivered(next(event for event in pair.manager_events if isinstance(event, ReportReceived)))
    assert pair.manager.to_send() == b""


def test_report_refused_by_the_manager_is_rejected_with_resource_limitation() -> None:
    pair = association_pair(OXIMETER).associate()
    pair.delivers = False
    invoke_id = report(pair, 0)
    pair.manager.refused(pair.manager_events[-1])
    pair.exchange()
    assert pair.agent_events[-1] == ReportRefused(invoke_id, 0, RejectProblem.RESOURCE_LIMITATION, rejected=True)
    assert pair.sent_by_manager[-1] == rorj(invoke_id, RejectProblem.RESOURCE_LIMITATION)
    pair.delivers = True
    report(pair, 1)
    assert isinstance(pair.agent_events[-1], ReportAccepted)


def test_grouped_scanner_reports_are_decoded_by_the_manager() -> None:
    configuration = ecg_configuration(samples=2)
    pair = association_pair(configuration).associate()
    pair.agent.receive(bytes.fromhex("E7000016 0014 0007 0105 000E 0003 0001 0008 0000 0953 0002 0001"), 0.0)
    pair.agent.to_send()
    groups = [(Reading(1, bytes([0, at, 0, at + 1])), Reading(2, 70.0 + at)) for at in range(3)]
    pair.agent.report(grouped_report(configuration, 3, groups), confirmed=False, now_s=0.0)
    pair.exchange()
    observations = [
        one for event in pair.manager_events if isinstance(event, ReportReceived) for one in event.observations
    ]
    assert [one.samples for one in observations[::2]] == [b"\x00\x00\x00\x01", b"\x00\x01\x00\x02", b"\x00\x02\x00\x03"]
    assert [one.value for one in observations[1::2]] == [70.0, 71.0, 72.0]


def test_agent_associates_again_after_the_manager_released_the_association() -> None:
    pair = association_pair(OXIMETER).associate()
    pair.manager_events += pair.manager.release(pair.now_s)
    pair.exchange()
    assert isinstance(pair.agent_events[-1], Released)
    assert isinstance(pair.manager_events[-1], Released)
    pair.associate()
    assert pair.manager.state is State.OPERATING
    report(pair, 5)
    assert saturations(pair) == [95.0]


def test_abort_by_the_manager_is_reported_by_the_agent() -> None:
    pair = association_pair(OXIMETER).associate()
    pair.manager_events += pair.manager.abort()
    pair.exchange()
    assert pair.agent_events[-1] == Aborted(0, by_us=False, why="the peer ended the association")
    assert pair.manager_events[-1].by_us  # type: ignore[union-attr]  # the event is an Aborted


def test_agent_aborts_after_it_resent_its_association_request_without_a_response() -> None:
    pair = association_pair(OXIMETER, agent_settings=AgentSettings(to_assoc_s=10.0, associations_max=3))
    pair.agent.associate(0.0)
    sent = [pair.agent.to_send()]
    for now_s in (10.0, 20.0):
        assert pair.agent.expire(now_s - 0.1) == []
        assert pair.agent.expire(now_s) == []
        sent.append(pair.agent.to_send())
    assert len(set(sent)) == 1
    (aborted,) = pair.agent.expire(30.0)
    assert isinstance(aborted, Aborted)
    assert aborted.by_us
    assert pair.agent.to_send() == abrt(AbortReason.RESPONSE_TIMEOUT)
    assert pair.agent.state is State.UNASSOCIATED


def test_agent_refuses_unsupported_actions_and_absent_objects() -> None:
    pair = association_pair(OXIMETER).associate()
    set_time = bytes.fromhex("E700001A 0018 0009 0107 0012 0000 0C17 000C 2026030114250000 00000000")
    enable_scanner = bytes.fromhex("E7000016 0014 0007 0105 000E 0003 0001 0008 0000 0953 0002 0001")
    pair.agent.receive(set_time, 0.0)
    assert pair.agent.to_send() == roer(9, ErrorValue.NO_SUCH_ACTION)
    pair.agent.receive(enable_scanner, 0.0)
    assert pair.agent.to_send() == roer(7, ErrorValue.NO_SUCH_OBJECT_INSTANCE)


def test_sending_a_report_over_the_apdu_limit_is_a_local_protocol_error() -> None:
    pair = association_pair(OXIMETER).associate()
    many = [Reading(1, 90.0, minute(0))] * 5000
    with pytest.raises(LocalProtocolError):
        pair.agent.report(fixed_report(OXIMETER, many), confirmed=True, now_s=0.0)
    assert pair.agent.can_confirm
    report(pair, 1)
    assert saturations(pair) == [91.0]


def test_sending_a_report_outside_the_operating_state_is_a_local_protocol_error() -> None:
    pair = association_pair(OXIMETER)
    with pytest.raises(LocalProtocolError):
        report(pair, 0)
    pair.associate()
    with pytest.raises(LocalProtocolError):
        pair.agent.associate(0.0)
