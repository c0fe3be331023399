"""The list of requirement numbers without a test, and the numbers that tests name."""

import pytest

from tests.contract.__main__ import named_by_tests, numbers_in_ranges, numbers_of, numbers_of_tests
from tests.harness.shared import shared_path


def test_list_of_contract_item_numbers_and_ranges_is_parsed() -> None:
    assert numbers_in_ranges(["C-001…C-003", "S-060", "S-170..S-171,"]) == {
        "C-001",
        "C-002",
        "C-003",
        "S-060",
        "S-170",
        "S-171",
    }
    with pytest.raises(ValueError, match="neither a number"):
        numbers_in_ranges(["C-1"])


def test_contract_item_numbers_are_read_from_table_rows_and_from_test_markers() -> None:
    assert numbers_of("| C-001 | L1 | C-002 |\n| S-001 | x |\n| C-003 | y |", "C") == ["C-001", "C-003"]
    source = 'pytestmark = [pytest.mark.contract("C-001")]\n@pytest.mark.contract("A-001", "S-002")\ndef test(): ...'
    assert numbers_of_tests(source) == {"C-001", "A-001", "S-002"}


def test_contract_item_numbers_named_by_tests_exist_in_the_contract() -> None:
    matrix = shared_path("contract/matrix.md").read_text()
    security = shared_path("contract/security.md").read_text()
    known = {*numbers_of(matrix, "C"), *numbers_of(matrix, "A"), *numbers_of(security, "S")}
    assert named_by_tests() - known == set()
