"""Gaps of a report: each is found, is closed by its field, and the weightiest comes first."""

import pytest

from protocols.epcr.catalogue import find_element
from protocols.epcr.change import FieldChange
from protocols.epcr.gaps import find_gaps
from protocols.epcr.record import current_record
from tests.builders.care_changes import JAN, change


def gaps(*changes: FieldChange) -> list[tuple[str, str, str]]:
    return [(each.code, each.key, each.entry) for each in find_gaps(current_record(changes))]


def at(minute: int) -> str:
    return f"2026-05-06T01:{minute:02d}:00+02:00"


def vitals(entry: str, minute: int) -> list[FieldChange]:
    return [change("vitals.time", at(minute), entry=entry), change("vitals.spo2", "97", entry=entry)]


def adrenaline(minute: int, **also: str) -> list[FieldChange]:
    stated = {"drug": "3992", "time": at(minute), **also}
    return [change(f"medications.{name}", value, entry="m1") for name, value in stated.items()]


def test_empty_report_names_the_first_questions():
    found = gaps()
    assert found[0] == ("no_vitals", "vitals.time", "")
    assert ("missing", "situation.complaint", "") in found[:3]
    assert ("missing", "history.drug_allergies", "") in found


def test_check_24_every_gap_opens_a_known_field():
    everything = gaps(
        *adrenaline(47), change("arrest.present", "3001003"), change("vitals.stroke_result", "3329005"),
        change("disposition.care", "4228003"), change("times.left_scene", at(50)), change("injury.cause", "W19"),
        change("procedures.procedure", "268400002", entry="p1"),
    )  # fmt: skip
    assert len(everything) > 30
    assert [key for _, key, _ in everything if find_element(key) is None] == []


def test_contradiction_of_two_authors_comes_first():
    found = gaps(change("patient.age", "50"), change("patient.age", "51", author=JAN))
    assert found[0] == ("two_statements", "patient.age", "")


@pytest.mark.parametrize(
    "stated",
    [
        change("patient.sex", "9919001"),
        change("patient.sex", None, negative="refused"),
        change("patient.sex", None, not_recorded="not_recorded"),
    ],
    ids=["value", "refused", "not recorded"],
)
def test_field_that_is_stated_in_any_way_is_no_gap(stated: FieldChange):
    assert ("missing", "patient.sex", "") in gaps()
    assert ("missing", "patient.sex", "") not in gaps(stated)


def test_dose_without_details_and_without_vitals_after_it_is_a_gap():
    found = gaps(*vitals("v1", 40), *adrenaline(47))
    assert {code for code, _, _ in found} >= {
        "medication_without_dose", "medication_without_dose_unit", "medication_without_route",
        "no_vitals_after_medication",
    }  # fmt: skip
    complete = gaps(
        *vitals("v1", 40), *vitals("v2", 50), *adrenaline(47, dose="1", dose_unit="3706021", route="9927023")
    )
    assert not any("medication" in code for code, _, _ in complete)


def test_dose_before_this_unit_or_not_given_needs_no_details():
    before = change("medications.before_unit", "9923003", entry="m1")
    assert "medication_without_dose" not in {code for code, _, _ in gaps(*adrenaline(47), before)}
    refused = change("medications.drug", "3992", entry="m1", negative="refused")
    assert not any("medication" in code for code, _, _ in gaps(*vitals("v1", 40), refused))


def test_transport_needs_two_sets_of_vitals_and_its_times():
    found = gaps(*vitals("v1", 40), change("disposition.transport", "4230001"))
    assert ("one_set_of_vitals", "vitals.time", "") in found
    assert ("missing", "times.at_destination", "") in found
    assert ("one_set_of_vitals", "vitals.time", "") not in gaps(*vitals("v1", 40), *vitals("v2", 45))


def test_time_before_the_mark_before_it_is_a_gap():
    assert ("time_before_the_one_before", "times.on_scene", "") in gaps(
        change("times.en_route", at(30)), change("times.on_scene", at(20))
    )


def test_stroke_signs_require_the_last_time_without_them():
    assert ("missing", "situation.last_known_well", "") not in gaps()
    positive = change("vitals.stroke_result", "3329005")
    assert gaps(positive)[0] == ("missing", "situation.last_known_well", "")


def test_arrest_requires_its_fields_only_when_there_was_one():
    assert ("missing", "arrest.cause", "") not in gaps(change("arrest.present", "3001001"))
    assert ("missing", "arrest.cause", "") in gaps(change("arrest.present", "3001003"))
    denied = gaps(change("arrest.present", "3001001"), change("arrest.cause", "3002001"))
    assert ("arrest_denied_and_described", "arrest.present", "") in denied
    assert ("missing", "arrest.present", "") in gaps(change("arrest.cause", "3002001"))


def test_refusal_needs_reason_and_signature_status():
    found = {code for code, _, _ in gaps(change("disposition.care", "4228007"))}
    assert {"refusal_without_reason", "refusal_without_signature"} <= found


def test_twelve_lead_needs_a_reading():
    recorded = change("procedures.procedure", "268400002", entry="p1")
    assert ("twelve_lead_without_reading", "vitals.rhythm", "") in gaps(recorded)
    read = change("vitals.rhythm", "9901047")
    assert ("twelve_lead_without_reading", "vitals.rhythm", "") not in gaps(recorded, read)
