"""Every weakness that the reviews found has a test, and every finding that a test names is registered."""

from tests.tidy.findings import ELSEWHERE, FINDINGS, marked_tests


def test_every_registered_review_finding_is_marked_at_a_test() -> None:
    guarded = marked_tests()
    assert [finding for finding in FINDINGS if finding not in guarded] == []


def test_every_review_finding_named_by_a_test_is_registered() -> None:
    assert sorted(set(marked_tests()) - set(FINDINGS)) == []


def test_review_findings_assigned_to_another_issue_are_not_registered() -> None:
    assert sorted(set(ELSEWHERE) & set(FINDINGS)) == []
