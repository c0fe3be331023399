"""A confirmed report is acknowledged only after its delivery, and missing report numbers are reported."""

import pytest

from protocols.deviation import Deviation
from protocols.ieee11073.apdu.data import RejectProblem
from protocols.ieee11073.association.events import Aborted, Associated, ConfigurationAgreed, Event, LinkLost, Released
from protocols.ieee11073.association.manager_events import ReportReceived, ReportsLost
from protocols.ieee11073.dim.reports import Reading, fixed_report
from tests.builders.ieee11073_apdus import (
    aarq,
    abrt,
    get_response,
    report_response,
    rlre,
    rlrq,
    rorj,
    scan_report,
)
from tests.builders.ieee11073_devices import OXIMETER, minute, operating_manager

PROBLEM = RejectProblem


def report(number: int = 0, *, confirmed: bool = True, invoke_id: int | None = None) -> bytes:
    readings = (Reading(1, 97.0, minute(number)), Reading(10, 60.0, minute(number)))
    invoke_id = 100 + number if invoke_id is None else invoke_id
    return scan_report(fixed_report(OXIMETER, readings), report_no=number, invoke_id=invoke_id, confirmed=confirmed)


def reports_of(events: list[Event]) -> list[ReportReceived]:
    return [event for event in events if isinstance(event, ReportReceived)]


def deviations_of(events: list[Event]) -> list[str]:
    return [event.sentence for event in events if isinstance(event, Deviation)]


def test_confirmed_report_is_acknowledged_only_after_its_delivery() -> None:
    association = operating_manager(OXIMETER)
    (received,) = reports_of(association.receive(report(), 1.0))
    assert association.to_send() == b""
    association.delivered(received)
    assert association.to_send() == report_response(100)
    association.delivered(received)
    assert association.to_send() == b""


def test_every_confirmed_report_is_acknowledged_when_several_arrive_in_one_read() -> None:
    association = operating_manager(OXIMETER)
    reports_of(association.receive(report(0), 1.0))
    (received,) = reports_of(association.receive(b"".join(report(number) for number in range(1, 4)), 1.0))
    assert (received.reports, received.report_no, len(received.observations)) == (3, 3, 6)
    association.delivered(received)
    assert association.to_send() == b"".join(report_response(100 + number) for number in range(1, 4))


def test_report_that_cannot_be_stored_is_rejected_with_resource_limitation() -> None:
    association = operating_manager(OXIMETER)
    (received,) = reports_of(association.receive(report(), 1.0))
    association.refused(received)
    assert association.to_send() == rorj(100, PROBLEM.RESOURCE_LIMITATION)
    association.delivered(received)
    assert association.to_send() == b""


def test_unconfirmed_report_gets_no_response() -> None:
    association = operating_manager(OXIMETER)
    (received,) = reports_of(association.receive(report(confirmed=False), 1.0))
    association.delivered(received)
    association.refused(received)
    assert association.to_send() == b""


def test_release_response_waits_for_pending_acknowledgements() -> None:
    association = operating_manager(OXIMETER)
    told = association.receive(report() + rlrq() + aarq(0x0190), 1.0)
    assert [type(event) for event in told] == [ReportReceived, Released, Associated, ConfigurationAgreed]
    assert association.to_send() == b""
    association.delivered(told[0])
    assert association.to_send().startswith(report_response(100) + rlre() + bytes.fromhex("E300"))


def test_release_request_waits_for_pending_acknowledgements() -> None:
    association = operating_manager(OXIMETER)
    (received,) = reports_of(association.receive(report(), 1.0))
    association.release(1.0)
    assert association.to_send() == b""
    association.delivered(received)
    assert association.to_send() == report_response(100) + rlrq()
    assert isinstance(association.receive(rlre(), 1.5)[0], Released)


def test_acknowledgements_of_two_associations_in_one_read_are_sent_in_order() -> None:
    association = operating_manager(OXIMETER)
    octets = report(invoke_id=1) + rlrq() + aarq(0x4001) + get_response(1) + report(invoke_id=2)
    first, second = reports_of(association.receive(octets, 1.0))
    association.delivered(second)
    assert association.to_send() == b""
    association.delivered(first)
    answered = association.to_send()
    assert answered.startswith(report_response(1) + rlre() + bytes.fromhex("E300 002C 0000"))
    assert answered.endswith(report_response(2))


@pytest.mark.parametrize("end", [abrt(), b""], ids=["abort", "link-lost"])
def test_reports_delivered_after_the_association_ended_are_not_acknowledged(end: bytes) -> None:
    association = operating_manager(OXIMETER)
    (received,) = reports_of(association.receive(report(), 1.0))
    ended = association.receive(end, 1.1)
    assert isinstance(ended[-1], Aborted | LinkLost)
    association.delivered(received)
    assert association.to_send() == b""


# Report numbers.


def test_reports_with_missing_report_numbers_are_reported_as_lost() -> None:
    association = operating_manager(OXIMETER)
    told = association.receive(b"".join(report(number) for number in (0, 1, 5, 6)), 1.0)
    assert [event for event in told if isinstance(event, ReportsLost)] == [ReportsLost(3, 1)]
    assert sum(event.reports for event in reports_of(told)) == 4


def test_reports_missing_before_the_first_received_report_are_reported_as_lost() -> None:
    told = operating_manager(OXIMETER).receive(report(7), 1.0)
    assert told[0] == ReportsLost(7, None)


def test_wrap_of_the_report_number_at_65536_is_not_reported_as_a_loss() -> None:
    association = operating_manager(OXIMETER)
    readings = fixed_report(OXIMETER, (Reading(1, 97.0, minute(0)), Reading(10, 60.0, minute(0))))
    numbers = [number % 65_536 for number in range(65_540)]
    octets = b"".join(scan_report(readings, report_no=number, invoke_id=number) for number in numbers)
    told = association.receive(octets[: 58 * 65_530], 1.0) + association.receive(octets[58 * 65_530 :], 2.0)
    assert {type(event) for event in told} == {ReportReceived}
    assert sum(event.reports for event in reports_of(told)) == 65_540
    assert reports_of(told)[-1].report_no == 3


def test_reports_with_a_repeated_report_number_are_kept_with_one_deviation() -> None:
    association = operating_manager(OXIMETER)
    told = association.receive(report(0, invoke_id=1) + report(0, invoke_id=2) + report(0, invoke_id=3), 1.0)
    assert deviations_of(told) == ["a report has the number of the one before it"]
    assert sum(event.reports for event in reports_of(told)) == 3
