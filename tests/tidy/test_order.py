"""Test files that wait run at equal distances among those that use the processor."""

from tests.conftest import order_of_files

WAITING = [f"tests/journeys/test_{letter}.py" for letter in "ab"]
EARLY = [f"tests/cloud/test_{letter}.py" for letter in "abcd"]
SHORT = ["tests/protocols/test_a.py"]


def test_files_that_wait_are_spread_among_the_others_and_short_files_are_last() -> None:
    order = order_of_files([*SHORT, *EARLY, *WAITING])
    assert order == [WAITING[0], *EARLY[:2], WAITING[1], *EARLY[2:], *SHORT]


def test_longest_file_that_waits_is_the_first() -> None:
    longest = "tests/journeys/test_replaced_restored_contested.py"
    assert order_of_files([*EARLY, *WAITING, longest])[0] == longest


def test_order_without_files_that_wait_is_that_of_the_names() -> None:
    assert order_of_files([*SHORT, *reversed(EARLY)]) == [*EARLY, *SHORT]
