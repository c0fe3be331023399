"""Names are compared word by word, and the pairs explain the score."""

import pytest

from cloud.clinical.screening.matching import Likeness, compare, pair_words
from cloud.clinical.screening.model import BirthDates
from cloud.clinical.screening.names import WORD_LENGTH_MAX, WORDS_MAX, fold, keys_of, skeleton
from cloud.clinical.screening.search import SCORE_MIN, compare_birth_dates
from cloud.clinical.screening.wallets import normalized_address


def score(screened: str, listed: str) -> float:
    return compare(fold(screened), fold(listed)).score


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Dr. Examplo de la Invented", ("examplo", "invented")),
        ("INVENTED, Examplo", ("invented", "examplo")),
        ("O'Example-Testova", ("oexample", "testova")),
        ("Invented Trading Co. Ltd.", ("invented", "trading")),
        ("Ínvéntéd Müßtèr", ("invented", "musster")),
        ("Владимир", ("vladimir",)),
        ("محمد", ("mhmd",)),
        ("Abd al-Rahman Testov", ("abdrahman", "testov")),
        ("Abdul Rahman Abdi Abd", ("abdrahman", "abdi", "abd")),
        ("Abdurrahman Abdelkader", ("abdrahman", "abdkader")),
        ("Al", ("al",)),
        ("!?", ()),
        ("", ()),
    ],
)
def test_name_is_folded_to_the_words_that_are_compared(name: str, words: tuple[str, ...]) -> None:
    assert fold(name) == words


def test_number_and_length_of_words_are_limited() -> None:
    assert fold("x" * 1000) == ("x" * WORD_LENGTH_MAX,)
    assert len(fold(" ".join(f"w{number}" for number in range(100)))) == WORDS_MAX


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mohammed", "mhmd"),
        ("ivanov", "iwanow"),
        ("shevchenko", "schewtschenko"),
        ("qasim", "kassem"),
        ("omar", "umar"),
    ],
)
def test_words_that_are_transliterated_differently_have_a_common_key(one: str, other: str) -> None:
    assert keys_of(one) & keys_of(other)


@pytest.mark.parametrize("wrong", ["kowalski", "kovalsky", "kowlaski", "kowaski", "kowalskri", "kovalzki", "towalski"])
def test_misspelled_word_has_a_common_key_and_is_a_pair(wrong: str) -> None:
    assert keys_of(wrong) & keys_of("kowalski")
    assert pair_words(wrong, "kowalski") is not None


def test_number_of_keys_of_a_word_is_bounded_by_its_skeleton() -> None:
    assert len(keys_of("bcdfgklmnprstv" * 5)) <= len(skeleton("bcdfgklmnprstv" * 5)) + 1


@pytest.mark.parametrize(
    ("screened", "listed"),
    [
        ("Examplo Testovich", "Examplo Testovich"),
        ("Testovich Examplo", "Examplo Testovich"),
        ("Exemplo Testovich", "Examplo Testovich"),
        ("Wladimir Testow", "Владимир Тестов"),
        ("Mohammed Hassan", "محمد حسن"),
        ("Examplo Testovich", "Examplo Bin Middlo Testovich"),
        ("Abdulrahman", "Abd al-Rahman"),
        ("王小明", "Wang Xiaoming"),
        ("Invented Trading GmbH", "INVENTED TRADING LLC"),
        ("Juergen Muellermann", "Jürgen Müllermann"),
    ],
)
def test_names_of_one_subject_are_alike(screened: str, listed: str) -> None:
    assert score(screened, listed) >= SCORE_MIN


@pytest.mark.parametrize(
    ("screened", "listed"),
    [
        ("Examplo Testovich", "Examplo Different"),
        ("Testovich", "Examplo Testovich"),
        ("Li Wei", "Lu Wei"),
        ("Inventa Trading", "Different Trading"),
        ("National Bank of Freedonia", "National Bank of Sylvania"),
        ("Watruha Trading", "Feteer Trading"),
    ],
)
def test_names_of_different_subjects_are_not_alike(screened: str, listed: str) -> None:
    assert score(screened, listed) < SCORE_MIN


def test_score_is_the_same_in_both_directions_and_with_the_words_in_any_order() -> None:
    there, back = ("examplo", "middlo", "testovich"), ("testowitsch", "exemplo")
    assert compare(there, back).score == pytest.approx(compare(back, there).score)
    assert compare(there[::-1], back).score == pytest.approx(compare(there, back).score)


def test_pairs_name_the_kind_of_the_likeness_and_the_number_of_different_letters() -> None:
    match = compare(fold("Exemplo Mohammed Testovich Extra"), fold("Examplo محمد Testovich Other"))
    assert {(pair.screened, pair.listed, pair.likeness, pair.edits) for pair in match.pairs} == {
        ("testovich", "testovich", Likeness.EQUAL, 0),
        ("mohammed", "mhmd", Likeness.SOUND, 4),
        ("exemplo", "examplo", Likeness.SOUND, 1),
    }
    assert (match.only_screened, match.only_listed) == (("extra",), ("other",))


@pytest.mark.parametrize(
    ("screened", "listed", "result"),
    [
        (None, ["1948"], BirthDates.UNKNOWN),
        ("1948", [], BirthDates.UNKNOWN),
        ("1948-12-10", ["1949-01"], BirthDates.AGREE),
        ("1948", ["1930", "1946/1952"], BirthDates.AGREE),
        ("1948-12-10", ["1950-12-10"], BirthDates.DIFFER),
    ],
)
def test_years_of_birth_are_compared(screened: str | None, listed: list[str], result: BirthDates) -> None:
    assert compare_birth_dates(screened, listed) is result


def test_case_of_an_address_is_kept_only_where_it_has_a_meaning() -> None:
    assert normalized_address(" 0xABCdef ") == "0xabcdef"
    assert normalized_address("BC1QSYNTHETIC") == "bc1qsynthetic"
    assert normalized_address("1SyntheticAddress") == "1SyntheticAddress"
