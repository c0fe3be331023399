"""The care record in FHIR: everything that is visible is in the bundle, as its kind of resource."""

import json
from typing import Any

import pytest

from protocols.epcr.catalogue import ELEMENTS
from protocols.epcr.change import Action, FieldChange
from protocols.epcr.units import canonical_number
from protocols.fhir.composition import _SECTIONS
from protocols.fhir.systems import ELEMENT, ENTRY, LOINC, NEMSIS, RXNORM, SNOMED, UCUM
from protocols.fhir.targets import OBSERVATION, TargetMalformed, _is_loinc, target_of
from tests.builders.care_changes import JAN, change
from tests.builders.fhir_encounters import (
    GeneratedEncounter,
    encounter_facts,
    generated_encounter,
    visible,
)

RESOURCES = {
    *("Patient", "Encounter", "Composition", "Observation", "Device", "DeviceMetric", "Procedure", "Location"),
    *("MedicationAdministration", "MedicationStatement", "Condition", "AllergyIntolerance", "DocumentReference"),
    *("Provenance", "PractitionerRole", "Organization"),
}

TRANSLATED = {"patient.sex", "patient.age_unit", "medications.dose_unit"}
"""Elements that FHIR states with a code of its own."""


def bundle(*changes: FieldChange, identified: bool = False) -> list[dict[str, Any]]:
    record = visible(*changes, identified=identified)
    (part,) = GeneratedEncounter(encounter_facts(), record, ()).parts()
    return [entry["resource"] for entry in json.loads(part)["entry"]]


def kinds(kind: str, *changes: FieldChange) -> list[dict[str, Any]]:
    return [one for one in bundle(*changes) if one["resourceType"] == kind]


def one_of(kind: str, *changes: FieldChange) -> dict[str, Any]:
    (found,) = kinds(kind, *changes)
    return found


def elements(resource: dict[str, Any]) -> list[str]:
    parts = [resource.get("code", {}), *(part["code"] for part in resource.get("component", ()))]
    return [coding["code"] for part in parts for coding in part.get("coding", ()) if coding["system"] == ELEMENT]


def dose(*more: FieldChange) -> list[FieldChange]:
    given = {"drug": "703", "dose": "0.50", "dose_unit": "3706021", "route": "9927023"}
    changes = [change(f"medications.{name}", value, entry="m1") for name, value in given.items()]
    return [*changes, change("medications.time", "2027-01-15T08:00:00+01:00", entry="m1"), *more]


def test_target_of_each_element_has_a_known_resource_and_a_valid_loinc_code():
    for element in ELEMENTS:
        target = target_of(element)
        assert target.resource in RESOURCES | {""}, element.key


def test_target_with_a_wrong_check_digit_is_refused():
    assert _is_loinc("85354-9")
    assert not _is_loinc("85354-8")
    assert not _is_loinc("85354")
    element = next(each for each in ELEMENTS if each.key == "vitals.spo2")
    from dataclasses import replace

    for wrong in ("Observation 59408-6", "observation 59408-5"):
        with pytest.raises(TargetMalformed):
            target_of(replace(element, fhir=wrong))


def test_sections_have_valid_loinc_codes():
    assert all(_is_loinc(code) for code, _, _ in _SECTIONS)


@pytest.mark.contract("C-110")
def test_dose_is_a_medication_administration():
    found = one_of("MedicationAdministration", *dose())
    assert found["status"] == "completed"
    assert found["medicationCodeableConcept"]["coding"] == [{"system": RXNORM, "code": "703"}]
    assert found["effectiveDateTime"] == "2027-01-15T08:00:00+01:00"
    assert found["dosage"]["dose"] == {"value": 0.5, "unit": "mg", "system": UCUM, "code": "mg"}
    assert found["dosage"]["route"]["coding"] == [{"system": NEMSIS, "code": "9927023"}]


def test_digits_of_a_dose_are_kept():
    (part,) = GeneratedEncounter(encounter_facts(), visible(*dose()), ()).parts()
    assert b'"dose":{"value":0.50,' in part
    assert canonical_number("007.50") == "7.50"
    assert canonical_number("0") == "0"


def test_rate_is_a_rate_and_unknown_units_keep_their_code():
    rate = one_of("MedicationAdministration", *dose(change("medications.dose_unit", "3706035", entry="m1")))
    assert rate["dosage"]["rateQuantity"]["code"] == "L/min"
    other = one_of("MedicationAdministration", *dose(change("medications.dose_unit", "3706029", entry="m1")))
    assert (other["dosage"]["dose"]["system"], other["dosage"]["dose"]["code"]) == (NEMSIS, "3706029")


def test_drug_that_was_not_given_is_not_done_with_its_reason():
    found = one_of("MedicationAdministration", change("medications.drug", "703", entry="m1", negative="allergy"))
    assert found["status"] == "not-done"
    assert found["statusReason"][0]["text"] == "allergy"
    assert found["effectivePeriod"] == {"end": "2027-01-15T08:00:00.000000Z"}
    assert "dosage" not in found


def test_missing_drug_and_route_without_a_dose_are_stated():
    changes = [
        change("medications.drug", None, entry="m1", not_recorded="not_recorded"),
        change("medications.route", "9927023", entry="m1"),
    ]
    found = one_of("MedicationAdministration", *changes)
    assert found["medicationCodeableConcept"]["coding"][0]["code"] == "unknown"
    assert elements(one_of("Observation", *changes)) == ["medications.route"]


def test_void_entry_is_entered_in_error_beside_its_earlier_version():
    void = change("medications", "given to another patient", entry="m1", action=Action.VOID)
    before, after = one_of("MedicationAdministration", *dose()), one_of("MedicationAdministration", *dose(void))
    assert (before["status"], after["status"]) == ("completed", "entered-in-error")
    assert before["identifier"][0] != after["identifier"][0]
    assert before["identifier"][1] == after["identifier"][1]
    assert before["identifier"][1]["system"] == ENTRY
    assert "another patient" not in json.dumps(bundle(*dose(void)))


@pytest.mark.contract("C-110")
def test_procedure_has_its_code_outcome_and_parts():
    changes = [
        change("procedures.procedure", "268400002", entry="p1"),
        change("procedures.response", "9916003", entry="p1"),
        change("procedures.complications", "3907033", entry="p1"),
        change("procedures.attempts", "2", entry="p1"),
    ]
    found = one_of("Procedure", *changes)
    assert found["code"]["coding"] == [{"system": SNOMED, "code": "268400002"}]
    assert found["outcome"]["coding"][0]["code"] == "9916003"
    assert found["complication"][0]["coding"][0]["code"] == "3907033"
    part = one_of("Observation", *changes)
    assert elements(part) == ["procedures.attempts"]
    assert part["valueQuantity"]["value"] == 2
    assert part["partOf"][0]["reference"].startswith("urn:uuid:")


def test_blood_pressure_of_the_crew_is_a_panel_with_its_method():
    found = one_of(
        "Observation",
        change("vitals.systolic", "122"),
        change("vitals.diastolic", None, negative="refused"),
        change("vitals.pressure_method", "3308001"),
        change("vitals.time", "2027-01-15T08:00:00+01:00"),
    )
    assert found["code"]["coding"][0] == {
        "system": LOINC,
        "code": "85354-9",
        "display": "Blood pressure panel with all children optional",
    }
    assert elements(found) == ["vitals.systolic", "vitals.diastolic"]
    assert found["component"][1]["dataAbsentReason"]["coding"][0]["code"] == "asked-declined"
    assert found["method"]["coding"][0]["code"] == "3308001"
    assert found["effectiveDateTime"] == "2027-01-15T08:00:00+01:00"


def test_pressure_by_palpation_does_not_claim_the_profile_that_needs_two_numbers():
    measured = one_of("Observation", change("vitals.systolic", "90"), change("vitals.diastolic", "60"))
    palpated = one_of("Observation", change("vitals.systolic", "90"), change("vitals.diastolic", "P"))
    assert measured["meta"]["profile"] == ["http://hl7.org/fhir/StructureDefinition/bp"]
    assert palpated["component"][1]["valueString"] == "P"
    assert "profile" not in palpated["meta"]


@pytest.mark.parametrize(
    ("changed", "member", "expected"),
    [
        (change("vitals.temperature", "37.5"), "valueQuantity", "Cel"),
        (change("vitals.gcs_eye", "4"), "valueQuantity", "1"),
        (change("vitals.glucose", "High"), "valueString", None),
        (change("vitals.avpu", "3326001"), "valueCodeableConcept", None),
        (change("arrest.time", "2027-01-15T08:00:00+01:00", entry=None), "valueDateTime", None),
        (change("vitals.systolic", None, negative="finding_not_present"), "component", None),
        (change("vitals.spo2", None, negative="finding_not_present"), "valueCodeableConcept", None),
        (change("vitals.spo2", None, not_recorded="not_applicable"), "dataAbsentReason", None),
    ],
)
def test_value_of_each_kind_of_element(changed: FieldChange, member: str, expected: str | None):
    found = one_of("Observation", changed)
    assert member in found
    if expected is not None:
        assert found[member]["code"] == expected or found[member]["unit"] == "{score}"


@pytest.mark.contract("S-153", "A-097")
@pytest.mark.parametrize(("age", "value", "comparator"), [("89", 89, None), ("90", 90, ">="), ("97", 90, ">=")])
def test_age_of_ninety_and_more_is_ninety_or_over(age: str, value: int, comparator: str | None):
    found = one_of("Observation", change("patient.age", age), change("patient.age_unit", "2516009"))
    assert found["code"]["coding"][0] == {"system": LOINC, "code": "30525-0"}
    assert found["valueQuantity"]["value"] == value
    assert found["valueQuantity"].get("comparator") == comparator
    assert found.get("note", [{}])[0].get("text") == ("90 or over" if comparator else None)


@pytest.mark.contract("A-097")
def test_patient_of_a_partner_has_a_pseudonym_and_the_sex_only():
    changes = [
        change("patient.last_name", "Kowalski"),
        change("patient.birth_date", "1964-02-29"),
        change("patient.phone", "+48123456789"),
        change("patient.national_number", "64022912345"),
        change("patient.sex", "9919003"),
    ]
    patient = one_of("Patient", *changes)
    assert set(patient) == {"resourceType", "meta", "identifier", "gender"}
    assert patient["gender"] == "male"
    assert [label["code"] for label in patient["meta"]["security"]] == ["PSEUDED"]
    assert all("PSEUDED" in str(one["meta"]) for one in bundle(*changes))


def test_patient_of_an_identified_bundle_has_the_identity():
    changes = [
        change("patient.last_name", "Kowalski"),
        change("patient.first_name", "Jan"),
        change("patient.birth_date", "1964-02-29"),
        change("patient.street", "ul. Długa 5"),
        change("patient.city", "Gdańsk"),
        change("patient.phone", "+48123456789"),
        change("patient.national_number", "44051401359"),
        change("narrative.text", "Fell <down> & hurt"),
    ]
    found = bundle(*changes, identified=True)
    patient = next(one for one in found if one["resourceType"] == "Patient")
    assert patient["name"] == [{"family": "Kowalski", "given": ["Jan"]}]
    assert (patient["birthDate"], patient["telecom"][0]["value"]) == ("1964-02-29", "+48123456789")
    assert patient["address"] == [{"line": ["ul. Długa 5"], "city": "Gdańsk"}]
    assert patient["identifier"][1]["value"] == "44051401359"
    composition = next(one for one in found if one["resourceType"] == "Composition")
    assert "<p>Fell &lt;down&gt; &amp; hurt</p>" in composition["section"][-1]["text"]["div"]
    assert not any("PSEUDED" in str(one.get("meta", "")) for one in found)


@pytest.mark.contract("S-152")
def test_patient_with_the_same_number_is_the_same_within_a_tenant_and_another_one_elsewhere():
    number = change("patient.national_number", "44051401359")

    def patient(tenant: str, key: bytes) -> str:
        encounter = GeneratedEncounter(encounter_facts(tenant=tenant), visible(number, key=key), ())
        (part,) = encounter.parts()
        return str(json.loads(part)["entry"][0]["fullUrl"])

    assert patient("ten_1", bytes(32)) == patient("ten_1", bytes(32))
    assert (
        len({patient("ten_1", bytes(32)), patient("ten_2", bytes(range(32))), patient("ten_1", bytes(range(32)))}) == 3
    )


def test_each_visible_statement_is_in_the_bundle():
    for seed in range(5):
        encounter = generated_encounter(seed, observations=0, changes=200)
        text = b"".join(encounter.parts()).decode()
        for field in encounter.record.fields:
            for statement in (*field.shown, *field.contradicting):
                if statement.value is not None and field.element.key not in TRANSLATED:
                    number = field.element.values.kind in ("whole", "decimal") and statement.value[0].isdigit()
                    shown = canonical_number(statement.value) if number else statement.value
                    assert shown in text, field.element.key


def test_contradicting_statement_of_another_author_is_preliminary():
    found = kinds("Observation", change("vitals.spo2", "97"), change("vitals.spo2", "88", author=JAN))
    assert sorted((one["valueQuantity"]["value"], one["status"]) for one in found) == [
        (88, "final"),
        (97, "preliminary"),
    ]


def test_resources_are_listed_in_the_sections_of_the_report():
    found = bundle(*dose(), change("vitals.spo2", "97"), change("history.pregnancy", "3118001", entry=None))
    composition = next(one for one in found if one["resourceType"] == "Composition")
    listed = {section["title"]: len(section["entry"]) for section in composition["section"]}
    assert listed == {"History": 1, "Vital signs": 1, "Medications given": 1}
    assert target_of(next(each for each in ELEMENTS if each.key == "vitals.spo2")).resource == OBSERVATION


def test_primary_impression_is_the_reason_of_the_encounter():
    found = one_of("Encounter", change("situation.primary_impression", "I21.9", entry=None))
    assert found["reasonCode"] == [{"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "I21.9"}]}]
