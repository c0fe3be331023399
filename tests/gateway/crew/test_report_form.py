"""The form of the report: its choices are permitted, and every part of it has a text in each language."""

import pytest

from gateway.crew.languages import LANGUAGES, language
from gateway.crew.report_form import CHOICES, SECTIONS, form_model
from protocols.epcr.catalogue import find_element
from protocols.epcr.concept_ids import is_concept_id


def test_form_offers_only_choices_that_the_catalogue_permits():
    for key, codes in CHOICES.items():
        element = find_element(key)
        assert element is not None, key
        assert [code for code in codes if not element.values.permits(code)] == [], key
        assert len(codes) == len(set(codes)), key
    assert [code for code in CHOICES["procedures.procedure"] if not is_concept_id(code)] == []


@pytest.mark.parametrize("code", LANGUAGES)
def test_form_has_a_text_for_each_section_field_choice_reason_and_gap(code: str):
    texts = language(code).texts
    model = form_model()
    needed = [f"report.sections.{section.name}" for section in SECTIONS]
    needed += [f"report.add.{section.name}" for section in SECTIONS if section.group]
    for key, element in model["elements"].items():
        needed.append(f"report.fields.{key}")
        needed += [f"report.reasons.{each}" for part in ("instead", "with_value", "reasons") for each in element[part]]
        choices = element.get("choices", ())
        needed += [
            f"choices.{each}" if f"choices.{each}" in texts else f"report.scores.{key}.{each}" for each in choices
        ]
    assert sorted(set(needed) - texts.keys()) == []
