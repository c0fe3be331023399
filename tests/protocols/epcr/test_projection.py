"""Projection of a care record: values of listed elements leave, and nothing that identifies a person."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from protocols.epcr import projection
from protocols.epcr.catalogue import ELEMENTS, find_element, find_group
from protocols.epcr.change import Action, FieldChange
from protocols.epcr.concept_ids import is_concept_id
from protocols.epcr.element import Audience, Element, Negative, NotRecorded, Usage
from protocols.epcr.projection import (
    DAYS,
    HOURS,
    MINUTES,
    MONTHS,
    YEARS,
    VisibleField,
    VisibleRecord,
    partner_record,
    treatment_record,
)
from protocols.epcr.record import current_record
from protocols.epcr.value_sets import ListCode, Text
from tests.builders.care_changes import ENCOUNTER, JAN, NOW_US, change
from tests.builders.contract_canaries import CANARIES

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
PESEL = "44051401359"


def for_partners(*changes: FieldChange, key: bytes = KEY, encounter: str = ENCOUNTER) -> VisibleRecord:
    return partner_record(current_record(changes), key=key, encounter=encounter, mission_us=NOW_US)


def for_treatment(*changes: FieldChange) -> VisibleRecord:
    return treatment_record(current_record(changes), key=KEY, encounter=ENCOUNTER)


def values(record: VisibleRecord) -> dict[str, list[str | None]]:
    return {field.element.key: [each.value for each in field.shown] for field in record.fields}


def only(record: VisibleRecord) -> VisibleField:
    (field,) = record.fields
    return field


def in_every_element(text: str) -> list[FieldChange]:
    """Return a change of each element with `text` as its value."""
    return [change(element.key, text, entry=entry_of(element)) for element in ELEMENTS]


def entry_of(element: Element, name: str = "e1") -> str | None:
    group = find_group(element.group)
    assert group is not None
    if not group.repeated:
        return None
    return name if group.parent is None else f"{name}/{name}"


@pytest.mark.contract("C-106", "A-097", "A-098")
def test_partner_sees_listed_elements_and_neither_identity_nor_free_text():
    record = for_partners(
        change("patient.last_name", CANARIES["name"]),
        change("patient.birth_date", "1931-02-28"),
        change("scene.position", "52.2297,21.0122"),
        change("narrative.text", CANARIES["narrative"]),
        change("patient.sex", "9919001"),
        change("vitals.spo2", "97"),
    )
    assert values(record) == {"patient.sex": ["9919001"], "vitals.spo2": ["97"]}
    assert record.audience is Audience.PARTNERS


@pytest.mark.contract("S-150", "C-106", "A-098")
@pytest.mark.parametrize("kind", CANARIES)
def test_text_of_a_person_in_any_element_entry_or_reason_does_not_leave(kind: str):
    canary = CANARIES[kind]
    negative = [replace(each, value=None, negative=canary) for each in in_every_element("")]
    reason = [replace(each, value=None, not_recorded=canary) for each in in_every_element("")]
    entries = [change("vitals.pain", "3", entry=canary), change("vitals", canary, entry=canary, action=Action.VOID)]
    for changes in (in_every_element(canary), negative, reason, entries):
        assert canary not in repr(for_partners(*(replace(each, author=canary) for each in changes)))


@pytest.mark.contract("A-098")
def test_new_element_does_not_leave_until_it_is_listed(monkeypatch: pytest.MonkeyPatch):
    new = Element("vitals.new", "New", "Nowy", ListCode("9923"), Usage.OPTIONAL, "eVitals.99", "")
    monkeypatch.setattr(projection, "find_element", lambda key: new if key == new.key else find_element(key))
    added = change("vitals.new", "9923001")
    assert for_partners(added).fields == for_treatment(added).fields == ()


def test_free_text_does_not_leave_even_if_it_is_listed_by_mistake(monkeypatch: pytest.MonkeyPatch):
    listed = Element("vitals.note", "Note", "Uwaga", Text(99), Usage.OPTIONAL, "", "", audience=Audience.PARTNERS)
    monkeypatch.setattr(projection, "find_element", lambda _: listed)
    assert for_partners(change("vitals.note", "a note")).fields == ()


def test_element_of_a_newer_vehicle_does_not_leave():
    newer = change("robot.mood", "calm", entry="r1")
    assert for_partners(newer).fields == for_treatment(newer).fields == ()


def test_content_outside_the_value_set_is_withheld_and_counted():
    record = for_partners(
        change("patient.sex", CANARIES["name"]),
        change("vitals.pain", None, negative="unimpressed"),
        change("vitals.avpu", None, not_recorded="because"),
        change("vitals.spo2", "97"),
    )
    assert (values(record), record.withheld) == ({"vitals.spo2": ["97"]}, 3)


def test_negatives_and_reasons_leave_without_their_author():
    record = for_partners(
        change("vitals.pain", None, negative="refused", author=JAN),
        change("vitals.avpu", None, not_recorded="not_applicable"),
    )
    pain, avpu = (
        next(f for f in record.fields if f.element.key == key).shown[0] for key in ("vitals.pain", "vitals.avpu")
    )
    assert (pain.negative, avpu.not_recorded) == (Negative.REFUSED, NotRecorded.NOT_APPLICABLE)
    assert JAN not in repr(record)


@pytest.mark.contract("S-153", "A-097")
@pytest.mark.parametrize(
    ("age", "unit", "value", "or_more"),
    [
        ("97", YEARS, "90", True), ("90", YEARS, "90", True), ("89", YEARS, "89", False), ("97", None, "90", True),
        ("97", MONTHS, "97", False), ("45", DAYS, "1", False), ("5", HOURS, "0", False), ("30", MINUTES, "0", False),
    ],
)  # fmt: skip
def test_high_age_is_capped_and_a_short_one_is_in_months(age: str, unit: str | None, value: str, *, or_more: bool):
    units = [] if unit is None else [change("patient.age_unit", unit)]
    record = for_partners(change("patient.age", age), *units)
    shown = record.fields[0].shown[0]
    assert (shown.value, shown.or_more) == (value, or_more)
    if unit in (DAYS, HOURS, MINUTES):
        assert values(record)["patient.age_unit"] == [MONTHS]


def test_age_with_contradictory_units_is_capped():
    record = for_partners(
        change("patient.age", "97"),
        change("patient.age_unit", MONTHS),
        change("patient.age_unit", YEARS, author=JAN),
    )
    assert record.fields[0].shown[0].or_more


def test_ages_that_are_equal_after_the_projection_do_not_contradict_each_other():
    record = for_partners(change("patient.age", "97"), change("patient.age", "98", author=JAN))
    assert only(record).contradicting == ()


@pytest.mark.parametrize(
    ("written", "leaves"),
    [
        ("2027-01-15T07:08:09+02:00", "2027-01-15T07:08:09+02:00"),
        ("2027-01-15T07:08:09.12399999+02:00", "2027-01-15T07:08:09.123+02:00"),
        ("2027-01-15T07:08:09+01:24:30", "2027-01-15T05:43:39+00:00"),
        ("2026-12-16T07:08:09+00:00", "2026-12-16T07:08:09+00:00"),
        ("2026-12-14T07:08:09+00:00", None),
        ("1931-02-28T00:00:00+01:00", None),
    ],
)
def test_time_leaves_only_when_it_is_near_the_mission(written: str, leaves: str | None):
    record = for_partners(change("situation.onset", written))
    assert values(record) == ({} if leaves is None else {"situation.onset": [leaves]})
    assert record.withheld == (leaves is None)


def test_number_of_a_person_in_a_coded_element_does_not_leave():
    record = for_partners(
        change("procedures.procedure", PESEL, entry="p1"),
        change("medications.drug", "600100200", entry="m1"),
        change("procedures.procedure", "22298006", entry="p2"),
        change("medications.drug", "7242", entry="m2"),
    )
    assert values(record) == {"medications.drug": ["7242"], "procedures.procedure": ["22298006"]}
    assert record.withheld == 2


@pytest.mark.parametrize("code", ["22298006", "409137002", "116762002", "138875005"])
def test_concept_id_is_recognised_by_its_check_digit(code: str):
    assert is_concept_id(code)
    wrong = [code[:-1] + str((int(code[-1]) + step) % 10) for step in range(1, 10)]
    swapped = code[:1] + code[2] + code[1] + code[3:]
    assert not any(map(is_concept_id, [*wrong, PESEL, "12345", code + "x", "9" * 19]))
    assert swapped == code or not is_concept_id(swapped)


def test_contradicting_statement_is_shown_when_the_other_one_is_withheld():
    record = for_partners(change("patient.sex", "9919001"), change("patient.sex", "a name", author=JAN))
    assert values(record) == {"patient.sex": ["9919001"]}
    assert (only(record).contradicting, record.withheld) == ((), 1)


def test_contradictory_statements_both_leave():
    field = only(for_partners(change("vitals.spo2", "97"), change("vitals.spo2", "91", author=JAN)))
    assert ([each.value for each in field.shown], [each.value for each in field.contradicting]) == (["91"], ["97"])


def test_void_entry_is_marked_and_its_reason_stays():
    record = for_partners(
        change("medications.drug", "7242", entry="m1"),
        change("medications.drug", "703", entry="m2"),
        change("medications", CANARIES["narrative"], entry="m1", action=Action.VOID),
    )
    assert [field.void for field in record.fields] == [True, False]


def test_entry_has_one_pseudonym_in_both_records_and_begins_with_that_of_its_parent():
    changes = [
        change("airway.decided_at", "2027-01-15T07:08:09+02:00", entry="a1"),
        change("airway_checks.depth", "22", entry="a1/c1"),
        change("airway_checks.depth", "23", entry="a1/c2"),
    ]
    entries = [field.entry for field in for_partners(*changes).fields]
    first, second, parent = entries
    assert first.startswith(f"{parent}/")
    assert len({parent, first, second}) == 3
    assert [field.entry for field in for_treatment(*changes).fields] == entries
    assert for_partners(*changes, encounter="enc_2").fields[2].entry != parent


@pytest.mark.contract("S-152")
def test_patient_has_one_pseudonym_in_a_tenant_and_another_one_elsewhere():
    number = change("patient.national_number", PESEL)
    here = for_partners(number).patient
    spaced = change("patient.national_number", "440514 01359")
    assert for_partners(spaced, change("patient.age", "50"), encounter="enc_2").patient == here
    assert for_partners(number, key=OTHER_KEY).patient != here
    assert for_treatment(number).patient == here
    assert PESEL not in here


@pytest.mark.contract("S-152")
@pytest.mark.parametrize("entered", [[], ["unknown"], ["00000000000"], ["12345"], [PESEL, "90051401351"]])
def test_patient_without_a_certain_number_has_the_pseudonym_of_the_encounter(entered: Sequence[str]):
    changes = [change("patient.national_number", text, author=f"usr_{text}") for text in entered]
    assert for_partners(*changes).patient == for_partners().patient
    assert for_partners(*changes).patient != for_partners(*changes, encounter="enc_2").patient


@pytest.mark.contract("A-097")
def test_treatment_record_has_identity_and_free_text_but_no_staff():
    changes = [
        change("patient.last_name", CANARIES["name"]),
        change("patient.age", "97"),
        change("narrative.text", CANARIES["narrative"]),
        change("situation.onset", "1931-02-28T00:00:00+01:00"),
        change("crew.member", "usr_7", entry="c1"),
        change("patient.race", "2514005"),
    ]
    assert values(for_treatment(*changes)) == {
        "patient.last_name": [CANARIES["name"]],
        "patient.age": ["97"],
        "situation.onset": ["1931-02-28T00:00:00+01:00"],
        "narrative.text": [CANARIES["narrative"]],
    }
