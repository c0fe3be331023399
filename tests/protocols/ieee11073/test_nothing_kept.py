"""A confirmed report without a value that can be stored is refused; its report number does not count as missing."""

import pytest

from protocols.deviation import Deviation
from protocols.ieee11073.apdu.data import ErrorValue, EventType, RejectProblem
from protocols.ieee11073.association.configurations import RememberedConfigurations
from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.association.manager_events import NotTaken, ReportNotTaken, ReportReceived, ReportsLost
from protocols.ieee11073.association.states import State
from protocols.ieee11073.nomenclature import code_of
from protocols.ieee11073.tolerances import Oddity
from tests.builders.ieee11073_apdus import MANAGER_ID, aarq, event_report, get_response, report_response, roer, rorj

OXIMETER, GLUCOMETER = 0x0190, 0x06A4
FIXED, VARIABLE = EventType.SCAN_REPORT_FIXED, EventType.SCAN_REPORT_VAR


def manager(config_id: int) -> ManagerAssociation:
    """Return a manager in the state Operating that has read the MDS of a device with this configuration."""
    association = ManagerAssociation(system_id=MANAGER_ID, configurations=RememberedConfigurations())
    association.receive(aarq(config_id), 0.0)
    association.to_send()
    for event in association.receive(get_response(0, []), 0.1):
        association.delivered(event)
    association.to_send()
    assert association.state is State.OPERATING
    return association


def report(items: str, *, number: int = 0, event_type: EventType = FIXED, handle: int = 0, invoke_id: int = 7) -> bytes:
    info = b"\xf0\x00" + number.to_bytes(2, "big") + bytes.fromhex(items)
    return event_report(event_type, info, handle=handle, invoke_id=invoke_id)


@pytest.mark.finding("edge-check-1")
def test_value_in_an_antidote_agent_report_with_trailing_bytes_is_kept() -> None:
    """Receive a captured report of Antidote's sample agent: the event's length is two more than its list."""
    association = manager(GLUCOMETER)
    sent = bytes.fromhex(
        "E700 002A 0028 0000 0101 0022 0000 FFFFFFFF 0D1D 0018F000 0000 0001 000E 0001 000A F084 2026112707154350 0000"
    )
    (deviation, received) = association.receive(sent, 1.0)
    assert isinstance(deviation, Deviation)
    assert deviation.key == Oddity.REPORT_TRAILING.key
    assert isinstance(received, ReportReceived)
    (observation,) = received.observations
    assert (observation.value, observation.channel.type) == (13.2, code_of("MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD"))
    assert observation.device_time is not None
    assert observation.device_time.text() == "2026-11-27T07:15:43.500"
    association.delivered(received)
    assert association.to_send() == report_response(0, FIXED)


@pytest.mark.finding("edge-check-2")
@pytest.mark.parametrize(
    ("items", "event_type"),
    [
        ("0001 0005 0001 0001 62", FIXED),
        ("0001 0004 0001 0000", FIXED),
        ("0001 0006 0001 0000 0000", VARIABLE),
        ("0002 0008 0001 0000 000A 0000", FIXED),
    ],
)
def test_report_without_a_complete_value_is_rejected(items: str, event_type: EventType) -> None:
    association = manager(OXIMETER)
    events = association.receive(report(items, event_type=event_type), 1.0)
    assert not [each for each in events if isinstance(each, ReportReceived)]
    assert events[-1] == ReportNotTaken(NotTaken.NO_VALUE, confirmed=True)
    assert association.to_send() == rorj(7, RejectProblem.BADLY_STRUCTURED_APDU)
    assert association.state is State.OPERATING


@pytest.mark.finding("edge-check-3")
def test_refused_reports_have_a_reason_and_are_not_counted_as_lost() -> None:
    association = manager(OXIMETER)
    reported = [
        *association.receive(report("0001 0004 0001 0000", number=0), 1.0),
        *association.receive(report("0001 0006 0001 0003 0062", number=1), 1.0),
        *association.receive(report("0001 0006 0009 0002 0062", number=2), 1.0),
    ]
    assert [each.why for each in reported if isinstance(each, ReportNotTaken)] == [
        NotTaken.NO_VALUE,
        NotTaken.UNREADABLE,
        NotTaken.NO_OBJECT,
    ]
    assert association.to_send() == b"".join(
        (
            rorj(7, RejectProblem.BADLY_STRUCTURED_APDU),
            rorj(7, RejectProblem.BADLY_STRUCTURED_APDU),
            roer(7, ErrorValue.NO_SUCH_OBJECT_INSTANCE),
        )
    )
    after = association.receive(report("0001 0006 0001 0002 0062", number=3), 1.0)
    assert not [each for each in after if isinstance(each, ReportsLost)]
    later = association.receive(report("0001 0006 0001 0002 0062", number=5), 1.0)
    assert [each.count for each in later if isinstance(each, ReportsLost)] == [1]
