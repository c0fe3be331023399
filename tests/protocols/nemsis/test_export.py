"""A care record becomes a valid NEMSIS document, or a list of what to correct."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from protocols.epcr.change import Action, FieldChange
from protocols.epcr.record import current_record
from protocols.nemsis.export import Exported, Supplied, export_record
from protocols.nemsis.writer import NAMESPACE
from tests.builders.care_changes import JAN, NOW_US, change
from tests.builders.nemsis_judges import rule_findings, schema_faults
from tests.builders.nemsis_records import NEEDED, SUPPLIED

NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


def exported(*changes: FieldChange, supplied: Supplied = SUPPLIED, lacking: str = "") -> Exported:
    needed = [change(key, value) for key, value in NEEDED.items() if key != lacking]
    return export_record(current_record([*needed, *changes]), supplied)


def found(result: Exported, name: str) -> list[ElementTree.Element]:
    assert result.problems == ()
    return list(ElementTree.fromstring(result.document).iter(f"{{{NAMESPACE}}}{name}"))  # noqa: S314 - our own


def contents(result: Exported, name: str) -> list[tuple[str | None, str | None, str | None]]:
    """Return the value, the pertinent negative and the reason of each element of this name."""
    return [(each.text, each.get("PN"), each.get("NV")) for each in found(result, name)]


def problem(result: Exported) -> tuple[str, str, str]:
    assert result.document == b""
    (only,) = result.problems
    return only.key, only.code, only.text


def test_record_with_only_the_mandatory_elements_meets_the_schema():
    result = exported()
    assert schema_faults(result.document) == []
    assert [each.rule for each in rule_findings(result.document) if each.is_error] == []
    assert contents(result, "eVitals.06") == [(None, None, "7701003")]
    assert found(result, "eVitals.06")[0].get(NIL) == "true"
    assert found(result, "eAirway") == []


@pytest.mark.parametrize("key", NEEDED)
def test_missing_mandatory_element_is_named_with_what_to_do(key: str):
    place, code, text = problem(exported(lacking=key))
    assert (place, code) == (key, "missing")
    assert text.endswith("NEMSIS demands a value, and the care record has none. Enter it in the record.")


def test_other_source_supplies_what_the_record_lacks_and_the_record_comes_first():
    supplied = replace(SUPPLIED, values={"eResponse.13": "AMB-7", "eResponse.03": "cad_999"})
    result = exported(supplied=supplied, lacking="call.vehicle")
    assert contents(result, "eResponse.13") == [("AMB-7", None, None)]
    assert contents(result, "eResponse.03") == [("cad_999", None, None)]
    assert contents(exported(supplied=supplied), "eResponse.13") == [("AMB-42", None, None)]


def test_supplied_value_that_nemsis_does_not_permit_is_an_omission():
    result = exported(supplied=replace(SUPPLIED, values={"eResponse.03": "c1"}))
    assert contents(result, "eResponse.03") == [(None, None, "7701003")]
    assert [each.place for each in result.omissions] == ["eResponse.03"]


@pytest.mark.parametrize(
    ("key", "value", "name", "written"),
    [
        ("times.on_scene", "2026-03-01T01:12:00Z", "eTimes.06", "2026-03-01T01:12:00+00:00"),
        ("times.on_scene", "2026-03-01T01:12:00.5-05:00", "eTimes.06", "2026-03-01T01:12:00.500000-05:00"),
        ("times.on_scene", "2026-03-01T01:12:00+20:00", "eTimes.06", "2026-02-28T05:12:00+00:00"),
        ("vitals.diastolic", "080", "eVitals.07", "80"),
        ("vitals.diastolic", "P", "eVitals.07", "P"),
        ("vitals.glucose", "High", "eVitals.18", "High"),
        ("vitals.temperature", "36.60"[:4], "eVitals.24", "36.6"),
    ],
)
def test_value_is_written_as_the_schema_spells_it(key: str, value: str, name: str, written: str):
    result = exported(change(key, value))
    assert contents(result, name) == [(written, None, None)]
    assert schema_faults(result.document) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("patient.postcode", "00-950"),
        ("patient.state", "mazowieckie"),
        ("patient.city", "Warszawa"),
        ("patient.national_number", "44051401359"),
        ("patient.phone", "601 234 568"),
        ("patient.birth_date", "1889-12-31"),
        ("situation.primary_impression", "W19"),
        ("times.on_scene", "1949-12-31T23:59:59+00:00"),
        ("times.on_scene", "0001-01-01T00:00:00+10:00"),
        ("scene.place", "Y93.1"),
        ("narrative.text", "bell \x07"),
        ("disposition.acuity", "critical"),
    ],
)
def test_value_that_nemsis_does_not_permit_is_named_without_being_repeated(key: str, value: str):
    place, code, text = problem(exported(change(key, value)))
    assert (place, code) == (key, "value_not_permitted")
    assert value not in text
    assert "Correct it in the record, or do not report the element." in text


@pytest.mark.parametrize("value", ["4", "12345678", "900000000"])
def test_medication_outside_of_rxnorm_and_the_blood_products_is_a_problem(value: str):
    assert problem(exported(change("medications.drug", value, entry="m1")))[1] == "value_not_permitted"


@pytest.mark.parametrize(
    ("key", "value", "name", "attributes"),
    [
        ("vitals.etco2", "35", "eVitals.16", {"ETCO2Type": "3340001"}),
        ("history.drug_allergies", "Z88.0", "eHistory.06", {"CodeType": "9924001"}),
        ("history.drug_allergies", "7980", "eHistory.06", {"CodeType": "9924003"}),
        ("scene.street", "ul. Polna 1\nm. 2 \"B\"", "eScene.15", {"StreetAddress2": "m. 2 \"B\""}),
    ],
)  # fmt: skip
def test_attributes_state_unit_terminology_and_second_line(key: str, value: str, name: str, attributes: dict[str, str]):
    result = exported(change(key, value))
    (element,) = found(result, name)
    assert element.attrib == attributes
    assert schema_faults(result.document) == []


def test_negative_stands_beside_a_value_or_instead_of_it():
    result = exported(
        change("medications.drug", "1191", entry="m1", negative="allergy"),
        change("vitals.systolic", None, negative="refused"),
        change("situation.onset", "2026-03-01T00:00:00+01:00", negative="approximate"),
    )
    assert contents(result, "eMedications.03") == [("1191", "8801007", None)]
    assert contents(result, "eVitals.06") == [(None, "8801019", None)]
    assert contents(result, "eSituation.01") == [("2026-03-01T00:00:00+01:00", "8801029", None)]
    assert [each.rule for each in rule_findings(result.document) if each.is_error] == []


@pytest.mark.parametrize(
    "stated",
    [
        change("vitals.systolic", None, negative="allergy"),
        change("medications.route", "9927023", entry="m1", negative="unable_to_complete"),
        change("vitals.systolic", None, negative="unimpressed"),
    ],
)
def test_negative_that_nemsis_does_not_permit_is_a_problem(stated: FieldChange):
    assert problem(exported(stated))[1] == "negative_not_permitted"


def test_reason_for_a_missing_value_is_exported_where_nemsis_permits_it():
    result = exported(
        change("situation.onset", None, not_recorded="not_applicable"),
        change("call.priority", None, not_recorded="not_applicable"),
    )
    assert contents(result, "eSituation.01") == [(None, None, "7701001")]
    assert found(result, "eDispatch.05") == []
    assert problem(exported(change("vitals.stroke_score", None, not_recorded="not_reporting")))[1] == (
        "reason_not_permitted"
    )


def test_agency_leaves_elements_out_of_its_reports():
    supplied = replace(
        SUPPLIED, not_reporting=frozenset(("patient.postcode", "patient.last_name", "patient.phone", "call.reason"))
    )
    result = exported(
        change("patient.postcode", "00-950"),
        change("patient.last_name", "Kowalska"),
        change("patient.first_name", "Anna"),
        change("patient.phone", "601 234 568"),
        supplied=supplied,
    )
    assert contents(result, "ePatient.09") == [(None, None, "7701003")]
    assert contents(result, "ePatient.02") == [(None, None, "7701005")]
    assert found(result, "ePatient.18") == []
    assert contents(result, "eDispatch.01") == [("2301021", None, None)]
    assert schema_faults(result.document) == []


def test_entries_are_in_the_order_of_their_times_and_void_ones_are_left_out():
    result = exported(
        change("vitals.time", "2026-03-01T02:00:00+01:00", entry="a"),
        change("vitals.time", "2026-03-01T00:30:00Z", entry="b"),
        change("vitals.spo2", "91", entry="c"),
        change("vitals.spo2", "92", entry="d"),
        change("vitals", "wrong patient", entry="d", action=Action.VOID),
    )
    times = [text for text, *_ in contents(result, "eVitals.01")]
    assert times == ["2026-03-01T00:30:00+00:00", "2026-03-01T02:00:00+01:00", None]
    assert contents(result, "eVitals.12")[-1] == ("91", None, None)


def test_findings_are_in_the_assessment_to_which_they_belong():
    result = exported(
        change("lungs.side", "3522001", entry="x1/l1"),
        change("lungs.findings", "3523001", entry="x1/l1", negative="finding_not_present"),
        change("exam.skin", "3504001", entry="x2"),
        change("lungs.side", "3522003", entry="x2/l1"),
        change("exam.weight", "80.5", entry="x2"),
    )
    groups = found(result, "eExam.AssessmentGroup")
    assert [len(list(each.iter(f"{{{NAMESPACE}}}eExam.22"))) for each in groups] == [1, 1]
    assert contents(result, "eExam.01") == [("80.5", None, None)]
    assert schema_faults(result.document) == []


def test_latest_of_several_values_is_exported_and_the_others_are_omissions():
    result = exported(
        change("exam.weight", "80", entry="x1", gateway_time_us=NOW_US + 2),
        change("exam.weight", "85", entry="x2", gateway_time_us=NOW_US + 1),
        change("patient.age", "50"),
        change("patient.age", "51", author=JAN, gateway_time_us=NOW_US + 1),
        change("robot.mood", "calm", entry="r1"),
        change("attachments.file", "file_1", entry="f1"),
        change("attachments.name", "scan", entry="f1"),
    )
    assert contents(result, "eExam.01") == [("80", None, None)]
    assert contents(result, "ePatient.15") == [("51", None, None)]
    assert sorted(each.place for each in result.omissions) == [
        "attachments.file", "exam.weight", "patient.age", "robot.mood",
    ]  # fmt: skip


def test_withdrawn_value_is_not_exported():
    result = exported(
        change("patient.age", "50", id="c1"),
        change("patient.age", None, action=Action.REMOVE, author=JAN, gateway_time_us=NOW_US + 1),
    )
    assert contents(result, "ePatient.15") == [(None, None, "7701003")]
