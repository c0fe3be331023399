"""An error suggests the known word that is most similar to a mistyped word, or none if no word is similar."""

import pytest

from cloud.foundation.suggestions import LENGTH_MAX, closest, quoted


@pytest.mark.parametrize(
    ("word", "known", "found"),
    [
        ("mmHg", ["kPa", "mm[Hg]"], "mm[Hg]"),
        ("webhook:write", ["webhooks:read", "webhooks:write"], "webhooks:write"),
        ("incident.update", ["incident.updated", "incident.created"], "incident.updated"),
        ("mg/dl", ["mg/dL"], "mg/dL"),
        ("furlong", ["mm[Hg]", "%"], None),
        ("", ["a"], None),
        ("x" * (LENGTH_MAX + 1), ["x" * LENGTH_MAX], None),
        ("same", ["same"], None),
    ],
)
def test_suggestion_is_the_most_similar_known_word_or_none(word: str, known: list[str], found: str | None) -> None:
    assert closest(word, known) == found


def test_suggestion_search_compares_the_word_with_a_bounded_number_of_known_words() -> None:
    looked_at = iter(f"word{number}" for number in range(10**9))
    assert closest("nothing like it", looked_at) is None


def test_word_quoted_in_an_error_is_truncated_and_its_hidden_characters_are_replaced() -> None:
    assert quoted("a\u202eb'\n") == "'a?b??'"
    assert len(quoted("x" * 1000)) == LENGTH_MAX + 2
