"""The gateway's own time: its source, its error, and whether it is synchronised."""

import pytest

from gateway.sessions.clocks.trusted_clock import BUILD_US, UNSTATED_ERROR_US, TrustedClock, kernel_error_us
from tests.harness.moved_clock import MovedClock

SECOND = 1_000_000
HOUR = 3600 * SECOND


async def test_clock_of_a_gateway_without_a_clock_battery_starts_at_the_build_time():
    system = MovedClock(wall_us=0)
    trusted = TrustedClock(system, disciplined=lambda: None)
    assert trusted.wall_us() == BUILD_US
    await system.advance(90.0)
    assert trusted.wall_us() == BUILD_US + 90 * SECOND
    assert not trusted.synchronised


async def test_gateway_time_after_a_restart_is_not_earlier_than_the_persisted_time():
    system = MovedClock(wall_us=0)
    trusted = TrustedClock(system, disciplined=lambda: None)
    trusted.raise_floor(BUILD_US + 5 * HOUR)
    await system.advance(1.0)
    assert trusted.wall_us() == BUILD_US + 5 * HOUR + SECOND


async def test_synchronised_clock_replaces_a_persisted_time_in_the_future():
    synchronised = [False]
    system = MovedClock(wall_us=BUILD_US + HOUR)
    trusted = TrustedClock(system, disciplined=lambda: 5 if synchronised[0] else None)
    trusted.raise_floor(BUILD_US + 1000 * HOUR)
    assert trusted.wall_us() == BUILD_US + 1000 * HOUR
    synchronised[0] = True
    assert trusted.refresh()
    assert trusted.wall_us() == BUILD_US + HOUR


async def test_gateway_time_continues_from_the_synchronised_time_when_the_time_service_is_lost():
    synchronised = [True]
    system = MovedClock(wall_us=BUILD_US + HOUR)
    trusted = TrustedClock(system, disciplined=lambda: 5 if synchronised[0] else None)
    synchronised[0] = False
    trusted.refresh()
    system.set_wall_us(0)
    assert trusted.wall_us() == BUILD_US + HOUR


def test_kernel_clock_error_is_readable_without_privilege():
    error_us = kernel_error_us()
    assert error_us is None or error_us >= 0


class Kernel:
    """A stand-in for libc: `adjtimex` writes the values of `state` to the struct that it gets, and
    returns `returns`."""

    def __init__(self, returns: int, **state: int) -> None:
        self._returns = returns
        self._state = state

    def adjtimex(self, timex: object) -> int:
        for name, value in self._state.items():
            setattr(timex._obj, name, value)  # type: ignore[attr-defined]  # what byref points to
        return self._returns


@pytest.mark.parametrize(
    ("kernel", "error_us"),
    [
        (Kernel(5, maxerror=16_000_000, status=0x40), None),
        (Kernel(-1), None),
        (Kernel(0, maxerror=4_000, esterror=80), 4_000),
        (Kernel(0, maxerror=4_000, esterror=80, offset=-2_500_000, status=0x2000), 6_500),
        (Kernel(0, maxerror=4_000, esterror=80, offset=-2_500), 6_500),
        (Kernel(0, maxerror=500, esterror=0), 500 + UNSTATED_ERROR_US),
    ],
    ids=["unsynchronised", "forbidden", "chrony", "nanoseconds to come", "microseconds to come", "timesyncd"],
)
def test_clock_error_includes_the_values_of_the_kernel_and_the_time_daemon(
    monkeypatch, kernel: Kernel, error_us: int | None
):
    monkeypatch.setattr("ctypes.CDLL", lambda *_, **__: kernel)
    assert kernel_error_us() == error_us


async def test_gateway_time_is_an_estimate_when_the_system_clock_is_far_behind_the_known_time():
    system = MovedClock(wall_us=BUILD_US + HOUR)
    trusted = TrustedClock(system, disciplined=lambda: None)
    assert not trusted.estimated
    trusted.raise_floor(BUILD_US + HOUR + SECOND // 2)
    assert not trusted.estimated
    trusted.raise_floor(BUILD_US + 2 * HOUR)
    assert trusted.estimated
    system.set_wall_us(BUILD_US + 3 * HOUR)
    assert not trusted.estimated
