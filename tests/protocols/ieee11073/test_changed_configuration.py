"""A device whose configuration contents changed under the same id, as after a firmware update.

The manager requests the configuration again once, and no stored data of the device is lost.
"""

from dataclasses import replace

from protocols.deviation import Deviation
from protocols.ieee11073.association.events import Aborted, Associated
from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.association.manager_events import ReportReceived
from protocols.ieee11073.association.states import State
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.reports import Reading, fixed_report
from protocols.ieee11073.specializations import standard_configuration
from tests.builders.ieee11073_apdus import aarq, abrt, config_report, get_response, scan_report
from tests.builders.ieee11073_devices import OXIMETER, ecg_configuration, manager, minute

EXTENDED = 0x4001
BEFORE = Configuration(EXTENDED, OXIMETER.objects)
AFTER = Configuration(EXTENDED, ecg_configuration(samples=6).objects)


def after_report(number: int = 0) -> bytes:
    return scan_report(fixed_report(AFTER, (Reading(1, bytes(12)),)), report_no=number, invoke_id=number)


def was_asked(remembering: ManagerAssociation, invoke_id: int) -> bool:
    """Associate the device; return whether the manager requested the device's configuration.

    If the manager requested none, the device responds to the manager's Get of the MDS.
    """
    events = remembering.receive(aarq(EXTENDED), 0.0)
    known = next(event for event in events if isinstance(event, Associated)).configuration_known
    if known:
        remembering.receive(get_response(invoke_id), 0.0)
    remembering.to_send()
    return not known


def explain(agent: ManagerAssociation, configuration: Configuration, invoke_id: int) -> None:
    agent.receive(config_report(configuration), 0.0)
    agent.receive(get_response(invoke_id), 0.0)
    agent.to_send()


def test_configuration_is_requested_again_after_a_report_contradicted_it() -> None:
    updated = manager(known=BEFORE)
    assert not was_asked(updated, 0)
    events = updated.receive(after_report(), 1.0)
    assert [type(event) for event in events] == [Deviation, Aborted]
    assert updated.to_send() == abrt()
    assert was_asked(updated, 1)
    explain(updated, AFTER, 1)
    (event,) = updated.receive(after_report(), 3.0)
    assert isinstance(event, ReportReceived)
    assert event.observations[0].samples == bytes(12)
    updated.receive(abrt(), 4.0)
    assert not was_asked(updated, 2)
    assert [type(event) for event in updated.receive(after_report(), 5.0)] == [ReportReceived]


def test_configuration_is_requested_again_after_a_report_of_an_unknown_object() -> None:
    updated = manager(known=BEFORE)
    was_asked(updated, 0)
    updated.receive(scan_report(fixed_report(AFTER, (Reading(2, 80.0),))), 1.0)
    assert updated.to_send() == abrt()
    assert was_asked(updated, 1)


def test_configuration_received_in_the_same_association_is_not_requested_again() -> None:
    strange = manager()
    assert was_asked(strange, 0)
    explain(strange, BEFORE, 0)
    assert any(isinstance(event, ReportReceived) for event in strange.receive(after_report(), 2.0))
    assert strange.state is State.OPERATING


def test_contradicting_reports_are_accepted_after_the_device_sent_the_same_configuration_again() -> None:
    habitual = manager(known=BEFORE)
    was_asked(habitual, 0)
    habitual.receive(after_report(), 1.0)
    assert was_asked(habitual, 1)
    explain(habitual, BEFORE, 1)
    habitual.receive(abrt(), 2.0)
    assert not was_asked(habitual, 2)
    *deviations, read = habitual.receive(after_report(), 3.0)
    assert {type(event) for event in deviations} == {Deviation}
    assert isinstance(read, ReportReceived)
    assert habitual.state is State.OPERATING


def test_report_with_an_undeclared_trailing_time_stamp_causes_no_configuration_request() -> None:
    timeless = standard_configuration(0x0190)
    assert timeless is not None
    untimed = Configuration(EXTENDED, timeless.objects)
    habitual = manager(known=untimed)
    was_asked(habitual, 0)
    items = b"".join(bytes((0, handle, 0, 10, 0, 97)) + minute(0).octets for handle in (1, 10))
    report = replace(fixed_report(untimed, (Reading(1, 97.0),)), observations=_counted(2, items))
    events = habitual.receive(scan_report(report), 1.0)
    assert isinstance(events[-1], ReportReceived)
    assert [each.device_time for each in events[-1].observations] == [minute(0), minute(0)]
    assert habitual.state is State.OPERATING


def _counted(count: int, items: bytes) -> bytes:
    return count.to_bytes(2, "big") + len(items).to_bytes(2, "big") + items
