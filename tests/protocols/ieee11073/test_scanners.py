"""The manager enables scanners one after the other, and reports a scanner that refuses or falls silent."""

from collections.abc import Callable

import pytest

from protocols.deviation import Deviation
from protocols.ieee11073.apdu import MessageTag, encode_data
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.apdu.data import ErrorValue, SetResult
from protocols.ieee11073.association.manager_events import (
    ReportReceived,
    ScannerNotSwitched,
    ScannerResumed,
    ScannerSilent,
    ScannerState,
)
from protocols.ieee11073.association.settings import ManagerSettings
from protocols.ieee11073.association.states import State
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.objects import episodic_scanner, numeric, periodic_scanner
from protocols.ieee11073.dim.reports import Reading, fixed_report
from tests.builders.ieee11073_apdus import abrt, roer, scan_report
from tests.builders.ieee11073_corpus import apdu
from tests.builders.ieee11073_devices import BPM, HEART_RATE, OXIMETER, PERCENT, SPO2
from tests.builders.ieee11073_pair import association_pair
from tests.builders.requests_device import Device, attributes, device, switched

RATE, SATURATION = numeric(1, HEART_RATE, BPM), numeric(2, SPO2, PERCENT)
FAST, RARE = 3, 4
MONITOR = Configuration(
    0x4010,
    (
        RATE,
        SATURATION,
        periodic_scanner(FAST, (RATE,), interval_s=1.0),
        episodic_scanner(RARE, (SATURATION,), interval_min_s=0.5, confirmed=True, confirm_timeout_s=7.0),
    ),
)


def switched_at_length(invoke_id: int, handle: int) -> bytes:
    """Return a Set response whose Operational-State attribute has four thousand bytes."""
    value = AvaType(Attribute.OPERATIONAL_STATE, b"\xff" * 4000)
    return encode_data(invoke_id, MessageTag.SET_RESULT, SetResult(handle, (value,)))


def rate_report(number: int) -> bytes:
    report = fixed_report(MONITOR, [Reading(1, 70.0)], scanner=FAST)
    return scan_report(report, report_no=number, confirmed=False)


def enabled() -> Device:
    """Return a manager and a monitor with two scanners that were enabled at 0 s."""
    played = device(MONITOR)
    for handle in (FAST, RARE):
        (asked,) = played.asked()
        played.emit(switched(asked.invoke_id, handle))
    return played


def test_scanners_are_enabled_one_after_the_other_with_the_bytes_of_the_reference() -> None:
    played = device(MONITOR)
    (first,) = played.asked()
    example = bytearray(apdu("e15"))
    example[6:8] = first.invoke_id.to_bytes(2, "big")
    assert first.octets == bytes(example)
    answer = bytearray(apdu("e16"))
    answer[6:8] = first.invoke_id.to_bytes(2, "big")
    assert played.emit(bytes(answer)) == [ScannerState(FAST, enabled=True)]
    (second,) = played.asked()
    assert second.body.obj_handle == RARE
    assert played.emit(switched(second.invoke_id, RARE)) == [ScannerState(RARE, enabled=True)]
    assert played.asked() == []


def test_scanner_attributes_are_read_from_the_device_configuration() -> None:
    fast, rare = (device(MONITOR).manager.scanners.known[handle] for handle in (FAST, RARE))
    assert (fast.periodic, fast.interval_s, fast.confirmed) == (True, 1.0, False)
    assert (rare.periodic, rare.interval_s, rare.confirmed, rare.confirm_timeout_s) == (False, 0.5, True, 7.0)


def test_scanner_attributes_absent_from_the_configuration_are_requested() -> None:
    *rest, fast, rare = MONITOR.objects
    bare = type(fast)(fast.obj_class, FAST, tuple(ava for ava in fast.attributes if ava.attribute_id != 2421))
    played = device(Configuration(MONITOR.config_id, (*rest, bare, rare)))
    (asked,) = played.asked()
    played.emit(switched(asked.invoke_id, FAST))
    (other,) = played.asked()
    played.emit(switched(other.invoke_id, RARE))
    (get,) = played.asked()
    assert (get.message, get.body.obj_handle) == (MessageTag.GET, FAST)
    interval = AvaType(Attribute.REPORTING_INTERVAL, (16_000).to_bytes(4, "big"))
    played.emit(attributes(get.invoke_id, (interval, AvaType(Attribute.TRANSMIT_WINDOW, b"\0\1")), FAST))
    fast_now = played.manager.scanners.known[FAST]
    assert (fast_now.interval_s, fast_now.transmit_window) == (2.0, 1)
    assert played.manager.deadline_s == 20.0


def test_scanners_are_not_enabled_when_the_setting_to_enable_them_is_off() -> None:
    played = device(MONITOR, settings=ManagerSettings(enable_scanners=False))
    assert played.asked() == []


def test_scan_reports_are_accepted_from_a_scanner_that_did_not_respond_to_the_enable_request() -> None:
    played = device(MONITOR)
    told = played.waits(3.0)
    why = "it was not answered in time"
    assert [event for event in told if isinstance(event, ScannerNotSwitched)] == [ScannerNotSwitched(FAST, True, why)]
    assert [event.sentence for event in told if isinstance(event, Deviation)] == [f"scanner 3 is not switched: {why}"]
    assert isinstance(played.emit(rate_report(0))[-1], ReportReceived)
    assert [asked.body.obj_handle for asked in played.asked()] == [FAST, RARE]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda n: roer(n, ErrorValue.INVALID_OBJECT_INSTANCE), "ROER invalid-object-instance (17)"),
        (lambda n: switched(n, FAST, 2), "it is not available"),
        (lambda n: switched(n, FAST, 0), "it is disabled"),
        (lambda n: switched(n, FAST, 7), "its state is 7"),
        (lambda n: switched_at_length(n, FAST), "its state is 65535"),
    ],
)
def test_scanner_that_cannot_be_enabled_is_reported_with_the_reason(answer: Callable[[int], bytes], why: str) -> None:
    played = device(MONITOR)
    (asked,) = played.asked()
    assert ScannerNotSwitched(FAST, True, why) in played.emit(answer(asked.invoke_id))
    assert played.manager.scanners.known[FAST].enabled is None
    assert played.manager.state is State.OPERATING


def test_silence_and_resumption_of_a_periodic_scanner_are_reported_once_each() -> None:
    played = enabled()
    for second in range(30):
        played.emit(rate_report(second), after_s=1.0)
        played.told += played.manager.expire(played.now_s)
    assert not [event for event in played.told if isinstance(event, ScannerSilent)]
    silent = [event for event in played.waits(60.0) if isinstance(event, ScannerSilent)]
    assert [(event.handle, event.interval_s) for event in silent] == [(FAST, 1.0)]
    assert 10.0 <= silent[0].silent_s <= 20.0
    assert played.manager.state is State.OPERATING
    played.emit(rate_report(30))
    assert ScannerResumed(FAST) in played.waits(10.0)


@pytest.mark.parametrize("began_s", [30.49, 30.55, 31.55])
def test_periodic_scanner_without_reports_is_reported_at_the_announced_deadline(began_s: float) -> None:
    """Each sum with ten seconds is rounded down; the caller must not be scheduled for that moment over and over."""
    assert (began_s + 10.0) - began_s < 10.0
    played = device(MONITOR)
    (asked,) = played.asked()
    played.emit(switched(asked.invoke_id, FAST), after_s=began_s)
    (asked,) = played.asked()
    played.emit(switched(asked.invoke_id, RARE))
    assert played.manager.deadline_s == began_s + 10.0
    assert [event.handle for event in played.manager.expire(began_s + 10.0) if isinstance(event, ScannerSilent)] == [
        FAST
    ]


def test_episodic_scanner_without_reports_is_never_reported() -> None:
    played = enabled()
    told = [event for event in played.waits(100_000.0) if isinstance(event, ScannerSilent)]
    assert [event.handle for event in told] == [FAST]


def test_known_scanners_are_forgotten_when_the_association_ends() -> None:
    played = enabled()
    played.emit(abrt())
    assert (played.manager.scanners.known, played.manager.deadline_s) == ({}, None)


def test_all_scanners_of_an_associated_agent_are_enabled_by_the_manager() -> None:
    pair = association_pair(MONITOR, step=1).associate()
    assert pair.agent.scanner_enabled(FAST)
    assert pair.agent.scanner_enabled(RARE)
    assert [event for event in pair.manager_events if isinstance(event, ScannerState)] == [
        ScannerState(FAST, enabled=True),
        ScannerState(RARE, enabled=True),
    ]


def test_device_without_scanners_gets_no_scanner_request() -> None:
    assert device(OXIMETER).asked() == []
