"""`make soak` does not count a group as passed whose tests were all skipped, for instance without PostgreSQL."""

from pathlib import Path

import pytest

from tests.soak.__main__ import Counts, Result, read_counts, result_of

REPORT = '<testsuites><testsuite name="pytest" errors="0" failures="0" skipped="{}" tests="{}"/></testsuites>'


@pytest.mark.parametrize(
    ("exit_code", "counts", "result"),
    [
        (0, Counts(tests=2), Result.PASSED),
        (0, Counts(tests=2, skipped=1), Result.PASSED),
        (0, Counts(tests=2, skipped=2), Result.SKIPPED),
        (0, Counts(), Result.PASSED),
        (1, Counts(tests=2, skipped=1), Result.FAILED),
        (4, Counts(), Result.FAILED),
    ],
)
def test_command_that_skipped_every_test_has_not_passed(exit_code: int, counts: Counts, result: Result) -> None:
    assert result_of(exit_code, counts) is result


def test_group_has_the_worst_result_of_its_commands() -> None:
    assert Result.of([Result.PASSED, Result.SKIPPED]) is Result.SKIPPED
    assert Result.of([Result.FAILED, Result.SKIPPED, Result.PASSED]) is Result.FAILED


def test_counts_are_read_from_the_report_of_pytest(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    assert read_counts(report) == Counts()
    report.write_text(REPORT.format(3, 5))
    assert read_counts(report) == Counts(tests=5, skipped=3)
