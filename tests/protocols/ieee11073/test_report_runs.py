"""Reports decoded together give the same observations, events and responses as reports decoded one by one."""

from random import Random

import pytest

from protocols.deviation import Deviation
from protocols.ieee11073.association.events import Event
from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.association.manager_events import ReportReceived, ReportsLost
from protocols.ieee11073.association.report_intake import FLOWS_MAX, ReportIntake
from protocols.ieee11073.dim.notes import Notes
from protocols.ieee11073.dim.report_plan import LAYOUT_KEY_BYTES, layout_key
from protocols.ieee11073.dim.reports import Reading, ScanReport, fixed_report, variable_report
from protocols.observation import Observation, Special
from tests.builders.ieee11073_apdus import report_response, scan_report
from tests.builders.ieee11073_devices import OXIMETER, minute, operating_manager
from tests.harness.work import work_of


def mixed_reports(random: Random, count: int) -> list[bytes]:
    """Return confirmed and unconfirmed reports of four layouts (lists of objects and attributes), up to 40 of one
    layout in a row.

    Some report numbers are missing. No known device sends such a mixture, but the standard allows it.
    """
    apdus: list[bytes] = []
    number = 0
    while len(apdus) < count:
        layout, confirmed = random.randrange(4), random.random() < 0.7
        for _ in range(random.choice((1, 1, 2, 5, 40))):
            apdus.append(
                scan_report(
                    _report(layout, random), report_no=number, invoke_id=len(apdus) % 65_536, confirmed=confirmed
                )
            )
            number += 1 if random.random() < 0.97 else random.randrange(2, 50)
    return apdus[:count]


def _report(layout: int, random: Random) -> ScanReport:
    taken = minute(random.randrange(600), random.randrange(100))
    spo2 = Reading(1, random.choice((Special.NAN, 97.0, 88.9)), taken)
    pulse = Reading(10, float(random.randrange(30, 200)), random.choice((taken, minute(7))))
    match layout:
        case 0:
            return fixed_report(OXIMETER, (spo2, pulse))
        case 1:
            return fixed_report(OXIMETER, (pulse,))
        case 2:
            return variable_report(OXIMETER, (spo2, Reading(10, 61.0, taken, 0x4000)))
        case _:
            return variable_report(OXIMETER, (Reading(10, 62.0), spo2))


def told(manager: ManagerAssociation, pieces: list[bytes]) -> tuple[list[Event], bytes]:
    events: list[Event] = []
    answers = b""
    for piece in pieces:
        for event in manager.receive(piece, 1.0):
            events.append(event)
            manager.delivered(event)
        answers += manager.to_send()
    return events, answers


def observations(events: list[Event]) -> list[Observation]:
    return [one for event in events if isinstance(event, ReportReceived) for one in event.observations]


@pytest.mark.parametrize("seed", range(6))
def test_reports_received_together_give_the_same_observations_as_single_reports(seed: int) -> None:
    apdus = mixed_reports(Random(seed), 600)
    octets = b"".join(apdus)
    alone, answers_alone = told(operating_manager(OXIMETER), apdus)
    pieces = [octets[at : at + 4096] for at in range(0, len(octets), 4096)]
    for slices in ([octets], pieces):
        together, answers = told(operating_manager(OXIMETER), slices)
        assert observations(together) == observations(alone)
        assert answers == answers_alone
        for kind in (ReportsLost, Deviation):
            assert [one for one in together if isinstance(one, kind)] == [one for one in alone if isinstance(one, kind)]
    assert len(observations(alone)) > 600


def test_every_report_is_acknowledged_when_400_reports_are_decoded_together() -> None:
    manager = operating_manager(OXIMETER)
    apdus = [
        scan_report(
            fixed_report(OXIMETER, (Reading(1, 97.0, minute(at)), Reading(10, 60.0, minute(at)))),
            report_no=at,
            invoke_id=at,
        )
        for at in range(400)
    ]
    events, answers = told(manager, [apdus[0], b"".join(apdus[1:21]), b"".join(apdus[21:])])
    assert len(events) < 12
    assert [one.device_time for one in observations(events)[::2]] == [minute(at) for at in range(400)]
    assert answers == b"".join(report_response(at) for at in range(400))


def test_report_with_another_object_handle_among_equal_reports_is_decoded_separately() -> None:
    manager = operating_manager(OXIMETER)
    readings = (Reading(1, 97.0, minute(0)), Reading(10, 60.0, minute(0)))
    good = [scan_report(fixed_report(OXIMETER, readings), report_no=at, invoke_id=at) for at in range(5)]
    changed = bytearray(good[3])
    changed[45] = 7  # the second handle
    events, answers = told(manager, [b"".join((*good[:3], bytes(changed), good[4]))])
    assert [one.channel.handle for one in observations(events)] == [1, 10, 1, 10, 1, 10, 1, 1, 10]
    assert answers == b"".join(report_response(at) for at in range(5))


def test_report_layout_key_ignores_the_report_number_and_the_invoke_id() -> None:
    readings = (Reading(1, 97.0, minute(0)), Reading(10, 60.0, minute(0)))
    first = scan_report(fixed_report(OXIMETER, readings), report_no=1, invoke_id=1)
    second = scan_report(fixed_report(OXIMETER, readings), report_no=2, invoke_id=77)
    other = scan_report(fixed_report(OXIMETER, readings[:1]), report_no=1, invoke_id=1)
    assert layout_key(first[:LAYOUT_KEY_BYTES]) == layout_key(second[:LAYOUT_KEY_BYTES])
    assert layout_key(first[:LAYOUT_KEY_BYTES]) != layout_key(other[:LAYOUT_KEY_BYTES])


def test_reports_of_700_different_layouts_are_all_decoded() -> None:
    manager = operating_manager(OXIMETER)
    for number in range(700):
        # Ten bits of the number choose the order of handles: each report has its own layout.
        handles = [10 if number >> bit & 1 else 1 for bit in range(10)]
        report = fixed_report(OXIMETER, [Reading(handle, 90.0, minute(handle)) for handle in handles])
        events, _ = told(manager, [scan_report(report, report_no=number, invoke_id=number)])
        assert [one.channel.handle for one in observations(events)] == handles


def _numbered(number: int, *, layout: int = 0) -> bytes:
    readings = (Reading(1, 97.0, minute(number)), Reading(10, 60.0, minute(number)))
    return scan_report(fixed_report(OXIMETER, readings[: 2 - layout]), report_no=number, invoke_id=number)


def _work_of_each(manager: ManagerAssociation, *apdus: bytes) -> list[int]:
    return [work_of(lambda apdu=apdu: told(manager, [apdu])) for apdu in apdus]


def test_decoding_a_report_of_a_cached_layout_takes_less_than_half_the_work_of_general_decoding() -> None:
    """Devices send one report for each read; a gap in the numbers takes the general path."""
    manager = operating_manager(OXIMETER)
    told(manager, [_numbered(0), _numbered(1)])
    single, after_gap = _work_of_each(manager, _numbered(2), _numbered(4))
    assert single * 2 < after_gap


def test_reports_of_two_alternating_layouts_are_decoded_without_additional_work() -> None:
    manager = operating_manager(OXIMETER)
    told(manager, [_numbered(number, layout=number % 2) for number in range(4)])
    first, shorter, again = _work_of_each(manager, _numbered(4), _numbered(5, layout=1), _numbered(6))
    assert first == again
    assert shorter < first


def test_number_of_data_flows_with_report_counters_is_bounded() -> None:
    intake = ReportIntake(OXIMETER, Notes(), iter(range(1, 1000)), {})
    report = fixed_report(OXIMETER, (Reading(1, 97.0, minute(0)), Reading(10, 60.0, minute(0))))
    for request in range(FLOWS_MAX + 20):
        intake.take_new(scan_report(report, request=request), 0.0)
    assert len(intake.reports) == FLOWS_MAX
