"""The search for characters in a text that are invisible or change how other characters are shown."""

import pytest

from cloud.foundation.readable import hidden_character

HIDDEN = {
    "right-to-left override": ("a\u202eb", "U+202E RIGHT-TO-LEFT OVERRIDE"),
    "zero width space": ("a\u200bb", "U+200B ZERO WIDTH SPACE"),
    "line feed": ("a\nb", "U+000A"),
    "carriage return": ("a\rb", "U+000D"),
    "no-break space": ("a\u00a0b", "U+00A0 NO-BREAK SPACE"),
    "Hangul filler": ("a\u3164b", "U+3164 HANGUL FILLER"),
    "variation selector": ("a\ufe0fb", "U+FE0F VARIATION SELECTOR-16"),
    "private use": ("a\ue000b", "U+E000"),
    "line separator": ("a\u2028b", "U+2028 LINE SEPARATOR"),
    "tag": ("a\U000e0061b", "U+E0061 TAG LATIN SMALL LETTER A"),
}


@pytest.mark.parametrize(("text", "name"), HIDDEN.values(), ids=HIDDEN)
def test_hidden_character_in_a_text_is_found_and_named(text: str, name: str) -> None:
    assert (hidden_character(text) or "").startswith(name)


@pytest.mark.parametrize("text", ["Ambulans nr 4 – Łódź", "Rettungsdienst Köln (Süd)", "救急車", "Σταθμός", "№ 7 ½ ☎"])
def test_visible_text_in_any_script_is_not_reported_as_hidden(text: str) -> None:
    assert hidden_character(text) is None
