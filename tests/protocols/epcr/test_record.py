"""The current record of a log: late, repeated, contradictory and unknown changes have a defined result."""

from itertools import permutations

from protocols.epcr.change import Action, FieldChange
from protocols.epcr.record import CareRecord, FieldName, current_record, in_order
from tests.builders.care_changes import JAN, NOW_US, change


def shown(record: CareRecord, key: str, entry: str = "") -> list[str | None]:
    return [each.value for field in record.fields if field.name == (key, entry) for each in field.shown]


def contradicting(record: CareRecord, key: str, entry: str = "") -> list[str | None]:
    return [each.value for field in record.fields if field.name == (key, entry) for each in field.contradicting]


def ages(*changes: FieldChange) -> tuple[list[str | None], list[str | None]]:
    record = current_record(changes)
    return shown(record, "patient.age"), contradicting(record, "patient.age")


def age(value: str | None, **fields: object) -> FieldChange:
    return change("patient.age", value, **fields)  # type: ignore[arg-type]


def test_later_statement_of_one_author_replaces_the_earlier():
    assert ages(age("50"), age("51")) == (["51"], [])


def test_statements_of_two_authors_contradict_each_other_and_the_later_is_shown():
    assert ages(age("50"), age("51", author=JAN)) == (["51"], ["50"])


def test_equal_statements_of_two_authors_do_not_contradict_each_other():
    assert ages(age("50"), age("50", author=JAN)) == (["50"], [])


def test_author_who_saw_the_other_statement_replaces_it():
    first = age("50")
    assert ages(first, age("51", author=JAN, replaces=(first.id,))) == (["51"], [])


def test_author_who_saw_an_outdated_statement_contradicts_the_present_one():
    first = age("50")
    assert ages(first, age("52"), age("51", author=JAN, replaces=(first.id,))) == (["51"], ["52"])


def test_choice_between_two_statements_ends_the_contradiction():
    one, other = age("50"), age("51", author=JAN)
    assert ages(one, other, age("50", replaces=(other.id,))) == (["50"], [])


def test_repeated_change_is_ignored_whatever_it_states():
    record = current_record([age("50", id="c1"), age("51", id="c2"), age("50", id="c1"), age("99", id="c2")])
    assert shown(record, "patient.age") == ["51"]
    assert record.repeated == 2


def test_removal_withdraws_the_statements_of_all_authors():
    assert ages(age("50"), age("51", author=JAN), age(None, action=Action.REMOVE)) == ([], [])


def test_removal_of_one_statement_leaves_the_contradicting_one_beside_it():
    mine, other = age("50"), age("51", author=JAN)
    assert ages(mine, other, age(None, action=Action.REMOVE, replaces=(mine.id,))) == ([None], ["51"])


def test_values_of_an_element_with_many_are_added_and_withdrawn_one_by_one():
    key = "history.conditions"
    log = [change(key, "J45"), change(key, "I10", author=JAN), change(key, "E11")]
    assert shown(current_record(log), key) == ["J45", "I10", "E11"]
    log.append(change(key, "I10", action=Action.REMOVE))
    assert shown(current_record(log), key) == ["J45", "E11"]
    assert contradicting(current_record(log), key) == []


def test_addition_wins_over_a_removal_that_did_not_see_it():
    key = "history.conditions"
    first = change(key, "J45")
    log = [first, change(key, "J45", author=JAN), change(key, "J45", action=Action.REMOVE, replaces=(first.id,))]
    assert shown(current_record(log), key) == ["J45"]


def test_negative_of_a_whole_element_contradicts_its_values():
    key = "history.conditions"
    none = change(key, None, negative="none_reported")
    record = current_record([none, change(key, "J45", author=JAN)])
    assert shown(record, key) == ["J45"]
    (field,) = record.fields
    assert field.contradicting == (none,)


def test_entries_are_separate_and_a_void_entry_keeps_its_fields():
    drug = "medications.drug"
    void = change("medications", "not given", entry="m1", action=Action.VOID)
    record = current_record([change(drug, "703", entry="m1"), void, change(drug, "7806", entry="m2")])
    assert shown(record, drug, "m1") == ["703"]
    assert shown(record, drug, "m2") == ["7806"]
    assert record.declared_void(FieldName(drug, "m1")) is void
    assert record.declared_void(FieldName(drug, "m2")) is None


def test_entry_of_a_void_entry_is_void_too():
    void = change("exam", "wrong patient", entry="e1", action=Action.VOID)
    record = current_record([change("eyes.side", "3517001", entry="e1/left"), void])
    assert record.declared_void(FieldName("eyes.side", "e1/left")) is void


def test_element_of_a_newer_release_is_kept_after_the_known_ones():
    record = current_record([change("vitals.mood", "calm"), change("patient.age", "50")])
    assert [field.name.key for field in record.fields] == ["patient.age", "vitals.mood"]
    assert shown(record, "vitals.mood", "v1") == ["calm"]


def test_record_does_not_depend_on_the_arrival_of_logs_from_several_stores():
    first = [age("50", gateway_time_us=NOW_US), age("51", gateway_time_us=NOW_US + 20)]
    second = [age("60", author=JAN, gateway_time_us=NOW_US + 10)]
    third = [age("70", author="usr_eva", gateway_time_us=NOW_US + 5)]
    assert len({ages(*in_order(logs))[0][0] for logs in permutations((first, second, third))}) == 1


def test_log_of_a_store_keeps_its_order_when_its_clock_was_set_back():
    log = [age("50", gateway_time_us=NOW_US), age("51", gateway_time_us=NOW_US - 3_600_000_000)]
    assert ages(*in_order([log, [age("60", author=JAN, gateway_time_us=NOW_US + 1)]])) == (["60"], ["51"])


def test_change_that_another_store_replaced_before_its_time_does_not_stand():
    late = age("50", id="late", gateway_time_us=NOW_US + 100)
    early = age("51", author=JAN, replaces=("late",), gateway_time_us=NOW_US)
    assert ages(*in_order([[late], [early]])) == (["51"], [])


def test_two_changes_that_replace_each_other_leave_one_statement():
    one, other = age("50", id="a", replaces=("b",)), age("51", id="b", replaces=("a",), author=JAN)
    assert ages(one, other) == (["50"], [])
