"""The rules of the quality indicators agree with the publications, by examples of records."""

import pytest

from cloud.clinical.acqi.facts import Facts
from cloud.clinical.acqi.indicator import Score, Unit
from cloud.clinical.acqi.indicators import BY_NAME, INDICATORS, KEYS
from protocols.epcr.catalogue import find_element
from protocols.epcr.change import Action
from protocols.epcr.record import current_record
from tests.builders.acqi_world import ARREST, facts_of
from tests.builders.care_changes import JAN, change

CALL = {"call.service_requested": "2205001"}


def test_table_has_twelve_published_indicators_with_all_texts() -> None:
    assert len(INDICATORS) >= 12
    assert len(BY_NAME) == len(INDICATORS)
    for one in INDICATORS:
        texts = (one.english, one.polish, one.numerator, one.denominator, one.exclusions, one.source)
        assert all(texts), one.name
        assert one.english != one.polish


def test_rules_name_only_elements_and_codes_of_the_catalogue() -> None:
    def coded(rule: object) -> list[tuple[str, str]]:
        inner = [pair for each in getattr(rule, "rules", ()) for pair in coded(each)]
        codes = getattr(rule, "codes", ())
        return inner + [(key, code) for key in getattr(rule, "elements", ()) for code in codes]

    assert all(find_element(key) is not None for key in KEYS)
    for one in INDICATORS:
        for key, code in [pair for rule in (one.population, one.achieved, one.excluded) for pair in coded(rule)]:
            element = find_element(key)
            assert element is not None
            assert element.values.permits(code), (one.name, key, code)


@pytest.mark.parametrize(
    ("name", "values", "score"),
    [
        ("rosc_survival", ARREST, (1, 1)),
        ("rosc_survival", {**ARREST, "arrest.rosc": "3012001"}, (0, 1)),
        ("rosc_survival", {**ARREST, "arrest.resuscitation": "3003009"}, None),
        ("rosc_survival", {**ARREST, "arrest.present": "3001001"}, None),
        ("rosc_survival_utstein", ARREST, (1, 1)),
        ("rosc_survival_utstein", {**ARREST, "arrest.first_rhythm": "3011001"}, None),
        ("rosc_survival_utstein", {**ARREST, "arrest.present": "3001005"}, None),
        ("arrest_any_rosc", {**ARREST, "arrest.rosc": "3012007"}, (1, 1)),
        ("arrest_bystander_cpr", {**ARREST, "arrest.cpr_begun_by": "3020001"}, (1, 1)),
        ("arrest_bystander_cpr", {**ARREST, "arrest.cpr_begun_by": "3020013"}, (0, 1)),
        ("arrest_bystander_cpr", ARREST, None),
        ("arrest_shockable_rhythm", ARREST, (1, 1)),
        ("arrest_aed_before_arrival", {**ARREST, "arrest.aed_before": "3007001"}, (0, 1)),
        ("stemi_aspirin", {"vitals.rhythm": "9901051", "medications.drug": "1191"}, (1, 1)),
        ("stemi_aspirin", {"situation.primary_impression": "I21.3"}, (0, 1)),
        (
            "stroke_assessment",
            {**CALL, "situation.primary_impression": "I63.9", "vitals.stroke_scale": "3330013"},
            (1, 1),
        ),
        ("stroke_assessment", {**CALL, "situation.primary_impression": "I63.9", "vitals.avpu": "3326007"}, None),
        ("stroke_assessment", {"situation.primary_impression": "I63.9"}, None),
        ("stroke_diagnostic_bundle", {"situation.primary_impression": "I61.0", "vitals.glucose": "90"}, (0, 1)),
        (
            "stroke_call_to_hospital_mean",
            {
                "situation.primary_impression": "I63.9",
                "times.call_received": "2027-01-15T08:00:00+01:00",
                "times.at_destination": "2027-01-15T07:50:00+00:00",
            },
            (3000, 1),
        ),
        (
            "hypoglycemia_treatment",
            {**CALL, "vitals.glucose": "40", "vitals.gcs_sum": "9", "medications.drug": "4850"},
            (1, 1),
        ),
        ("hypoglycemia_treatment", {**CALL, "vitals.glucose": "40", "vitals.avpu": "3326003"}, (0, 1)),
        ("hypoglycemia_treatment", {**CALL, "vitals.glucose": "60", "vitals.gcs_sum": "9"}, None),
        ("hypoglycemia_treatment", {**CALL, "vitals.glucose": "Low", "vitals.gcs_sum": "9"}, None),
        ("asthma_beta_agonist", {**CALL, "situation.primary_impression": "J45.9", "medications.drug": "435"}, (1, 1)),
        (
            "asthma_beta_agonist",
            {**CALL, "situation.primary_impression": "J45.9", "patient.age": "1", "patient.age_unit": "2516009"},
            None,
        ),
        (
            "seizure_benzodiazepine",
            {**CALL, "situation.primary_impression": "G41.9", "medications.drug": "6960"},
            (1, 1),
        ),
        ("respiratory_assessment", {**CALL, "situation.primary_impression": "R06.0", "vitals.spo2": "91"}, (0, 1)),
        ("trauma_pain_assessment", {**CALL, "situation.possible_injury": "9922005", "vitals.pain": "0"}, (1, 1)),
        ("trauma_pain_assessment", {**CALL, "situation.possible_injury": "9922005", "vitals.gcs_sum": "14"}, None),
        ("syncope_ecg", {**CALL, "situation.primary_impression": "R55", "vitals.ecg_type": "3304007"}, (1, 1)),
        ("response_without_sirens", {**CALL, "call.mode_details": "2224019"}, (1, 1)),
        ("response_without_sirens", CALL, None),
        (
            "response_time_mean",
            {**CALL, "times.call_received": "2027-01-15T08:00:00+00:00", "times.on_scene": "2027-01-15T08:07:30+00:00"},
            (450, 1),
        ),
        (
            "response_time_mean",
            {**CALL, "times.call_received": "2027-01-15T08:00:00+00:00", "times.on_scene": "2027-01-15T07:00:00+00:00"},
            None,
        ),
    ],
)
def test_record_scores_as_the_publication_states(
    name: str, values: dict[str, str], score: tuple[int, int] | None
) -> None:
    assert BY_NAME[name].score(facts_of(values)) == (None if score is None else Score(*score))


def test_brain_injury_is_monitored_by_one_complete_set_of_vital_signs() -> None:
    one = BY_NAME["brain_injury_monitoring"]
    values = {"call.service_requested": {"": ("2205001",)}, "situation.primary_impression": {"": ("S06.0",)}}
    vitals = {"vitals.spo2": ("97",), "vitals.etco2": ("35",), "vitals.systolic": ("120",)}
    together = Facts({**values, **{key: {"v1": value} for key, value in vitals.items()}})
    apart = Facts({**values, **{key: {f"v{n}": value} for n, (key, value) in enumerate(vitals.items())}})
    assert (one.score(together), one.score(apart)) == (Score(1, 1), Score(0, 1))


def test_units_are_shares_and_seconds() -> None:
    assert {one.unit for one in INDICATORS} == {Unit.SHARE, Unit.SECONDS}
    assert BY_NAME["response_time_mean"].unit is Unit.SECONDS


def test_void_entry_negative_and_withdrawn_value_are_no_facts() -> None:
    record = current_record(
        [
            change("medications.drug", "1191", entry="m1", negative="contraindicated"),
            change("medications.drug", "4850", entry="m2"),
            change("medications", "wrong", entry="m2", action=Action.VOID),
            change("medications.drug", "435", entry="m3"),
            change("patient.age", "70", negative="approximate"),
            change("arrest.present", "3001003", id="first"),
            change("arrest.present", "3001001", author=JAN, replaces=("first",)),
        ]
    )
    facts = Facts.of(record)
    assert list(facts.values("medications.drug")) == ["435"]
    assert list(facts.values("patient.age")) == ["70"]
    assert list(facts.values("arrest.present")) == ["3001001"]
