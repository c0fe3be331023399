"""A byte stream in which the boundaries of APDUs are lost.

A TCP connection is closed. A serial line continues at the next association request. The wait for the rest of a partial
APDU is limited.
"""

import pytest

from protocols.deviation import Deviation
from protocols.ieee11073.association.events import Aborted, Associated
from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.association.manager_events import ReportReceived
from protocols.ieee11073.association.settings import ManagerSettings
from protocols.ieee11073.association.states import State
from protocols.ieee11073.dim.reports import Reading, fixed_report
from tests.builders.ieee11073_apdus import aarq, abrt, get_response, scan_report
from tests.builders.ieee11073_devices import OXIMETER, manager, minute, operating_manager

LINE = ManagerSettings(resynchronise=True)
NOISE = b"\x5a\xe2\x01\x00\xe7\xff\x80"


def report(number: int = 0) -> bytes:
    readings = (Reading(1, 97.0, minute(number)), Reading(10, 60.0, minute(number)))
    return scan_report(fixed_report(OXIMETER, readings), report_no=number, invoke_id=number)


def request() -> bytes:
    return aarq(config_id=OXIMETER.config_id)


def operating_line() -> ManagerAssociation:
    line = operating_manager(OXIMETER, LINE)
    line.to_send()
    return line


def test_tcp_connection_is_closed_when_apdu_framing_is_lost() -> None:
    connection = operating_manager(OXIMETER)
    events = connection.receive(NOISE + request(), 1.0)
    assert connection.closed
    assert any(isinstance(event, Aborted) for event in events)
    assert not any(isinstance(event, Associated) for event in events)


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_serial_line_resumes_at_the_next_association_request_after_noise(step: int) -> None:
    line = operating_line()
    octets = report() + NOISE + report(1)[3:] + request() + get_response(1) + report()
    events = [
        event for at in range(0, len(octets), step) for event in line.receive(octets[at : at + step], 1.0 + at / 1000)
    ]
    kinds = [type(event) for event in events if isinstance(event, Aborted | Associated | ReportReceived)]
    assert kinds == [ReportReceived, Aborted, Associated, ReportReceived]
    assert line.state is State.OPERATING
    assert not line.closed


def test_noise_on_a_serial_line_causes_one_abort_and_one_deviation() -> None:
    line = operating_line()
    events = [event for number in range(200) for event in line.receive(NOISE, number / 10)]
    assert line.to_send() == abrt()
    assert len([event for event in events if isinstance(event, Deviation)]) == 1
    assert line.deadline_s is None


def test_number_of_response_bytes_to_noise_on_a_serial_line_is_bounded() -> None:
    line = manager(settings=LINE)
    octets = (b"\xe2\x00\x00\x06\x80\x00\x00\x00\xff\xff" + b"\x00") * 5000
    line.receive(octets, 0.0)
    assert not line.closed
    assert len(line.to_send()) <= 2 * len(octets)


def test_connection_is_closed_when_a_partial_apdu_is_not_completed_within_5_seconds() -> None:
    connection = operating_manager(OXIMETER)
    connection.receive(report()[:20], 10.0)
    assert connection.deadline_s == 15.0
    assert connection.expire(14.9) == []
    events = connection.expire(15.0)
    assert connection.closed
    assert [type(event) for event in events] == [Deviation, Aborted]
    assert connection.to_send() == abrt()


def test_apdu_that_arrives_byte_by_byte_within_the_timeout_is_received() -> None:
    connection = operating_manager(OXIMETER)
    octets = report()
    events = [event for at, octet in enumerate(octets) for event in connection.receive(bytes([octet]), 4.0 * at)]
    assert [type(event) for event in events] == [ReportReceived]
    assert connection.deadline_s is None


def test_device_on_a_serial_line_associates_after_a_partial_report_of_the_previous_device() -> None:
    line = operating_line()
    line.receive(b"\xe7\x00\x01\x00" + bytes(20), 0.0)
    assert not any(isinstance(event, Associated) for event in line.receive(request(), 3.0))
    events = line.expire(8.0)
    assert [type(event) for event in events if isinstance(event, Aborted | Associated)] == [Aborted, Associated]
    assert line.state is State.OPERATING


def test_link_closed_within_an_apdu_stays_disconnected() -> None:
    line = operating_line()
    line.receive(b"\xe7\x00\x01\x00" + request(), 0.0)
    line.receive(b"", 1.0)
    assert line.deadline_s is None
    assert line.expire(9.0) == []
    assert line.closed
    assert line.state is State.DISCONNECTED
