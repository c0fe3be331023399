"""Each weakness that the reviewers found is guarded by a test, and no test names one that does not exist."""

from tests.tidy.findings import ELSEWHERE, FINDINGS, marked_tests


def test_findings_are_each_guarded_by_a_test() -> None:
    guarded = marked_tests()
    assert [finding for finding in FINDINGS if finding not in guarded] == []


def test_findings_named_by_tests_are_registered() -> None:
    assert sorted(set(marked_tests()) - set(FINDINGS)) == []


def test_findings_assigned_to_another_issue_are_not_registered_here() -> None:
    assert sorted(set(ELSEWHERE) & set(FINDINGS)) == []
