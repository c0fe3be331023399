"""Check names and descriptions for characters that are hidden or that change how other characters are displayed.

U+202E displays a name backwards, U+200B makes two different names look equal, and a line break in a description forges
a second line in a log or a list.
"""

import unicodedata

_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Invisible characters among letters and symbols (Default_Ignorable_Code_Point of Unicode, and the Braille blank)."""
_REFUSED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Controls, format controls (bidirectional ones, joiners), surrogates, private use, unassigned, line separators."""


def hidden_character(text: str) -> str | None:
    """Return the first hidden character, in the form `U+202E RIGHT-TO-LEFT OVERRIDE`; None when the text has none."""
    for letter in text:
        category = unicodedata.category(letter)
        if (
            category in _REFUSED
            or letter in _INVISIBLE
            or (category == "Zs" and letter != " ")
            or _is_variation_selector(letter)
        ):
            return f"U+{ord(letter):04X} {unicodedata.name(letter, 'control character')}"
    return None


def _is_variation_selector(letter: str) -> bool:
    return "\ufe00" <= letter <= "\ufe0f" or "\U000e0100" <= letter <= "\U000e01ef" or "\u180b" <= letter <= "\u180f"
