"""The catalogue has every element of the field map once, with titles, values, NEMSIS element and audience."""

from collections import Counter

import pytest

from protocols.epcr.catalogue import (
    ELEMENTS,
    elements_call,
    elements_patient,
    elements_treatment,
    find_element,
    find_group,
    with_audience,
)
from protocols.epcr.catalogue.groups import GROUPS
from protocols.epcr.catalogue.released import RELEASED
from protocols.epcr.element import (
    NEMSIS_NEGATIVES,
    NEMSIS_NOT_RECORDED,
    Audience,
    Element,
    Negative,
    NotRecorded,
    Usage,
)
from protocols.epcr.encounter import FINAL_STATUSES, EncounterStatus
from protocols.epcr.value_sets import ListCode
from protocols.uplink.topics import is_identifier

BY_SECTION = {
    "eRecord": 4,
    "eResponse": 14,
    "eDispatch": 4,
    "eCrew": 3,
    "eScene": 14,
    "eTimes": 12,
    "ePatient": 16,
    "eSituation": 14,
    "eHistory": 14,
    "eVitals": 34,
    "eExam": 23,
    "eInjury": 8,
    "eArrest": 19,
    "eMedications": 11,
    "eProcedures": 12,
    "eAirway": 11,
    "eDevice": 12,
    "eNarrative": 1,
    "eProtocols": 2,
    "eDisposition": 19,
    "eOutcome": 1,
    "eOther": 16,
}
"""Elements of each section of the field map."""


def test_catalogue_has_each_element_of_the_field_map_once():
    assert len({element.nemsis for element in ELEMENTS}) == len(ELEMENTS) == 264
    assert Counter(element.nemsis.partition(".")[0] for element in ELEMENTS) == BY_SECTION


def test_keys_are_a_known_group_and_an_identifier():
    for element in ELEMENTS:
        group, _, name = element.key.partition(".")
        assert find_group(group) is not None, element.key
        assert is_identifier(name), element.key
        assert name.islower(), element.key
        assert find_element(element.key) is element


def test_every_element_and_group_has_an_english_and_a_polish_title():
    assert all(each.english and each.polish for each in (*ELEMENTS, *GROUPS))


def test_child_groups_belong_to_a_repeated_group():
    for group in GROUPS:
        if group.parent is not None:
            parent = find_group(group.parent)
            assert group.repeated
            assert parent is not None
            assert parent.repeated
            assert parent.parent is None


@pytest.mark.contract("C-106", "A-098")
@pytest.mark.parametrize(
    "key",
    [
        "patient.last_name", "patient.first_name", "patient.street", "patient.city", "patient.postcode",
        "patient.national_number", "patient.birth_date", "patient.phone", "scene.street", "scene.position",
        "crew.member", "medications.given_by", "narrative.text", "situation.complaint", "signatures.last_name",
    ],
)  # fmt: skip
def test_identity_addresses_staff_and_free_text_are_not_for_partners(key: str):
    element = find_element(key)
    assert element is not None
    assert element.audience is not Audience.PARTNERS


@pytest.mark.contract("C-106", "A-098")
def test_only_elements_with_a_closed_value_set_are_for_partners():
    kinds = {element.values.kind for element in ELEMENTS if element.audience is Audience.PARTNERS}
    assert kinds == {"code", "whole", "decimal", "time"}


def test_allow_list_names_known_elements_that_their_rows_do_not_keep_from_partners():
    assert {element.key for element in ELEMENTS if element.audience is Audience.PARTNERS} == RELEASED
    rows = (*elements_call.ELEMENTS, *elements_patient.ELEMENTS, *elements_treatment.ELEMENTS)
    assert [row.key for row in rows if row.key in RELEASED and row.audience is not Audience.STAFF] == []


@pytest.mark.contract("A-098")
def test_new_element_is_invisible_until_it_is_listed():
    new = Element("vitals.new", "New", "Nowy", ListCode("9923"), Usage.OPTIONAL, "eVitals.99", "")
    assert with_audience([new])[0].audience is Audience.STAFF


def test_every_negative_and_reason_has_its_own_nemsis_code():
    assert set(NEMSIS_NEGATIVES) == set(Negative)
    assert len(set(NEMSIS_NEGATIVES.values())) == 15
    assert NEMSIS_NEGATIVES[Negative.REFUSED] == "8801019"
    assert NEMSIS_NEGATIVES[Negative.NO_KNOWN_DRUG_ALLERGY] == "8801013"
    assert set(NEMSIS_NOT_RECORDED) == set(NotRecorded)


def test_only_recommended_elements_may_be_not_reporting():
    assert [usage for usage in Usage if NotRecorded.NOT_REPORTING in usage.reasons] == [Usage.RECOMMENDED]
    assert not Usage.MANDATORY.reasons
    assert not Usage.OPTIONAL.reasons


def test_rules_of_values_are_phrases_that_end_an_error():
    for element in ELEMENTS:
        rule = element.values.rule
        assert rule[0].islower(), (element.key, rule)
        assert not rule.endswith("."), (element.key, rule)


def test_ended_encounter_keeps_its_status():
    assert FINAL_STATUSES == (EncounterStatus.COMPLETED, EncounterStatus.CANCELLED, EncounterStatus.TRANSFERRED)
    for final in FINAL_STATUSES:
        assert EncounterStatus.IN_PROGRESS.may_become(final)
        assert [status for status in EncounterStatus if final.may_become(status)] == [final]
