"""Waiting times between attempts double up to a maximum, and after a success they start again at the minimum."""

from protocols.waits import GrowingWait, doubled_s


def test_retry_wait_doubles_up_to_its_maximum_and_restarts_after_a_reset() -> None:
    wait = GrowingWait(0.5, 3.0)
    assert [wait.next_s() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    wait.reset()
    assert wait.now_s == wait.next_s() == 0.5


def test_retry_wait_shortened_by_a_limit_doubles_from_that_limit() -> None:
    wait = GrowingWait(8.0, 30.0)
    assert [wait.next_s(2.0), wait.next_s(), wait.next_s()] == [2.0, 4.0, 8.0]


def test_retry_wait_after_a_million_doublings_is_finite() -> None:
    assert doubled_s(1.0, 3) == 8.0
    assert doubled_s(1.0, 1_000_000, 60.0) == 60.0
    assert doubled_s(1.0, 1_000_000) == 2.0**63
