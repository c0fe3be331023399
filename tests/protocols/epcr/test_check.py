"""A change is compared with the catalogue where it is written; a fault names the rule and never the value."""

import pytest

from protocols.epcr.change import REPLACES_MAX, Action, FieldChange
from protocols.epcr.check import find_fault
from tests.builders.care_changes import change


def code(written: FieldChange) -> str | None:
    fault = find_fault(written)
    return None if fault is None else fault.code


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("vitals.spo2", "97"), ("vitals.spo2", "0"), ("vitals.diastolic", "P"), ("vitals.glucose", "High"),
        ("vitals.temperature", "36.6"), ("vitals.gcs_verbal", "5"), ("vitals.avpu", "3326001"),
        ("vitals.time", "2026-05-06T07:08:09+02:00"), ("vitals.time", "2026-05-06T07:08:09.123Z"),
        ("patient.birth_date", "1964-02-29"), ("patient.last_name", "Żółć"), ("patient.language", "pol"),
        ("situation.primary_impression", "I21.9"), ("situation.primary_symptom", "R07"),
        ("scene.position", "52.2297,-21.0122"), ("scene.place", "Y92.01"), ("history.drug_allergies", "Z88.0"),
        ("history.drug_allergies", "7980"), ("injury.cause", "V43.5"),
    ],
)  # fmt: skip
def test_value_of_the_value_set_is_permitted(key: str, value: str):
    assert code(change(key, value)) is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("vitals.spo2", "101"), ("vitals.spo2", "97.5"), ("vitals.spo2", "-1"), ("vitals.spo2", "٩٧"),
        ("vitals.spo2", ""), ("vitals.spo2", "9" * 5000), ("vitals.diastolic", "p"), ("vitals.temperature", "36.66"),
        ("vitals.temperature", "36."), ("vitals.temperature", "1e1"), ("vitals.gcs_verbal", "6"),
        ("vitals.avpu", "3327001"), ("vitals.avpu", "33260011"), ("vitals.time", "2026-05-06T07:08:09"),
        ("vitals.time", "2026-05-06"), ("patient.birth_date", "1963-02-29"), ("patient.last_name", " "),
        ("patient.last_name", "x" * 61), ("patient.language", "POL"), ("situation.primary_impression", "21.9"),
        ("situation.primary_impression", "I21.99999"), ("scene.position", "91,0"), ("scene.position", "52.2"),
        ("injury.cause", "I21.9"), ("medications.dose", "nan"),
    ],
)  # fmt: skip
def test_value_outside_of_the_value_set_is_a_fault(key: str, value: str):
    entry = "m1" if key.startswith("medications") else None
    assert code(change(key, value, entry=entry)) == "value_not_permitted"


def test_text_of_a_fault_does_not_repeat_the_value():
    fault = find_fault(change("patient.birth_date", "Canary 64"))
    assert fault is not None
    assert fault.text == "patient.birth_date is a day such as 1964-02-29."


def test_unknown_element_is_a_fault():
    assert code(change("vitals.mood", "good")) == "element_unknown"


def test_change_without_content_is_a_fault():
    assert code(change(value=None)) == "content_missing"


def test_negative_is_permitted_where_the_catalogue_lists_it():
    assert code(change("vitals.spo2", None, negative="refused")) is None
    assert code(change("vitals.spo2", "97", negative="refused")) == "negative_not_permitted"
    assert code(change("medications.drug", "703", negative="contraindicated", entry="m1")) is None
    assert code(change("medications.drug", None, negative="contraindicated", entry="m1")) == "negative_not_permitted"
    assert code(change("patient.age", "50", negative="approximate")) is None
    assert code(change("vitals.time", None, negative="refused")) == "negative_not_permitted"


def test_reason_for_a_missing_value_depends_on_the_usage():
    assert code(change("vitals.spo2", None, not_recorded="not_applicable")) is None
    assert code(change("vitals.spo2", None, not_recorded="not_reporting")) == "reason_not_permitted"
    assert code(change("patient.last_name", None, not_recorded="not_reporting")) is None
    assert code(change("times.unit_notified", None, not_recorded="not_recorded")) == "reason_not_permitted"
    assert code(change("vitals.spo2", "97", not_recorded="not_recorded")) == "content_contradictory"


def test_entry_is_required_in_repeated_groups_only():
    assert code(change("medications.drug", "703")) == "entry_missing"
    assert code(change("patient.age", "50", entry="p1")) == "entry_not_permitted"
    assert code(change("medications.drug", "703", entry="a b")) == "entry_malformed"
    assert code(change("medications.drug", "703", entry="x/y")) == "entry_malformed"


def test_entry_of_a_child_group_names_the_entry_of_its_parent():
    assert code(change("eyes.side", "3517001", entry="exam-1/left")) is None
    assert code(change("eyes.side", "3517001", entry="left")) == "entry_malformed"
    assert code(change("eyes.side", "3517001", entry="a/b/c")) == "entry_malformed"


def test_removal_of_a_single_value_has_no_content_and_of_many_may_name_one():
    assert code(change("patient.age", None, action=Action.REMOVE)) is None
    assert code(change("patient.age", "50", action=Action.REMOVE)) == "content_not_permitted"
    assert code(change("history.conditions", "J45", action=Action.REMOVE)) is None


def test_void_entry_needs_a_repeated_group_and_a_reason():
    assert code(change("medications", "wrong patient", entry="m1", action=Action.VOID)) is None
    assert code(change("medications", None, entry="m1", action=Action.VOID)) == "reason_missing"
    assert code(change("patient", "wrong", entry="p1", action=Action.VOID)) == "group_unknown"
    assert code(change("medications", "wrong", action=Action.VOID)) == "entry_missing"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"id": "a change"}, "id_malformed"),
        ({"encounter": "enc/1"}, "encounter_malformed"),
        ({"author": ""}, "author_malformed"),
        ({"author": "a\nb"}, "author_malformed"),
        ({"replaces": ("a b",)}, "replaces_malformed"),
        ({"replaces": ("a",) * (REPLACES_MAX + 1)}, "replaces_malformed"),
        ({"device_time_us": -1}, "time_malformed"),
        ({"value": "9\0"}, "text_malformed"),
        ({"value": "\ud800"}, "text_malformed"),
    ],
)
def test_malformed_field_of_a_change_is_a_fault(fields: dict[str, object], expected: str):
    assert code(change(**{"value": "97", **fields})) == expected  # type: ignore[arg-type]
