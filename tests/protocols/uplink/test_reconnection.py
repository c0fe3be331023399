"""Attempts are spread in time, so that a fleet does not return to a broker all at once."""

import pytest

from protocols.uplink.reconnection import ReconnectSettings, ReconnectWait

SETTINGS = ReconnectSettings(first_s=1.0, cap_s=60.0, least_s=0.1, settled_after_s=30.0)


def test_waits_double_up_to_the_cap():
    wait = ReconnectWait(SETTINGS, lambda: 1.0)
    assert [wait.next_s() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_jitter_takes_any_part_of_the_wait_but_never_none_of_it():
    wait = ReconnectWait(SETTINGS, lambda: 0.5)
    assert [wait.next_s() for _ in range(3)] == [0.5, 1.0, 2.0]
    assert ReconnectWait(SETTINGS, lambda: 0.0).next_s() == 0.1


def test_years_of_failures_still_give_the_cap():
    wait = ReconnectWait(SETTINGS, lambda: 1.0)
    wait.failures = 1_000_000
    assert wait.next_s() == 60


@pytest.mark.parametrize(("held_s", "next_s"), [(30.0, 1.0), (29.9, 8.0)])
def test_only_a_connection_that_held_ends_the_row_of_failures(held_s: float, next_s: float):
    wait = ReconnectWait(SETTINGS, lambda: 1.0)
    for _ in range(3):
        wait.next_s()
    wait.end_connection(held_s=held_s, delivered=False)
    assert wait.next_s() == next_s


def test_short_connection_that_delivered_ends_the_row_of_failures():
    wait = ReconnectWait(SETTINGS, lambda: 1.0)
    for _ in range(6):
        wait.next_s()
    wait.end_connection(held_s=2.0, delivered=True)
    assert wait.next_s() == 1.0
