"""One report at a time holds the vehicle's devices; the decisions in the logs define which, and since when."""

import pytest

from protocols.clock_anchor import ClockAnchor
from protocols.epcr.device_holding import (
    DeviceDecision,
    DevicePlace,
    Span,
    decision_value,
    holder_of,
    moment_of,
    read_decision,
    spans_of,
)
from tests.builders.care_changes import NOW_US, change


def decided(encounter: str, numeric: int, *, holds: bool = True) -> DeviceDecision:
    place = DevicePlace(epoch="epoch-1", numeric=numeric, boot_id="boot-1", monotonic_us=5_000_000)
    found = read_decision(
        change("record.devices", decision_value(holds=holds, place=place), entry="d1", encounter=encounter)
    )
    assert found is not None
    return found


def spans(*decisions: DeviceDecision) -> dict[str, list[Span]]:
    found = spans_of(decisions, lambda each: each.place.numeric)
    return {encounter: list(each) for encounter, each in found.items()}


def test_devices_measure_for_the_report_that_took_them_last():
    taken = [decided("enc_a", 10), decided("enc_b", 50, holds=False), decided("enc_b", 80)]
    assert spans(*taken[:2]) == {"enc_a": [Span(10, None)]}
    assert holder_of(taken[:2]) == "enc_a"
    assert spans(*taken) == {"enc_a": [Span(10, 80)], "enc_b": [Span(80, None)]}
    assert holder_of(taken) == "enc_b"
    assert (Span(10, 80).has(10), Span(10, 80).has(11), Span(10, 80).has(80), Span(10, 80).has(81)) == (
        *(False, True),
        *(True, False),
    )


def test_report_that_takes_the_devices_since_its_opening_gets_the_values_since_then():
    taken = [decided("enc_a", 10), decided("enc_b", 50, holds=False), decided("enc_b", 50)]
    assert spans(*taken) == {"enc_a": [Span(10, 50)], "enc_b": [Span(50, None)]}


def test_devices_of_a_signed_report_measure_for_none_until_another_one_takes_them():
    taken = [decided("enc_a", 10), decided("enc_a", 60, holds=False), decided("enc_b", 90)]
    assert spans(*taken) == {"enc_a": [Span(10, 60)], "enc_b": [Span(90, None)]}
    assert holder_of(taken[:2]) is None


def test_report_that_is_signed_without_the_devices_changes_nothing():
    taken = [decided("enc_a", 10), decided("enc_b", 50, holds=False), decided("enc_b", 60, holds=False)]
    assert spans(*taken) == {"enc_a": [Span(10, None)]}


def test_devices_that_were_moved_back_belong_to_both_reports_in_turn():
    taken = [decided("enc_a", 10), decided("enc_b", 50), decided("enc_a", 70)]
    assert spans(*taken) == {"enc_a": [Span(10, 50), Span(70, None)], "enc_b": [Span(50, 70)]}


@pytest.mark.parametrize(
    "value",
    [
        "",
        "[]",
        "{}",
        '{"holds":1}',
        '{"holds":true,"epoch":"e","numeric":-1,"boot_id":"b","monotonic_us":0}',
        "[" * 9999,
    ],
)
def test_decision_of_an_unknown_form_decides_nothing(value: str):
    assert read_decision(change("record.devices", value, entry="d1")) is None


def test_time_of_a_decision_follows_from_the_anchor_of_its_boot():
    anchor = ClockAnchor.at(monotonic_us=0, utc_us=7_000_000, uncertainty_us=0)
    assert moment_of(decided("enc_a", 10), {"boot-1": anchor}) == 12_000_000
    assert moment_of(decided("enc_a", 10), {}) == NOW_US
