"""The languages of the crew's pages: complete files, plural forms, and the choice of a language."""

import re
from pathlib import Path
from string import Formatter

import pytest

from gateway.crew.languages import LANGUAGES, PLURAL_FORMS, Text, choose_language, language, plural_form

CREW = Path(__file__).parents[3] / "gateway" / "crew"
SCRIPT_KEYS = re.compile(r'\btext\("([a-z0-9_.-]+)"')
SCRIPT_PARTS = re.compile(r'await texts\("([a-z_]+)"\)')


def placeholders(text: Text) -> set[str]:
    """Return the names of the placeholders of a text, or of all its plural forms, which must have the same."""
    forms = [text] if isinstance(text, str) else list(text.values())
    names = [frozenset(name for _, name, _, _ in Formatter().parse(form) if name is not None) for form in forms]
    assert len(set(names)) == 1, text
    return set(names[0])


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_language_has_the_texts_and_placeholders_of_english(code: str):
    english, own = language("en").texts, language(code).texts
    assert own.keys() == english.keys()
    differing = [key for key in english if placeholders(own[key]) != placeholders(english[key])]
    assert differing == []
    forms = {key: tuple(text) for key, text in own.items() if not isinstance(text, str)}
    assert set(forms) == {key for key, text in english.items() if not isinstance(text, str)}
    assert set(forms.values()) <= {PLURAL_FORMS[code]}


def test_every_text_of_a_template_or_script_exists():
    texts = language("en").texts
    for template in (CREW / "templates").glob("*.html"):
        missing = set(SCRIPT_KEYS.findall(template.read_text())) - texts.keys()
        assert {key for key in missing if not key.endswith(".")} == set(), template.name
    for script in (CREW / "static").glob("*.js"):
        source = script.read_text()
        parts = SCRIPT_PARTS.findall(source)
        known = {key.removeprefix(f"{part}.") for part in parts for key in texts if key.startswith(f"{part}.")}
        assert set(SCRIPT_KEYS.findall(source)) - known == set(), script.name


@pytest.mark.parametrize(
    ("code", "count", "words"),
    [
        ("en", 1, "1 reading"),
        ("en", 0, "0 readings"),
        ("de", 2, "2 Messwerte"),
        *[("pl", 1, "1 odczyt"), ("pl", 3, "3 odczyty"), ("pl", 12, "12 odczytów"), ("pl", 22, "22 odczyty")],
    ],
)
def test_text_with_a_count_has_the_plural_form_of_its_language(code: str, count: int, words: str):
    assert language(code).text("live.network.readings", count=count) == words


def test_polish_numbers_above_twenty_that_end_in_one_have_the_plural_of_many():
    assert [plural_form("pl", count) for count in (1, 21, 111, 112)] == ["one", "many", "many", "many"]


def test_number_has_the_decimal_mark_of_its_language():
    assert [language(code).number(36.84, 1) for code in ("en", "pl", "de")] == ["36.8", "36,8", "36,8"]


@pytest.mark.parametrize(
    ("chosen", "accepted", "code"),
    [
        ("", "", "en"),
        ("", "pl-PL,pl;q=0.9,en;q=0.8", "pl"),
        ("", "fr, en;q=0.5, de;q=0.7", "de"),
        ("", "pl;q=0, de;q=x", "en"),
        ("de", "pl", "de"),
        ("../en", "pl", "pl"),
    ],
)
def test_tablet_choice_of_language_precedes_the_languages_of_its_browser(chosen: str, accepted: str, code: str):
    assert choose_language(chosen, accepted).code == code
