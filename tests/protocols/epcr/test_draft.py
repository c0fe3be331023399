"""Rules of a report draft: its first changes, conflicts and their decisions, addenda, totals of medications."""

import pytest

from protocols.epcr.annotations import DISMISSALS, STATEMENTS_MAX
from protocols.epcr.change import Action, FieldChange
from protocols.epcr.check import find_fault
from protocols.epcr.draft import fault_after_seal, open_conflicts, opening
from protocols.epcr.entries import Entries, moment_us
from protocols.epcr.medication_totals import SameDose, Total, same_doses, totals
from protocols.epcr.record import current_record
from tests.builders.care_changes import ANNA, ENCOUNTER, JAN, NOW_US, change

CONTRADICTING = (change("patient.age", "50", id="c1"), change("patient.age", "51", id="c2", author=JAN))
GIVEN_AT = "2026-05-06T01:47:00+02:00"
TWO_MINUTES_LATER, THREE_MINUTES_LATER = "2026-05-06T01:49:00+02:00", "2026-05-06T01:50:00+02:00"


def conflicts(*changes: FieldChange) -> list[list[str | None]]:
    return [[each.value for each in found.statements] for found in open_conflicts(current_record(changes))]


def dose(
    entry: str, amount: str, *, at: str = GIVEN_AT, author: str = ANNA, unit: str = "3706021"
) -> list[FieldChange]:
    stated = {"time": at, "drug": "3992", "dose": amount, "dose_unit": unit}
    return [change(f"medications.{name}", value, entry=entry, author=author) for name, value in stated.items()]


def entries(*changes: FieldChange) -> Entries:
    return Entries(current_record(changes))


def test_draft_opens_with_the_known_mission_data_and_leaves_out_what_is_not_permitted():
    mission = {"call.vehicle": "veh_1", "call.reason": "chest pain", "call.mood": "calm"}
    first = opening(["a", "b", "c"], encounter=ENCOUNTER, author=ANNA, gateway_time_us=NOW_US, mission=mission)
    assert [(each.key, each.value) for each in first] == [("call.vehicle", "veh_1")]
    assert find_fault(first[0]) is None


def test_two_different_statements_are_a_conflict_and_the_later_comes_first():
    assert conflicts(*CONTRADICTING) == [["51", "50"]]
    assert conflicts(CONTRADICTING[0], change("patient.age", "50", author=JAN)) == []


def test_choice_of_one_statement_ends_the_conflict():
    assert conflicts(*CONTRADICTING, change("patient.age", "50", replaces=("c1", "c2"))) == []


def test_both_stand_ends_the_conflict_for_exactly_these_statements():
    decided = change("record.both_stand", "c1 c2", entry="d1")
    assert conflicts(*CONTRADICTING, decided) == []
    third = change("patient.age", "52", author="usr_eva")
    assert conflicts(*CONTRADICTING, decided, third) == [["52", "51", "50"]]


def test_conflict_in_a_void_entry_is_none():
    values = [change("vitals.spo2", "97"), change("vitals.spo2", "98", author=JAN)]
    void = change("vitals", "measured on another patient", entry="v1", action=Action.VOID)
    assert conflicts(*values, void) == []


def test_sealed_draft_takes_only_addenda_with_a_reason():
    addendum = change("record.addendum", "Result of the laboratory", entry="a1")
    assert fault_after_seal([addendum, change()]) is None
    for refused in ([change()], [addendum], [change(), addendum]):
        fault = fault_after_seal(refused)
        assert fault is not None
        assert fault.code == "sealed"


@pytest.mark.parametrize(
    "annotation",
    [
        change("record.seal", "{}"),
        change("record.source", "{}", entry="c1"),
        change("record.addendum", " ", entry="a1"),
        change("record.addendum", "x" * 256, entry="a1"),
        change("record.addendum", "reason"),
        change("record.addendum", "reason", entry="a1", action=Action.REMOVE),
        change("record.dismissed", "no", entry="p1"),
        change("record.signature", "M1 2", entry="s1"),
        change("record.signature", "M1 2L3 4<script>", entry="s1"),
        change("record.signature", "M1 2L3 4" * 501, entry="s1"),
        change("record.both_stand", "c1", entry="d1"),
        change("record.both_stand", "c1 c1", entry="d1"),
        change("record.both_stand", "c1  c2", entry="d1"),
        change("record.both_stand", " ".join(f"c{n}" for n in range(STATEMENTS_MAX + 1)), entry="d1"),
    ],
)
def test_annotation_that_breaks_a_rule_is_refused(annotation: FieldChange):
    fault = find_fault(annotation)
    assert fault is not None
    assert fault.code == "annotation_not_permitted"


def test_annotation_of_an_author_is_permitted():
    assert find_fault(change("record.addendum", "Result of the laboratory", entry="a1")) is None
    assert find_fault(change("record.both_stand", "c1 c2", entry="d1")) is None
    assert [find_fault(change("record.dismissed", value, entry="p1")) for value in DISMISSALS] == [None, None]
    assert find_fault(change("record.signature", "M1 2L30 40L31 42M5 5L6 6", entry="s1")) is None


def test_dismissal_of_a_proposal_that_two_authors_decided_differently_is_no_conflict():
    dismissed = change("record.dismissed", "dismissed", entry="p1", author=ANNA)
    offered = change("record.dismissed", "offered", entry="p1", author=JAN)
    assert open_conflicts(current_record([dismissed, offered])) == []


def test_total_of_a_drug_sums_its_doses_exactly():
    stated = entries(*dose("m1", "0.1"), *dose("m2", "0.20"), *dose("m3", "1", unit="3706001"))
    assert totals(stated) == [Total("3992", "3706021", "0.3", 2), Total("3992", "3706001", "1", 1)]


def test_total_leaves_out_void_doses_and_those_not_given():
    not_given = change("medications.drug", "3992", entry="m2", negative="refused")
    void = change("medications", "wrong patient", entry="m1", action=Action.VOID)
    assert totals(entries(*dose("m1", "1"), not_given, change("medications.dose", "1", entry="m2"), void)) == []


def test_one_dose_entered_by_two_authors_within_two_minutes_is_reported():
    first = dose("m1", "1")
    assert same_doses(entries(*first, *dose("m2", "1.0", at=TWO_MINUTES_LATER, author=JAN))) == [SameDose("m1", "m2")]
    assert same_doses(entries(*first, *dose("m2", "1", at=THREE_MINUTES_LATER, author=JAN))) == []
    assert same_doses(entries(*first, *dose("m2", "1", at=TWO_MINUTES_LATER))) == []
    assert same_doses(entries(*first, *dose("m2", "2", at=TWO_MINUTES_LATER, author=JAN))) == []


@pytest.mark.parametrize("text", ["", "yesterday", "2026-05-06T01:47:00"])
def test_text_that_is_no_time_with_an_offset_has_no_moment(text: str):
    assert moment_us(text) is None
