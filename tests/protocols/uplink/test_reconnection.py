"""Reconnection attempts have random delays, so that not all gateways connect to a broker at once."""

import pytest

from protocols.uplink.reconnection import ReconnectSettings, ReconnectWait

SETTINGS = ReconnectSettings(first_s=1.0, cap_s=60.0, least_s=0.1, settled_after_s=30.0)


def test_reconnect_wait_doubles_up_to_its_maximum():
    wait = ReconnectWait(SETTINGS, lambda: 1.0)
    assert [wait.next_s() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_jitter_shortens_the_reconnect_wait_to_no_less_than_its_minimum():
    wait = ReconnectWait(SETTINGS, lambda: 0.5)
    assert [wait.next_s() for _ in range(3)] == [0.5, 1.0, 2.0]
    assert ReconnectWait(SETTINGS, lambda: 0.0).next_s() == 0.1


def test_reconnect_wait_after_a_million_failures_is_its_maximum():
    wait = ReconnectWait(SETTINGS, lambda: 1.0)
    wait.failures = 1_000_000
    assert wait.next_s() == 60


@pytest.mark.parametrize(("held_s", "next_s"), [(30.0, 1.0), (29.9, 8.0)])
def test_reconnect_wait_is_reset_by_a_connection_of_at_least_30_seconds(held_s: float, next_s: float):
    wait = ReconnectWait(SETTINGS, lambda: 1.0)
    for _ in range(3):
        wait.next_s()
    wait.end_connection(held_s=held_s, delivered=False)
    assert wait.next_s() == next_s


def test_reconnect_wait_is_reset_by_a_short_connection_that_delivered_messages():
    wait = ReconnectWait(SETTINGS, lambda: 1.0)
    for _ in range(6):
        wait.next_s()
    wait.end_connection(held_s=2.0, delivered=True)
    assert wait.next_s() == 1.0
