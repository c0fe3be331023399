"""The form of the report: its choices are permitted, and every part of it has a text in each language."""

from datetime import UTC

import pytest

from gateway.crew.languages import LANGUAGES, language
from gateway.crew.report_form import CHOICES, SECTIONS, form_model
from protocols.epcr.annotations import Annotation
from protocols.epcr.catalogue import find_element
from protocols.epcr.concept_ids import is_concept_id
from protocols.epcr.handover.language import Language
from protocols.epcr.handover.wording import Wording
from protocols.epcr.units import DOSE_UNITS, RATE_UNITS

STATED_AT_HANDOVER = (
    *("patient.sex", "situation.acuity", "situation.primary_symptom", "situation.primary_impression"),
    *("history.drug_allergies", "history.conditions", "history.pregnancy"),
    *("vitals.rhythm", "vitals.avpu", "vitals.stroke_result"),
    *("medications.drug", "medications.route", "medications.response", "procedures.procedure"),
    *("arrest.present", "arrest.witnessed_by", "arrest.cause", "arrest.first_rhythm", "arrest.rosc"),
)
"""Elements of the form whose codes a hand-over states."""

ANNOTATIONS_OF_TABLETS = (Annotation.ADDENDUM, Annotation.BOTH_STAND, Annotation.DISMISSED, Annotation.SIGNATURE)
"""Annotations that a tablet writes."""


def test_form_offers_only_choices_that_the_catalogue_permits():
    for key, codes in CHOICES.items():
        element = find_element(key)
        assert element is not None, key
        assert [code for code in codes if not element.values.permits(code)] == [], key
        assert len(codes) == len(set(codes)), key
    assert [code for code in CHOICES["procedures.procedure"] if not is_concept_id(code)] == []


def test_handover_has_words_for_each_choice_of_the_form_that_it_states():
    wording = Wording(Language.ENGLISH, UTC, 0)
    for key in STATED_AT_HANDOVER:
        element = find_element(key)
        assert element is not None, key
        # A code without words is stated as the name of its system, a space without a line break, and the code.
        assert [code for code in CHOICES[key] if f"\u00a0{code}" in wording.code(element.values, code)] == [], key
    assert set(CHOICES["medications.dose_unit"]) <= DOSE_UNITS.keys() | RATE_UNITS.keys()


@pytest.mark.parametrize("code", LANGUAGES)
def test_form_has_a_text_for_each_section_field_choice_reason_and_gap(code: str):
    texts = language(code).texts
    model = form_model()
    needed = [f"report.sections.{section.name}" for section in SECTIONS]
    needed += [f"report.add.{section.name}" for section in SECTIONS if section.group]
    needed += [f"report.fields.{key}" for key in ANNOTATIONS_OF_TABLETS]  # named where the gateway refuses one
    for key, element in model["elements"].items():
        needed.append(f"report.fields.{key}")
        needed += [f"report.reasons.{each}" for part in ("instead", "with_value", "reasons") for each in element[part]]
        choices = element.get("choices", ())
        needed += [
            f"choices.{each}" if f"choices.{each}" in texts else f"report.scores.{key}.{each}" for each in choices
        ]
    assert sorted(set(needed) - texts.keys()) == []
